"""Bring your own kernel: `python -m benchmarks race MY_KERNEL.py`.

The file announces versions with `kernels.implements(..., backend=...)`. Each is checked before it is raced:
against `loops` in float64 on every sample of its operation, in every layout and type it takes; for equal
bits on one thread and on several; and, in every layer that calls it, backward against differences of forward.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import kernels
from benchmarks import kernel_benchmark, shapes, threads
from benchmarks.cases import Case, directions, families, select, size
from benchmarks.checks import RefusedError
from benchmarks.machine import Peak
from benchmarks.measuring import Effort
from benchmarks.results import Row
from kernels import registry
from kernels.registry import Version
from minidnn import layer_checks
from minidnn.check_row import LayerCheck
from tests.kernels import tables
from tests.kernels.sample import Draw, Sample

SEEDS = (1, 2)
DTYPES = (np.float32, np.float64)


@dataclass(frozen=True)
class Verdict:
    """What was checked of a version.

    Attributes:
        version: the user's.
        calls: how many calls were compared.
        worst: the worst error, as a share of what rounding may cost.
        gradients: how many rows of gradient checks called it.
    """

    version: Version
    calls: int
    worst: float
    gradients: int


@contextmanager
def loaded(path: Path) -> Iterator[list[Version]]:
    """Run a user's file and give the versions it announces; they leave the table with the context.

    Raises:
        ValueError: no such file, or it announces nothing new.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    before = set(registry.table())
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise ValueError(f"{path} is not a Python file")
    specification.loader.exec_module(importlib.util.module_from_spec(specification))
    found = [version for version in registry.table() if version not in before]
    try:
        if not found:
            raise ValueError(f"{path.name} announces no version; decorate one with kernels.implements(...)")
        yield found
    finally:
        for version in found:
            registry.withdraw(version.operation, version.backend, version.name)


def check(version: Version) -> Verdict:
    """Check a version on every sample of its operation, and the gradients of the layers that call it.

    Raises:
        RefusedError: a wrong value, shape or type, an input that was modified, other bits on another number
            of threads, no sample that it takes, or a gradient that differences do not confirm.
    """
    worst, calls = 0.0, 0
    for sample in tables.samples():
        if sample.operation == version.operation:
            for share in _shares(version, sample):
                worst, calls = max(worst, share), calls + 1
    if not calls:
        raise RefusedError(f"{version.name} takes none of the samples of {version.operation}")
    return Verdict(version, calls, worst, check_gradients(version))


def _shares(version: Version, sample: Sample) -> Iterator[float]:
    """For every type, seed and memory layout the error of one call, as a share of the bound."""
    for dtype in DTYPES:
        for seed in SEEDS:
            want = tables.truth(sample, seed)
            for layout, arguments in tables.layouts(sample, sample.make(Draw(seed, dtype))):
                if version.fits(*arguments):
                    where = f"{version.name} on sample {sample.label} ({np.dtype(dtype)}, {layout})"
                    yield _share(version, sample, arguments, want, where)


def _share(
    version: Version, sample: Sample, arguments: Sequence[Any], want: Sequence[np.ndarray], where: str
) -> float:
    dtype = next(a.dtype for a in arguments if isinstance(a, np.ndarray) and a.dtype.kind == "f")
    got = _call(version, sample, arguments, 1, where)
    try:
        error = tables.worst_error(got, want)
    except AssertionError as difference:
        raise RefusedError(f"{where}: {difference or 'infinities or NaN in other places'}") from None
    bound = tables.bound(sample, dtype)
    if not error <= bound:
        raise RefusedError(f"{where}: relative error {error:.1e}, the bound is {bound:.1e}")
    for count in range(2, threads.available() + 1):
        again = _call(version, sample, arguments, count, where)
        if any(a.tobytes() != b.tobytes() for a, b in zip(got, again, strict=True)):
            raise RefusedError(f"{where}: other bits on {count} threads than on one")
    return error / bound


def _call(
    version: Version, sample: Sample, arguments: Sequence[Any], count: int, where: str
) -> list[np.ndarray]:
    """One call through the contract on this many threads; inputs must come out as they went in."""
    own = [a.copy(order="K") if isinstance(a, np.ndarray) else a for a in arguments]
    before = kernels.get_num_threads()
    kernels.set_num_threads(count)
    try:
        with kernels.use(backend=version.backend, **{version.operation: version.name}):
            result = tables.outcome(registry.contract(version.operation), own, sample.writes)
    finally:
        kernels.set_num_threads(before)
    for i, (now, then) in enumerate(zip(own, arguments, strict=True)):
        if isinstance(now, np.ndarray) and i not in sample.writes and now.tobytes() != then.tobytes():
            raise RefusedError(f"{where}: it changed its argument {i}")
    return [np.ascontiguousarray(array) for array in result]


def check_gradients(version: Version) -> int:
    """Hold backward to differences of forward, wherever a layer's row of checks calls this version.

    Returns how many rows did; versions that take no float64 are called by none.

    Raises:
        RefusedError: a gradient that differences do not confirm.
    """
    done = 0
    for row in _rows_that_call(version.operation):
        try:
            with kernels.use(**{version.operation: version.name}):
                report = row.run(mode="fast")
        except ValueError as error:
            if "has no version for" in str(error):
                continue  # the row's arguments are none that this version takes
            raise
        if not report.passed:
            raise RefusedError(f"{version.name} in {row.layer}, {row.configuration}: {report.message}")
        done += 1
    return done


@cache
def _rows_that_call(operation: str) -> tuple[LayerCheck, ...]:
    """The rows of the table of gradient checks in which forward or backward calls the operation."""
    found = []
    for rows in layer_checks.select([]).values():
        for row in rows:
            with shapes.noting() as recorder:
                row.run(mode="fast")
            if operation in {called for _, called, _ in recorder.calls}:
                found.append(row)
    return tuple(found)


# Layers to race on; with versions that fit few shapes all that they fit.
MOST = 6


def cases_for(version: Version) -> list[Case]:
    """Calls recorded from the networks that a version takes, from small to large.

    Raises:
        RefusedError: it takes none of them.
    """
    owners = [f for f, operations in families().items() if _directions(operations) & {version.operation}]
    every = [case for owner in owners for case in select(owner, None, (1,))]
    own = sorted((case for case in every if case.operation == version.operation), key=size)
    fitting = [case for case in own if version.fits(*case.draw(0))]
    if not fitting:
        raise RefusedError(f"{version.name} takes none of the calls that the networks make")
    step = max((len(fitting) - 1) / (MOST - 1), 1)
    places = dict.fromkeys(min(round(i * step), len(fitting) - 1) for i in range(MOST))
    return [fitting[place] for place in places]


def _directions(operations: Sequence[str]) -> set[str]:
    return {direction for operation in operations for direction in directions(operation)}


def run(version: Version, case: Case, peak: Peak, effort: Effort) -> Row:
    """Race a version on one call against PyTorch and our ladder.

    Raises:
        RefusedError: wrong values, or more speed than the machine has.
    """
    return kernel_benchmark.measure(case, None, peak, effort, yours=[version])
