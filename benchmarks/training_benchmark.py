"""A network's training step (forward, loss, backward, SGD), ours against PyTorch eager and channels_last.

From the same weights, loss and gradients of everyone are held to PyTorch's in float64, with dropout off (the
generators differ); it is on while time is taken. Peak memory is taken by `training_memory.py`, in processes
of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks import checks, twins
from benchmarks.kernel_benchmark import OURS
from benchmarks.measuring import Contender, Effort, interleave
from benchmarks.network_benchmark import contender_row, longer
from benchmarks.peers import CHANNELS_LAST, EAGER
from benchmarks.results import Row
from benchmarks.twins import OurStep, Step, TheirStep, Twins
from kernels.array import Array
from models.registry import entry
from tests.reference import digest

NETWORKS = ("resnet18", "resnet50", "mobilenet_v2", "vgg16")
BATCH = 8
LOSS_BOUND = 1e-5
# Of the norm of a gradient's error, relative to the gradient's (or to a thousandth of the typical one, for
# those that are zero but for rounding). Batch norm divides by small variances, layer after layer: in float32
# PyTorch's own gradients of ResNet-18 and MobileNet v2 are 1e-2 from float64's. A wrong formula shows.
# PyTorch's channels_last, with MobileNet v2 further off than the bound, then takes no part in the race.
BOUND = 5e-2
SMALL = 1e-3

Truth = tuple[float, dict[str, Array]]


def measure(network: str, batch: int, effort: Effort, with_channels_last: bool = True) -> Row:
    """Measure one network's training step and return its row.

    Raises:
        RefusedError: a wrong loss or gradient.
    """
    pair = twins.build(network)
    images = pair.images(batch, entry(network).input_shape)
    truth = truth_of(pair, images)
    pair.narrow()
    steps = _steps(pair, images, with_channels_last)
    starts = {name: step.state() for name, step in steps.items()}
    before = errors(steps, truth, "before")
    steps = {name: step for name, step in steps.items() if before[name] <= BOUND}
    for name, step in steps.items():
        step.restore(starts[name])
        step.network.train(True)
    timings = interleave([Contender(name, step) for name, step in steps.items()], longer(effort))
    for name, step in steps.items():
        step.restore(starts[name])
    after = errors(steps, truth, "after")
    contenders = {
        name: contender_row(timing, before[name], after[name], None) for name, timing in timings.items()
    }
    return {"network": network, "batch": batch, "bound": BOUND, "contenders": contenders}


def truth_of(pair: Twins, images: Array) -> Truth:
    """Return loss and gradients of PyTorch's network in float64."""
    pair.theirs.set_training(True)
    step = TheirStep(pair.theirs, images.astype(np.float64))
    return step.gradients()


def _steps(pair: Twins, images: Array, with_channels_last: bool) -> dict[str, Step]:
    steps: dict[str, Step] = {OURS: OurStep(pair.ours, images), EAGER: TheirStep(pair.theirs, images)}
    if with_channels_last:
        import torch

        last = digest.Theirs(twins.channels_last(pair.theirs.model), pair.theirs.key)
        steps[CHANNELS_LAST] = TheirStep(last, images, torch.channels_last)
    return steps


def errors(steps: Mapping[str, Step], truth: Truth, when: str) -> dict[str, float]:
    """Return everyone's error (RefusedError: ours or eager's beyond the bound)."""
    found = {}
    for name, step in steps.items():
        step.network.set_training(True)
        loss, gradients = step.gradients()
        checks.check_values(f"{name}'s loss", when, abs(loss - truth[0]) / abs(truth[0]), LOSS_BOUND)
        found[name] = gradient_error(gradients, truth[1])
        if name in (OURS, EAGER):
            checks.check_values(name, when, found[name], BOUND)
    return found


def gradient_error(got: Mapping[str, Array], want: Mapping[str, Array]) -> float:
    """The worst parameter's: |got - want| / max(|want|, SMALL * the median of all |want|)."""
    if got.keys() != want.keys():
        return float("inf")
    norms = {name: float(np.linalg.norm(gradient)) for name, gradient in want.items()}
    floor = SMALL * float(np.median(list(norms.values())))
    return max(
        float(np.linalg.norm(got[name] - want[name])) / max(norms[name], floor, np.finfo(float).tiny)
        for name in want
    )
