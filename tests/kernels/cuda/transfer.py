"""The registry's samples on a device, the emulator or a GPU: arguments there, results back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import kernels
from kernels import PreparedWeight, registry
from kernels.device import EMULATOR, Device
from kernels.registry import Version
from tests.kernels import tables
from tests.kernels.sample import Sample


def device_versions(operation: str) -> list[Version]:
    return [row for row in registry.table() if row.operation == operation and row.backend == "gpu"]


def to_device(argument: Any, device: Device = EMULATOR) -> Any:
    if isinstance(argument, np.ndarray | np.floating):  # NumPy makes a scalar of some 0-d results
        return device.module.asarray(argument)
    if isinstance(argument, list | tuple) and any(isinstance(item, np.ndarray) for item in argument):
        return type(argument)(to_device(item, device) for item in argument)
    return argument


def transposed_to_device(argument: Any, device: Device = EMULATOR) -> Any:
    """The same elements, first axis last in memory."""
    if isinstance(argument, np.ndarray):
        return to_device(argument.T, device).T
    return to_device(argument, device)


def askew_to_device(argument: Any, device: Device = EMULATOR) -> Any:
    """The same elements, the first one between two vectors in memory."""
    if isinstance(argument, np.ndarray) and argument.ndim > 0:
        flat = np.concatenate([np.zeros(1, argument.dtype), argument.reshape(-1)])
        return to_device(flat, device)[1:].reshape(argument.shape)
    return to_device(argument, device)


def arguments_for(
    version: Version, arguments: Sequence[Any], move: Callable[[Any], Any] = to_device
) -> list[Any] | None:
    """A sample's arguments on the device; None where the version does not take them.

    A prepared weight is made anew, by the version that is to run on it. Of the samples with one those for the
    reference stand for all: what other host versions made is not for the device.
    """
    moved = []
    for argument in arguments:
        if isinstance(argument, PreparedWeight):
            anew = _prepared_anew(argument, arguments[0].shape, version, move)
            if anew is None:
                return None
            moved.append(anew)
        else:
            moved.append(move(argument))
    return moved if version.fits(*moved) else None


def _prepared_anew(
    prepared: PreparedWeight, input_shape: Sequence[int], version: Version, move: Callable[[Any], Any]
) -> PreparedWeight | None:
    operation = f"{prepared.operation}_prepare_weight"
    maker = next(row for row in device_versions(operation) if row.name == version.name)
    arguments = (move(prepared.weight), input_shape, *prepared.settings)
    if prepared.backend != "reference" or not maker.fits(*arguments):
        return None
    with kernels.use(**{operation: maker.name}):
        anew: PreparedWeight = registry.contract(operation)(*arguments)
    return anew


def run(
    version: Version, sample: Sample, arguments: Sequence[Any], move: Callable[[Any], Any] = to_device
) -> list[np.ndarray] | None:
    """One version through the public contract; None where it does not take the arguments.

    No input may have been modified.
    """
    moved = arguments_for(version, arguments, move)
    if moved is None:
        return None
    with kernels.use(**{version.operation: version.name}):
        results = tables.outcome(registry.contract(version.operation), moved, sample.writes)
    for i, (now, before) in enumerate(zip(moved, arguments, strict=True)):
        if isinstance(before, np.ndarray) and i not in sample.writes:
            assert now.get().tobytes() == before.tobytes(), f"argument {i} was modified"
    return [result.get() for result in results]
