"""Every gpu version of every operation over the registry's samples: on the emulator, or on a GPU."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import kernels
from kernels import registry
from kernels.cuda import emulator
from kernels.device import Device
from tests.kernels import halves, tables
from tests.kernels.cuda import sweep, transfer
from tests.kernels.sample import Draw, Sample

DTYPES = [np.float64, np.float32]
OPERATIONS = sorted({row.operation for row in registry.table() if row.backend == "gpu"})
SAMPLES = [sample for sample in tables.samples() if sample.operation in OPERATIONS]


@pytest.fixture(autouse=True)
def look_closely() -> Iterator[None]:
    """In the mode that the environment asks for, or else with UndefinedBehaviorSanitizer."""
    with emulator.use_mode(os.environ.get("MINIDNN_EMULATOR_MODE", "undefined")):
        yield


@pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_versions_agree_with_loops(sample: Sample, dtype: Any, device: Device) -> None:
    want = tables.truth(sample, seed=1)
    move = partial(transfer.to_device, device=device)
    for version in transfer.device_versions(sample.operation):
        got = transfer.run(version, sample, copy.deepcopy(list(sample.make(Draw(1, dtype)))), move)
        if got is None:
            continue
        assert tables.worst_error(got, want) <= tables.bound(sample, dtype, version.name), version.name
        for ours, theirs in zip(got, want, strict=True):
            assert ours.dtype == (theirs.dtype if theirs.dtype.kind in "iub" else dtype), version.name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_arrays_of_any_layout(operation: str, device: Device) -> None:
    """The first sample with an array that has rows and columns; also what is written in place."""
    for sample in [sample for sample in SAMPLES if sample.operation == operation]:
        arguments = list(sample.make(Draw(1, np.float32)))
        if any(isinstance(x, np.ndarray) and x.ndim > 1 and min(x.shape) > 1 for x in arguments):
            break
    want = tables.truth(sample, seed=1)
    move = partial(transfer.transposed_to_device, device=device)
    for version in transfer.device_versions(operation):
        got = transfer.run(version, sample, copy.deepcopy(arguments), move)
        if got is not None:
            worst = tables.worst_error(got, want)
            assert worst <= tables.bound(sample, np.float32, version.name), version.name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_version_takes_some_sample(operation: str, device: Device) -> None:
    move = partial(transfer.to_device, device=device)
    for version in transfer.device_versions(operation):
        dtypes = (np.float32, np.float16) if operation in halves.OPERATIONS else (np.float32,)
        drawn = [
            list(sample.make(Draw(1, dtype)))
            for dtype in dtypes
            for sample in SAMPLES
            if sample.operation == operation
        ]
        taken = (transfer.arguments_for(version, arguments, move) for arguments in drawn)
        assert any(arguments is not None for arguments in taken), version.name


def test_host_arrays_do_not_fit_a_gpu_version() -> None:
    x = np.ones(3, np.float32)
    with (
        kernels.use(backend="gpu"),
        pytest.raises(ValueError, match="relu_forward has no version for gpu that takes these arguments"),
    ):
        registry.contract("relu_forward")(x)


def test_device_arrays_do_not_fit_a_host_version(device: Device) -> None:
    x = device.module.asarray(np.ones(3, np.float32))
    with (
        kernels.use(backend="reference"),
        pytest.raises(ValueError, match="takes these arguments in device memory"),
    ):
        registry.contract("relu_forward")(x)


def test_mixed_places_are_refused(device: Device) -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(ValueError, match=f"must lie on one device, these lie on cpu and {device}; move them"):
        registry.contract("relu_backward")(device.module.asarray(x), x)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["orders", "address", "thread"])
def test_some_samples_in_the_other_modes(mode: str) -> None:
    """All of them by script: see sweep.py."""
    assert sweep.run(mode, draw=12) == []


def test_sweeps_of_all_samples_found_nothing() -> None:
    """The committed runs of the script."""
    results = sweep.results()
    assert set(results) >= {"orders", "undefined", "address", "thread"}
    assert [row["faults"] for row in results.values() if row["faults"]] == []
    assert min(row["cases"] for row in results.values()) > len(OPERATIONS)


def test_sweeps_take_tensor_cores_and_halves_too() -> None:
    """A sweep runs all versions that take a case; of what it draws in halves some go to tensor cores."""
    taken = {
        (np.dtype(case.dtype).name, version.name)
        for case in sweep.cases(None, only=("conv2d_forward", "linear_forward"))[::5]
        for version in transfer.device_versions(case.sample.operation)
        if transfer.arguments_for(version, list(case.sample.make(Draw(1, case.dtype)))) is not None
    }
    assert {("float32", "tensor_tf32"), ("float16", "tensor_half"), ("float16", "tiled")} <= taken
