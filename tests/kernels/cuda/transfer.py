"""The registry's samples on the emulator: arguments there, results back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import kernels
from kernels import registry
from kernels.cuda import emulator
from kernels.registry import Version
from tests.kernels import tables
from tests.kernels.sample import Sample


def device_versions(operation: str) -> list[Version]:
    return [row for row in registry.table() if row.operation == operation and row.backend == "gpu"]


def to_device(argument: Any) -> Any:
    if isinstance(argument, np.ndarray | np.floating):  # NumPy makes a scalar of some 0-d results
        return emulator.asarray(argument)
    if isinstance(argument, list | tuple) and any(isinstance(item, np.ndarray) for item in argument):
        return type(argument)(map(to_device, argument))
    return argument


def transposed_to_device(argument: Any) -> Any:
    """The same elements, first axis last in memory."""
    return to_device(argument.T).T if isinstance(argument, np.ndarray) else to_device(argument)


def run(
    version: Version, sample: Sample, arguments: Sequence[Any], move: Callable[[Any], Any] = to_device
) -> list[np.ndarray] | None:
    """One version through the public contract; None where it does not take the arguments.

    No input may have been modified.
    """
    moved = [move(argument) for argument in arguments]
    if not version.fits(*moved):
        return None
    with kernels.use(**{version.operation: version.name}):
        results = tables.outcome(registry.contract(version.operation), moved, sample.writes)
    for i, (now, before) in enumerate(zip(moved, arguments, strict=True)):
        if isinstance(before, np.ndarray) and i not in sample.writes:
            assert now.get().tobytes() == before.tobytes(), f"argument {i} was modified"
    return [result.get() for result in results]
