"""A network's training step on a GPU against PyTorch eager, by events: part of `python -m benchmarks gpu`.

Forward, loss, backward and SGD from the same weights and on the same images, with TF32 off on both sides and
on on both, PyTorch's with cuDNN's autotuning off and on. Before and after, loss and gradients of both, in
float32 and on few images, are held to PyTorch's in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

import kernels
from benchmarks import twins
from benchmarks.gpu_benchmark import WAYS, torch_name, torch_settings
from benchmarks.gpu_timing import Clock, Contender, race
from benchmarks.kernel_benchmark import OURS
from benchmarks.measuring import Effort
from benchmarks.network_benchmark import longer
from benchmarks.peers import EAGER
from benchmarks.results import Row
from benchmarks.training_benchmark import BOUND, errors, truth_of
from benchmarks.twins import OurStep, Step, TheirStep, Twins
from kernels import registry
from kernels.array import Array
from kernels.device import GPU, Device
from models.registry import entry

NETWORK = "resnet50"
CHECKED = 2  # images


def measure(network: str, batch: int, device: Device, clock: Clock, effort: Effort) -> Row:
    """Measure one network's training step and return its row.

    Raises:
        RefusedError: a wrong loss or gradient.
    """
    pair = twins.build(network)
    shape = entry(network).input_shape
    few = pair.images(CHECKED, shape)
    truth = truth_of(pair, few)
    pair.narrow()
    checked = _steps(pair, few, device)
    with torch_settings(tf32=False, autotune=False, gradients=True):
        before = errors(checked, truth, "before")
    starts = {name: step.state() for name, step in checked.items()}
    steps = _steps(pair, pair.images(batch, shape), device)
    for step in steps.values():
        step.network.train(True)
    timings = race(_contenders(steps), longer(effort), clock)
    for name, step in checked.items():
        step.restore(starts[name])
    with torch_settings(tf32=False, autotune=False, gradients=True):
        after = errors(checked, truth, "after")
    contenders = {
        name: {**asdict(timing), "error_before": before.get(name), "error_after": after.get(name)}
        for name, timing in timings.items()
    }
    return {"network": network, "batch": batch, "bound": BOUND, "contenders": contenders}


def _steps(pair: Twins, images: Array, device: Device) -> dict[str, Step]:
    """Both networks' steps; the emulator's memory is the host's, and so PyTorch's device beside it."""
    beside = "cuda" if device == GPU else "cpu"
    return {
        OURS: OurStep(pair.ours, images, device.name),
        EAGER: TheirStep(pair.theirs, images, device=beside),
    }


def _contenders(steps: Mapping[str, Step]) -> list[Contender]:
    """Ours as it runs by itself and with TF32, PyTorch's in four ways."""
    theirs = [
        Contender(
            torch_name(tf32, autotune),
            steps[EAGER],
            partial(torch_settings, tf32, autotune, gradients=True),
        )
        for tf32, autotune in WAYS
    ]
    tf32_versions = {
        version.operation: version.name
        for version in registry.table()
        if version.backend == "gpu" and version.name.endswith("tf32")
    }
    ours = [
        Contender(OURS, steps[OURS]),
        Contender(f"{OURS} tf32", steps[OURS], partial(kernels.use, **tf32_versions)),
    ]
    return [*ours, *theirs]
