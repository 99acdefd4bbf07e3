"""Every folder's sample table, found by listing the folders, so that none is forgotten."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kernels import PreparedWeight, registry
from tests.kernels.sample import Draw, Sample

HERE = Path(__file__).parent


def folders() -> list[str]:
    """The folders with a sample table; test_registry.py asserts that every operation is in one."""
    return sorted(path.parent.name for path in HERE.glob("*/samples.py"))


@cache
def table(folder: str) -> ModuleType:
    return importlib.import_module(f"tests.kernels.{folder}.samples")


def samples() -> list[Sample]:
    return [sample for folder in folders() for sample in table(folder).SAMPLES]


def oracles() -> dict[str, Callable[..., Any]]:
    return {name: oracle for folder in folders() for name, oracle in table(folder).ORACLES.items()}


def host_versions(operation: str) -> tuple[str, ...]:
    """The versions that take arrays in host memory; those of the gpu have tests of their own."""
    return tuple(row.name for row in registry.table() if row.operation == operation and row.backend != "gpu")


def outcome(function: Callable[..., Any], arguments: Sequence[Any], writes: Sequence[int]) -> list[Any]:
    """All arrays that a call produces: what it returns, then what it writes in place by name.

    Of a prepared weight it is the weight: what was made of it is judged by the runs on it.
    """
    result = function(*arguments)
    if isinstance(result, PreparedWeight):
        result = result.weight
    returned = list(result) if isinstance(result, tuple) else [result]
    return [item for item in returned if item is not None] + [arguments[position] for position in writes]


def truth(sample: Sample, seed: int) -> list[np.ndarray]:
    """The `loops` reference in float64: what every version is held to."""
    return outcome(loops(sample.operation), sample.make(Draw(seed, np.float64)), sample.writes)


@cache
def loops(operation: str) -> Callable[..., Any]:
    """The operation's `loops`, called through the contract (which puts arguments into their normal form)."""
    contract = registry.contract(operation)

    def run(*arguments: Any) -> Any:
        with registry.use(backend="reference", **{operation: "loops"}):
            return contract(*arguments)

    return run


def layouts(sample: Sample, arguments: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The arguments as given, non-contiguous, reversed in memory, and with stride 0."""
    arrays = {
        i
        for i, argument in enumerate(arguments)
        if isinstance(argument, np.ndarray) and i not in sample.writes
    }

    def change(transform: Callable[[np.ndarray], np.ndarray]) -> list[Any]:
        return [transform(argument) if i in arrays else argument for i, argument in enumerate(arguments)]

    yield "contiguous", list(arguments)
    yield "strided", change(_strided)
    yield "transposed", change(lambda array: np.array(array.T, order="C").T)


def broadcast_constants(arguments: Sequence[Any], writes: Sequence[int]) -> list[Any]:
    """Floating arrays replaced by a broadcast scalar: every stride is 0, as sum().backward() hands down."""

    def constant(i: int, argument: Any) -> Any:
        floating = isinstance(argument, np.ndarray) and argument.dtype.kind == "f" and argument.size > 0
        if not floating or i in writes:
            return argument
        return np.broadcast_to(argument.reshape(-1)[0], argument.shape)

    return [constant(i, argument) for i, argument in enumerate(arguments)]


def _strided(array: np.ndarray) -> np.ndarray:
    """Equal values with a gap after every element of the last axis."""
    if array.ndim == 0:
        return array
    wide = np.repeat(array, 2, axis=-1)
    wide[..., 1::2] = 77
    return wide[..., ::2]


def worst_error(got: Sequence[np.ndarray], want: Sequence[np.ndarray]) -> float:
    """The largest difference over all outputs, relative to each output's largest magnitude.

    Integer and boolean outputs must be equal; infinities and NaN must stand in the same places. NaN in place
    of a number is an infinite error.
    """
    assert len(got) == len(want), f"{len(got)} outputs where {len(want)} are needed"
    worst = 0.0
    for ours, theirs in zip(got, want, strict=True):
        assert ours.shape == theirs.shape, f"shape {ours.shape} where {theirs.shape} is needed"
        if ours.dtype.kind in "iub":
            assert np.array_equal(ours, theirs), "integer outputs differ"
            continue
        finite = np.isfinite(theirs)
        assert np.array_equal(np.where(finite, 0, ours), np.where(finite, 0, theirs), equal_nan=True)
        if finite.any():
            scale = max(float(np.abs(theirs[finite]).max()), 1e-30)
            differences = np.nan_to_num(np.abs(ours[finite] - theirs[finite]), nan=np.inf)
            worst = max(worst, float(differences.max()) / scale)
    return worst


# Versions that round what they multiply: the eps of that.
COARSE = {"tensor_tf32": 2.0**-10}


def bound(sample: Sample, dtype: Any, version: str = "") -> float:
    """What rounding may cost: c sqrt(K) eps for a sum of K terms."""
    eps = COARSE.get(version, float(np.finfo(dtype).eps))
    return 8 * float(np.sqrt(max(sample.reduction_length, 1))) * eps
