"""Samples of the convolution's kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import kernels
from kernels import PreparedWeight, registry
from kernels.conv2d import conv2d_prepare_weight
from kernels.prepared import ACTIVATIONS
from kernels.window import Pair, Window
from tests.kernels.convolution import geometries, torch_conv2d, torch_conv2d_gradients
from tests.kernels.sample import Draw, Sample

ENDINGS = (None, *ACTIVATIONS)


def samples(
    label: str,
    batch: int,
    channels: Pair,
    size: Pair,
    window: Window,
    groups: int = 1,
    bias: bool = True,
) -> list[Sample]:
    """All directions of one configuration; `channels` are (in, out)."""
    inputs, outputs = channels
    weight = (outputs, inputs // groups, *window.kernel)
    positions = window.output_size(size)
    taps = window.kernel[0] * window.kernel[1]
    x, y = (batch, inputs, *size), (batch, outputs, *positions)
    area = batch * positions[0] * positions[1]
    return [
        Sample(
            "conv2d_forward",
            label,
            lambda draw: (
                draw.normal(*x),
                draw.normal(*weight),
                draw.normal(outputs) if bias else None,
                window,
                groups,
            ),
            reduction_length=weight[1] * taps + 1,
        ),
        Sample(
            "conv2d_backward_input",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*weight), x, window, groups),
            reduction_length=outputs // groups * taps,
        ),
        Sample(
            "conv2d_backward_weight",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*x), window, groups),
            reduction_length=area,
        ),
        Sample("conv2d_backward_bias", label, lambda draw: (draw.normal(*y),), reduction_length=area),
        Sample("conv2d_prepare_weight", label, lambda draw: (draw.normal(*weight), x, window, groups)),
        *prepared_samples(label, x, weight, window, groups, bias),
    ]


def prepared_samples(
    label: str, x: tuple[int, ...], weight: tuple[int, ...], window: Window, groups: int, bias: bool
) -> list[Sample]:
    """Runs on the weight as each version prepares it that takes these shapes, with changing activations."""
    rows = [row for row in registry.table() if row.operation == "conv2d_prepare_weight"]
    fitting = [row for row in rows if row.fits(np.zeros(weight), x, window, groups)]
    return [
        Sample(
            "conv2d_forward_prepared",
            f"{label}-{row.backend}-{row.name}",
            _prepared(row.backend, row.name, x, weight, window, groups, bias, ending),
            reduction_length=weight[1] * window.kernel[0] * window.kernel[1] + 1,
        )
        for row, ending in zip(fitting, ENDINGS[sum(weight) % len(ENDINGS) :] + ENDINGS, strict=False)
    ]


def _prepared(
    backend: str,
    version: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    window: Window,
    groups: int,
    bias: bool,
    activation: str | None,
) -> Callable[[Draw], tuple[Any, ...]]:
    def make(draw: Draw) -> tuple[Any, ...]:
        values, filters = draw.normal(*x), draw.normal(*weight)
        # Sums of about unit size: of a larger one, a bounded activation would leave nothing but its error.
        filters /= filters[0].size ** 0.5
        offsets = draw.normal(weight[0]) if bias else None
        with kernels.use(backend=backend, conv2d_prepare_weight=version):
            prepared = conv2d_prepare_weight(filters, x, window, groups)
        return values, prepared, offsets, window, groups, activation

    return make


SAMPLES = [
    *samples("plain", 2, (3, 4), (5, 5), Window.of(3)),
    *samples("odd", 2, (3, 5), (7, 4), Window.of((3, 2), (2, 1), (1, 0))),
    *samples("asymmetric", 2, (2, 3), (5, 6), Window.of((2, 3), (1, 2), ((0, 2), (3, 1)))),
    *samples("dilated", 1, (2, 3), (8, 7), Window.of((3, 2), (1, 2), (2, 1), (2, 3))),
    *samples("ragged", 2, (2, 2), (8, 10), Window.of(3, 3)),
    *samples("stride-above-kernel", 2, (2, 3), (7, 9), Window.of((1, 2), (3, 4))),
    *samples("groups", 2, (4, 6), (5, 4), Window.of((2, 3), 1, 1), groups=2),
    *samples("three-by-three", 2, (17, 34), (7, 10), Window.of(3, 1, ((0, 2), (3, 1)))),
    *samples("three-by-three-groups", 1, (10, 6), (9, 5), Window.of(3, 1, 1), groups=2),
    *samples("depthwise", 2, (3, 6), (4, 5), Window.of((3, 2), (2, 1), 1), groups=3),
    *samples("pointwise", 3, (4, 3), (3, 5), Window.of(1)),
    *samples("planes", 3, (20, 70), (2, 6), Window.of(1)),  # fours of neighbours lie in one plane
    *samples("many-places", 3, (2, 5), (14, 13), Window.of((2, 3), 1, 1)),  # the weight's gradient in parts
    *samples("one-image", 1, (70, 20), (5, 7), Window.of(1)),
    *samples("whole-tile", 1, (2, 64), (5, 14), Window.of(1)),  # rows of a whole block, two of places
    *samples("no-bias", 1, (2, 3), (4, 4), Window.of(2), bias=False),
    *samples("one-channel", 1, (1, 1), (4, 3), Window.of(2)),
    *samples("single-pixel", 2, (3, 2), (1, 1), Window.of(1)),
    *samples("one-position", 3, (130, 127), (1, 1), Window.of(1)),  # several tiles
    *samples("single-pixel-padded", 1, (2, 2), (1, 1), Window.of(3, 1, 1)),
    *samples("only-padding", 1, (2, 2), (1, 2), Window.of(2, 2, ((2, 2), (2, 2)))),
    *samples("whole-plane", 2, (3, 4), (4, 6), Window.of((4, 6))),
    *samples("empty-batch", 0, (3, 2), (4, 5), Window.of(3, 1, 1)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    geometry, groups = draw(geometries()), draw(st.integers(1, 2))
    channels = (groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)))
    rows = samples(
        "drawn",
        draw(st.integers(1, 2)),
        channels,
        geometry.size,
        geometry.window,
        groups,
        draw(st.booleans()),
    )
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _backward_input(grad_output, weight, input_shape, window, groups):
    x = np.zeros(input_shape, weight.dtype)
    return torch_conv2d_gradients(grad_output, x, weight, window, groups)[0]


def _backward_weight(grad_output, x, window, groups):
    weight = np.zeros((grad_output.shape[1], x.shape[1] // groups, *window.kernel), x.dtype)
    return torch_conv2d_gradients(grad_output, x, weight, window, groups)[1]


def _backward_bias(grad_output):
    """Any convolution has this gradient: a pointwise one with one channel in."""
    outputs = grad_output.shape[1]
    x = np.zeros((grad_output.shape[0], 1, *grad_output.shape[2:]), grad_output.dtype)
    weight = np.zeros((outputs, 1, 1, 1), grad_output.dtype)
    return torch_conv2d_gradients(grad_output, x, weight, Window.of(1), 1)[2]


def _prepare_weight(weight, input_shape, window, groups):
    """What it is prepared from is all that PyTorch can say about it."""
    return weight.copy()


def _forward_prepared(x, prepared: PreparedWeight, bias, window, groups, activation):
    from torch.nn import functional

    from tests.torch_bridge import to_torch

    y = torch_conv2d(x, prepared.weight, bias, window, groups)
    return y if activation is None else getattr(functional, activation)(to_torch(y)).numpy()


ORACLES = {
    "conv2d_forward_prepared": _forward_prepared,
    "conv2d_prepare_weight": _prepare_weight,
    "conv2d_forward": torch_conv2d,
    "conv2d_backward_input": _backward_input,
    "conv2d_backward_weight": _backward_weight,
    "conv2d_backward_bias": _backward_bias,
}
