"""What is to be reached, as data: every aim, the figure that is held to it, and whether the results reach it.

Ratios are PyTorch eager's time divided by ours, so more is better. Where an aim says "each" the worst row
counts, otherwise the geometric mean over all rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.arguments import decode
from benchmarks.cases import BACKWARD
from benchmarks.figures import (
    Figure,
    Results,
    geometric_mean,
    network_ratios,
    ratio,
    ratios,
    scratch,
    summed,
)
from benchmarks.kernel_benchmark import OURS
from benchmarks.network_benchmark import FUSED
from benchmarks.results import Row

WORST = 5
EACH, MEAN = "each", "geometric mean"


@dataclass(frozen=True)
class Target:
    """One aim.

    Attributes:
        what: the rows that it speaks of.
        figure: "each" or "geometric mean".
        aim: the number to reach.
        rows: picks the numbers out of the results.
        at_most: less is better.
        unit: of the numbers; a ratio has none.
    """

    what: str
    figure: str
    aim: float
    rows: Callable[[Results], list[Figure]]
    at_most: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of an aim.

    Attributes:
        target: the aim.
        value: the figure; None where nothing was measured.
        count: over how many rows.
        worst: the rows that are furthest behind, worst first.
    """

    target: Target
    value: float | None
    count: int
    worst: tuple[Figure, ...]

    @property
    def reached(self) -> bool | None:
        """Whether the aim was reached; None where nothing was measured."""
        if self.value is None:
            return None
        return self.value <= self.target.aim if self.target.at_most else self.value >= self.target.aim


def evaluate(target: Target, results: Results) -> Outcome:
    """Hold the results to an aim."""
    figures = sorted(target.rows(results), key=lambda figure: figure.value, reverse=target.at_most)
    if not figures:
        return Outcome(target, None, 0, ())
    value = figures[0].value if target.figure == EACH else geometric_mean(figures)
    behind = [f for f in figures if (f.value > target.aim if target.at_most else f.value < target.aim)]
    return Outcome(target, value, len(figures), tuple(behind[:WORST]))


def outcomes(results: Results, targets: Sequence[Target] | None = None) -> list[Outcome]:
    """All aims in the table's order; by default those of the processor."""
    return [evaluate(target, results) for target in targets or TARGETS]


def _arguments(row: Row) -> Sequence[Any]:
    return decode(row["layer"].partition(" ")[2])


def _convolutions(
    kernel: int, stride: int | None = None, prepared: bool = True
) -> Callable[[Results], list[Figure]]:
    """Forward convolutions with square kernels of one size."""

    def rows(results: Results) -> list[Figure]:
        def fits(row: Row) -> bool:
            window = _arguments(row)[3]
            strides = (stride, stride) if stride else window.stride
            return bool(window.kernel == (kernel, kernel) and window.stride == strides)

        return ratios([row for row in results.kernels("conv2d_forward") if fits(row)], prepared)

    return rows


def _of(*operations: str) -> Callable[[Results], list[Figure]]:
    """Every row of these operations."""
    return lambda results: ratios(results.kernels(*operations))


def _together(*operations: str) -> Callable[[Results], list[Figure]]:
    """The operations' times added up, layer by layer."""
    return lambda results: summed(results, *operations)


def _pooling(results: Results) -> list[Figure]:
    """3x3 and 2x2 windows at stride 2."""
    rows = results.kernels("max_pool2d_forward", "average_pool2d_forward")
    windows = {((3, 3), (2, 2)), ((2, 2), (2, 2))}
    return ratios(row for row in rows if (_arguments(row)[1].kernel, _arguments(row)[1].stride) in windows)


_SMALL_FORWARD = (
    "softmax_forward",
    "cross_entropy_forward",
    "dropout_forward",
    "local_response_norm_forward",
    "concat_forward",
    "relu_forward",
    "relu6_forward",
    "leaky_relu_forward",
    "sigmoid_forward",
    "silu_forward",
    "tanh_forward",
    "hardsigmoid_forward",
    "hardswish_forward",
    "gelu_forward",
    "add",
    "multiply",
)
_SMALL = tuple(name for forward in _SMALL_FORWARD for name in (forward, *BACKWARD.get(forward, {})))


def _memory(results: Results) -> list[Figure]:
    rows = [row for key, row in results.rows("training").items() if key.endswith("memory")]
    return [
        Figure(
            row["network"], row["contenders"]["pytorch"]["peak_bytes"] / row["contenders"][OURS]["peak_bytes"]
        )
        for row in rows
    ]


def _addition(results: Results) -> list[Figure]:
    row = results.rows("engine").get("scalar addition")
    return [Figure("scalar addition", row["contenders"][OURS]["median"] * 1e6)] if row else []


def _lenet5(results: Results) -> list[Figure]:
    row = results.rows("engine").get("lenet5 batch 1")
    value = ratio(row) if row else None
    return [] if value is None else [Figure("lenet5", value)]


TARGETS = (
    Target("conv2d forward, weights prepared", EACH, 0.9, _of("conv2d_forward")),
    Target("conv2d forward, weights prepared", MEAN, 1.3, _of("conv2d_forward")),
    Target("conv2d 3x3 stride 1 forward, weights prepared", MEAN, 1.4, _convolutions(3, 1)),
    Target("conv2d 3x3 stride 1 forward, cold", MEAN, 1.0, _convolutions(3, 1, prepared=False)),
    Target("conv2d 1x1 forward, weights prepared", MEAN, 1.15, _convolutions(1)),
    Target(
        "conv2d backward, input + weight",
        MEAN,
        1.1,
        _together("conv2d_backward_input", "conv2d_backward_weight"),
    ),
    Target(
        "conv2d backward, input + weight",
        EACH,
        0.8,
        _together("conv2d_backward_input", "conv2d_backward_weight"),
    ),
    Target("linear forward", MEAN, 1.3, _of("linear_forward")),
    Target("depthwise forward", EACH, 0.9, _of("depthwise_conv2d_forward")),
    Target("depthwise forward", MEAN, 3.0, _of("depthwise_conv2d_forward")),
    Target(
        "depthwise backward, input + weight",
        EACH,
        0.9,
        _together("depthwise_conv2d_backward_input", "depthwise_conv2d_backward_weight"),
    ),
    Target(
        "depthwise backward, input + weight",
        MEAN,
        3.0,
        _together("depthwise_conv2d_backward_input", "depthwise_conv2d_backward_weight"),
    ),
    Target("max and average pooling, 3x3/2 and 2x2/2", MEAN, 5.0, _pooling),
    Target("global pooling", MEAN, 1.0, _of("global_average_pool2d_forward")),
    Target(
        "batch norm training, forward + backward",
        MEAN,
        1.2,
        _together("batch_norm_forward_training", "batch_norm_backward_training"),
    ),
    Target("ROI pooling and align", MEAN, 1.5, _of("roi_pool_forward", "roi_align_forward")),
    Target("softmax, losses, dropout, LRN, concat, activations, elementwise", EACH, 0.9, _of(*_SMALL)),
    Target("softmax, losses, dropout, LRN, concat, activations, elementwise", MEAN, 1.2, _of(*_SMALL)),
    Target("networks at inference", EACH, 1.0, lambda results: network_ratios(results, "networks")),
    Target("networks at inference", MEAN, 1.4, lambda results: network_ratios(results, "networks")),
    Target("networks, fused", EACH, 1.2, lambda results: network_ratios(results, "networks", FUSED)),
    Target("networks, fused", MEAN, 1.8, lambda results: network_ratios(results, "networks", FUSED)),
    Target("training step, batch 8", EACH, 0.95, lambda results: network_ratios(results, "training")),
    Target("training step, batch 8", MEAN, 1.25, lambda results: network_ratios(results, "training")),
    Target("peak memory of a ResNet-50 training step, PyTorch's / ours", EACH, 1.0, _memory),
    Target("convolution scratch", EACH, 16.0, scratch, at_most=True, unit="MiB"),
    Target("scalar addition, forward and backward", EACH, 10.0, _addition, at_most=True, unit="us"),
    Target("LeNet-5 training step, batch 1", EACH, 1.0, _lenet5),
)


def said(value: float, unit: str = "") -> str:
    """A figure for people."""
    if math.isnan(value):
        return "-"
    return f"{value:.2f} {unit}".strip()
