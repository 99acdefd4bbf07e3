"""Kernels on a GPU against PyTorch and cuDNN in one process: `python -m benchmarks gpu`.

Sums are raced with TF32 off on both sides and on on both sides, PyTorch's with cuDNN's autotuning off and on.
Everything else is bound by memory and raced on arrays of 64 MB and more. Values are checked on one image
against the reference in float64, for its loops would take hours on such arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks import cases, checks, cost
from benchmarks.arguments import ArraySpec
from benchmarks.cases import Case
from benchmarks.gpu_timing import Clock, Contender, race
from benchmarks.kernel_benchmark import OURS
from benchmarks.machine import Peak
from benchmarks.measuring import Effort
from benchmarks.peers import EAGER, peers
from benchmarks.results import Row
from benchmarks.threads import has_torch
from kernels import registry
from kernels.device import Device

NETWORKS = ("resnet50", "vgg16")
BATCH = 64
LARGE = 64 << 20  # bytes of the first array of a call that is bound by memory
LAYERS_EACH = 4  # of those calls, for each operation
SUMS = tuple(operation for operation in cost.TERMS if not operation.startswith("depthwise"))
SEED = 7
# PyTorch's uses of TF32 and of cuDNN's autotuning.
WAYS = ((False, False), (False, True), (True, False), (True, True))
# Factors in TF32 have the 10 bits of a half.
PRECISION = {False: "float32", True: "float16"}


@dataclass(frozen=True)
class Entrant:
    """A contender and how it computes.

    Attributes:
        contender: its name and timed call.
        version: of ours, what it performs.
        tf32: whether factors may be rounded to TF32.
    """

    contender: Contender
    version: str = ""
    tf32: bool = False


# ---- which calls -------------------------------------------------------------------------------------


def select(operation: str | None, network: str | None, batch: int) -> list[Case]:
    """The sums of two networks (or of the one asked for), and the largest layers of everything else.

    Raises:
        ValueError: an operation or network without cases.
    """
    every = cases.select(operation, network, (1,))
    sums = [
        replace(case, batch=batch)
        for case in every
        if case.operation in SUMS and (network is not None or case.layer.network in NETWORKS)
    ]
    others: dict[str, list[Case]] = {}
    for case in sorted(every, key=cases.size, reverse=True):
        if case.operation not in SUMS:
            others.setdefault(case.operation, []).append(_large(case))
    return [*sums, *(case for found in others.values() for case in found[:LAYERS_EACH])]


def _large(case: Case) -> Case:
    """The call on enough images; regions of interest and losses have a batch of their own."""
    if case.layer.operation in cases.FIXED_BATCH:
        return case
    first = next(spec for spec in _arrays(case.layer.arguments_for(1)))
    return replace(case, batch=max(math.ceil(LARGE / (4 * math.prod(first.shape))), 1))


def _arrays(arguments: Sequence[Any]) -> Iterator[ArraySpec]:
    for argument in arguments:
        if isinstance(argument, ArraySpec):
            yield argument
        elif isinstance(argument, tuple):
            yield from _arrays(argument)


# ---- a row -------------------------------------------------------------------------------------------


def measure(case: Case, device: Device, clock: Clock, peak: Peak, effort: Effort) -> Row:
    """Measure one case and return its row.

    Raises:
        RefusedError: wrong values, or more operations per second than the GPU has.
    """
    small = case if case.layer.operation in cases.FIXED_BATCH else replace(case, batch=1)
    checked = _check_values(small, device)
    arguments = case.draw(SEED)
    moved = _moved(arguments, device)
    entrants = [*ours(case.operation, moved), *theirs(case.operation, moved)]
    timings = race([entrant.contender for entrant in entrants], effort, clock)
    size = cost.moved_bytes(moved, _as_list(registry.contract(case.operation)(*moved)))
    row: Row = {
        "operation": case.operation,
        "network": case.layer.network,
        "layer": case.layer.key,
        "label": case.label,
        "batch": case.batch,
        "direct_operations": cost.direct_operations(case.operation, arguments),
        "bytes": size,
        "contenders": {},
    }
    for entrant in entrants:
        timing = timings[entrant.contender.name]
        performed = cost.performed_operations(case.operation, arguments, entrant.version)
        if not entrant.tf32:
            checks.check_speed(
                entrant.contender.name, "FLOP", performed / timing.median, _ceiling(entrant, peak)
            )
        row["contenders"][entrant.contender.name] = {
            **asdict(timing),
            "version": entrant.version,
            "flops": performed / timing.median,
            "bytes_per_second": size / timing.median,
            "copy_share": size / timing.median / peak.bandwidth_at(size),
            "roofline": peak.seconds(performed, size) / timing.median,
            "error": checked.get(entrant.contender.name),
        }
    return row


def _ceiling(entrant: Entrant, peak: Peak) -> float:
    """What others perform is not known: cuDNN may choose Winograd's algorithm."""
    return peak.flops if entrant.version else math.inf


def ours(operation: str, moved: Sequence[Any]) -> list[Entrant]:
    """What runs by itself, and the version with TF32 where there is one that takes the arguments."""
    contract = registry.contract(operation)
    found = [
        Entrant(Contender(OURS, partial(contract, *moved)), f"gpu {registry.choose(contract, *moved).name}")
    ]
    for version in registry.table():
        is_tf32 = version.backend == "gpu" and version.name.endswith("tf32")
        if version.operation == operation and is_tf32 and version.fits(*moved):
            contender = Contender(f"{OURS} tf32", partial(version.function, *moved))
            found.append(Entrant(contender, f"gpu {version.name}", tf32=True))
    return found


def theirs(operation: str, moved: Sequence[Any]) -> list[Entrant]:
    """PyTorch eager on the same memory; sums in four ways."""
    if not has_torch():
        return []
    import torch

    with torch.device("cuda"), torch.no_grad():
        found = peers(operation, [_tensor(argument) for argument in moved])
    eager = next((peer for peer in found if peer.name == EAGER), None)
    if eager is None:
        return []
    return [
        Entrant(
            Contender(torch_name(tf32, autotune), eager.run, partial(torch_settings, tf32, autotune)),
            tf32=tf32,
        )
        for tf32, autotune in (WAYS if operation in SUMS else WAYS[:1])
    ]


def torch_name(tf32: bool, autotune: bool) -> str:
    """Return what PyTorch is called in one of its ways."""
    return EAGER + " tf32" * tf32 + " autotuned" * autotune


@contextmanager
def torch_settings(tf32: bool, autotune: bool, gradients: bool = False) -> Iterator[None]:
    """PyTorch's use of TF32 and cuDNN's search for the fastest algorithm, while the context lasts."""
    import torch

    backends = torch.backends
    before = backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.benchmark
    backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = tf32
    backends.cudnn.benchmark = autotune
    try:
        with torch.set_grad_enabled(gradients):
            yield
    finally:
        backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.benchmark = before


# ---- values and memory -------------------------------------------------------------------------------


def _check_values(case: Case, device: Device) -> dict[str, float]:
    """How far ours are from the reference in float64 (RefusedError beyond rounding)."""
    arguments = case.draw(SEED)
    truth, errors = case.truth(arguments), {}
    length = cost.reduction_length(case.operation, arguments)
    moved = _moved(arguments, device)
    for entrant in ours(case.operation, moved):
        got = [result.get() for result in _as_list(entrant.contender.run())]
        bound = checks.rounding_bound(length, PRECISION[entrant.tf32])
        name = entrant.contender.name
        errors[name] = checks.check_values(name, "before", checks.error(got, truth[: len(got)]), bound)
    return errors


def _as_list(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [] if result is None else [result]


def _moved(arguments: Sequence[Any], device: Device) -> list[Any]:
    return [_move(argument, device) for argument in arguments]


def _move(argument: Any, device: Device) -> Any:
    if isinstance(argument, np.ndarray | np.floating):
        return device.module.asarray(argument)
    if isinstance(argument, tuple | list) and any(isinstance(item, np.ndarray) for item in argument):
        return tuple(_move(item, device) for item in argument)
    return argument


def _tensor(argument: Any) -> Any:
    """A tensor on an array's memory."""
    import torch

    if isinstance(argument, tuple | list):
        return tuple(_tensor(item) for item in argument)
    return torch.from_dlpack(argument) if hasattr(argument, "__dlpack__") else argument
