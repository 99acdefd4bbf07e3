"""The registry's own rules, and every version of every operation against `loops` and PyTorch."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from kernels import registry
from kernels.registry import Version
from tests.kernels import tables
from tests.kernels.sample import Draw, Sample

HAS_TORCH = importlib.util.find_spec("torch") is not None
DTYPES = [np.float64, np.float32]


def versions_of(sample: Sample) -> list[Version]:
    return [row for row in registry.table() if row.operation == sample.operation]


def run(version: Version, sample: Sample, arguments: list[Any]) -> list[Any]:
    """Run one version through the public contract, and see that no input was modified."""
    before = copy.deepcopy(arguments)
    with kernels.use(backend=version.backend, **{version.operation: version.name}):
        result = tables.outcome(registry.contract(version.operation), arguments, sample.writes)
    for i, (now, then) in enumerate(zip(arguments, before, strict=True)):
        if isinstance(now, np.ndarray) and i not in sample.writes:
            assert np.array_equal(now, then, equal_nan=now.dtype.kind == "f"), f"argument {i} was modified"
    return result


def fits(version: Version, arguments: list[Any]) -> bool:
    return version.fits(*arguments)


@pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
@pytest.mark.parametrize("sample", tables.samples(), ids=str)
def test_versions_agree_with_loops(sample: Sample, dtype: Any) -> None:
    """In every memory layout, within rounding, without touching the inputs."""
    want = tables.truth(sample, seed=1)
    for version in versions_of(sample):
        for layout in range(3):
            given = list(tables.layouts(sample, sample.make(Draw(1, dtype))))[layout]
            if fits(version, given[1]):
                got = run(version, sample, given[1])
                assert tables.worst_error(got, want) <= tables.bound(sample, dtype), (version.name, given[0])
                for ours, theirs in zip(got, want, strict=True):
                    assert ours.dtype == (theirs.dtype if theirs.dtype.kind in "iub" else dtype), version.name


@pytest.mark.parametrize("sample", [s for s in tables.samples() if s.stride_zero], ids=str)
def test_stride_zero_arguments(sample: Sample) -> None:
    """Broadcast constants, as `sum().backward()` hands down, are read through their strides."""

    def arguments() -> list[Any]:
        return tables.broadcast_constants(list(sample.make(Draw(2, np.float64))), sample.writes)

    dense = [np.array(a) if isinstance(a, np.ndarray) else a for a in arguments()]
    want = tables.outcome(tables.loops(sample.operation), dense, sample.writes)
    for version in versions_of(sample):
        broadcast = arguments()
        if fits(version, broadcast):
            got = run(version, sample, broadcast)
            assert tables.worst_error(got, want) <= tables.bound(sample, np.float64), version.name


@pytest.mark.parametrize("folder", tables.folders())
@settings(max_examples=20)
@given(data=st.data(), seed=st.integers(0, 2**16), dtype=st.sampled_from(DTYPES))
def test_drawn_samples(folder: str, data: st.DataObject, seed: int, dtype: Any) -> None:
    sample = data.draw(tables.table(folder).STRATEGY)
    want = tables.truth(sample, seed)
    for version in versions_of(sample):
        arguments = list(sample.make(Draw(seed, dtype)))
        if fits(version, arguments):
            got = run(version, sample, arguments)
            assert tables.worst_error(got, want) <= tables.bound(sample, dtype), version.name


@pytest.mark.reference
@pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed; the stored references stand in")
@pytest.mark.parametrize("sample", tables.samples(), ids=str)
def test_loops_agree_with_torch(sample: Sample) -> None:
    """The definition itself, in float64, against an independent implementation."""
    try:
        want = tables.outcome(
            tables.oracles()[sample.operation], sample.make(Draw(3, np.float64)), sample.writes
        )
    except ImportError as missing:  # torchvision's operators need more than torch
        pytest.skip(str(missing))
    assert tables.worst_error(tables.truth(sample, seed=3), want) <= 1e-9


def test_every_operation_has_loops_samples_and_an_oracle() -> None:
    sampled = {sample.operation for sample in tables.samples()}
    for operation in kernels.operations():
        assert "loops" in kernels.versions(operation, "reference"), operation
        assert operation in sampled, f"{operation} has no samples"
        assert operation in tables.oracles(), f"{operation} has no oracle"


def test_every_contract_documents_its_edges_and_errors() -> None:
    for operation in kernels.operations():
        text = registry.contract(operation).__doc__ or ""
        for section in ("Shapes:", "Dtypes:", "Edge contract:", "Raises:"):
            assert section in text, f"{operation} does not say {section}"


def test_every_version_says_its_idea() -> None:
    for row in registry.table():
        assert row.idea
        assert "\n" not in row.idea


def test_use_selects_a_version_and_ends_with_the_context() -> None:
    contract = registry.contract("linear_forward")
    arguments = (np.ones((1, 2)), np.ones((3, 2)), None)
    with kernels.use(backend="reference"):
        best = registry.choose(contract, *arguments).name
        with kernels.use(linear_forward="loops"):
            assert registry.choose(contract, *arguments).name == "loops"
        assert registry.choose(contract, *arguments).name == best != "loops"


def test_a_new_version_is_found_by_being_registered() -> None:
    contract = registry.contract("linear_backward_bias")

    @kernels.implements(
        contract, "mine", "a user's own", backend="reference", fits=lambda dy: dy.shape[1] == 3
    )
    def mine(grad_output: np.ndarray) -> np.ndarray:
        return grad_output[0]

    try:
        assert registry.choose(contract, np.ones((1, 3))).function is mine
        assert registry.choose(contract, np.ones((1, 2))).name != "mine"
        with (
            kernels.use(linear_backward_bias="mine"),
            pytest.raises(ValueError, match="has no version for mine"),
        ):
            contract(np.ones((1, 2)))
    finally:
        registry.withdraw("linear_backward_bias", "reference", "mine")


def test_a_version_that_does_not_pay_runs_only_when_asked_for() -> None:
    contract = registry.contract("linear_backward_bias")

    @kernels.implements(contract, "mine", "a user's own", backend="cpu", pays=lambda dy: dy.shape[0] > 1)
    def mine(grad_output: np.ndarray) -> np.ndarray:
        return grad_output.sum(axis=0)

    try:
        assert registry.choose(contract, np.ones((2, 3))).function is mine
        assert registry.choose(contract, np.ones((1, 3))).function is not mine
        with kernels.use(linear_backward_bias="mine"):
            assert registry.choose(contract, np.ones((1, 3))).function is mine
    finally:
        registry.withdraw("linear_backward_bias", "cpu", "mine")


@pytest.mark.parametrize("compiled", [False, True])
def test_numpy_warns_only_in_versions_that_say_they_do_without_it(compiled: bool) -> None:
    contract = registry.contract("linear_backward_bias")
    kernels.implements(contract, "mine", "a user's own", backend="cpu", compiled=compiled)(
        lambda dy: dy[0] / 0
    )
    try:
        with pytest.raises(RuntimeWarning) if compiled else contextlib.nullcontext():
            assert np.all(np.isinf(contract(np.ones((1, 3)))))
    finally:
        registry.withdraw("linear_backward_bias", "cpu", "mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "tpu"}, "backend must be one of reference, cpu, gpu, got 'tpu'"),
        ({"conv9d": "loops"}, "unknown operation 'conv9d'"),
        ({"linear_forwards": "loops"}, "did you mean 'linear_forward'"),
        ({"linear_forward": "fast"}, "linear_forward has no version 'fast'; it has: loops"),
    ],
)
def test_use_refuses_unknown_names(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message), kernels.use(**arguments):
        pass
