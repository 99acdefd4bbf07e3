"""Samples of the depthwise convolution's kernels."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from kernels.prepared import ACTIVATIONS
from kernels.window import Pair, Window
from tests.kernels.conv2d.samples import ORACLES as CONV2D_ORACLES
from tests.kernels.convolution import geometries, torch_conv2d, torch_conv2d_gradients
from tests.kernels.sample import Sample

NAMES = list(ACTIVATIONS)


def samples(
    label: str,
    batch: int,
    channels: int,
    multiplier: int,
    size: Pair,
    window: Window,
    bias: bool = True,
) -> list[Sample]:
    """All directions of one configuration."""
    outputs = channels * multiplier
    weight = (outputs, 1, *window.kernel)
    positions = window.output_size(size)
    taps = window.kernel[0] * window.kernel[1]
    x, y = (batch, channels, *size), (batch, outputs, *positions)
    area = batch * positions[0] * positions[1]
    return [
        Sample(
            "depthwise_conv2d_forward",
            label,
            lambda draw: (
                draw.normal(*x),
                draw.normal(*weight),
                draw.normal(outputs) if bias else None,
                window,
            ),
            reduction_length=taps + 1,
        ),
        Sample(
            "depthwise_conv2d_forward_activated",
            label,
            lambda draw: (
                draw.normal(*x),
                draw.normal(*weight),
                draw.normal(outputs) if bias else None,
                window,
                NAMES[len(label) % len(NAMES)],
            ),
            reduction_length=taps + 1,
        ),
        Sample(
            "depthwise_conv2d_backward_input",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*weight), x, window),
            reduction_length=multiplier * taps,
        ),
        Sample(
            "depthwise_conv2d_backward_weight",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*x), window),
            reduction_length=area,
        ),
        Sample(
            "depthwise_conv2d_backward_bias", label, lambda draw: (draw.normal(*y),), reduction_length=area
        ),
    ]


SAMPLES = [
    # Names of seven lengths: every activation.
    *(row for length in range(7) for row in samples("x" * length, 2, 2, 1, (6, 5), Window.of(3, 1, 1))[:2]),
    *samples("plain", 2, 3, 1, (5, 5), Window.of(3, 1, 1)),
    *samples("odd", 2, 3, 1, (7, 4), Window.of((3, 2), (2, 1), (1, 0))),
    *samples("multiplier", 2, 2, 3, (5, 6), Window.of((2, 3), (1, 2))),
    *samples("asymmetric", 2, 3, 1, (6, 5), Window.of((3, 2), 2, ((0, 1), (2, 1)))),
    *samples("dilated", 1, 2, 2, (8, 7), Window.of((3, 2), (1, 2), (2, 1), (2, 3))),
    *samples("ragged", 2, 2, 1, (8, 10), Window.of(3, 3)),
    *samples("stride-above-kernel", 1, 2, 1, (7, 9), Window.of((1, 2), (3, 4))),
    *samples("no-bias", 1, 3, 1, (4, 4), Window.of(2), bias=False),
    *samples("one-channel", 1, 1, 2, (4, 3), Window.of(2)),
    *samples("single-pixel", 2, 3, 1, (1, 1), Window.of(3, 1, 1)),
    *samples("several-bands", 1, 2, 1, (70, 83), Window.of(3, 1, 1)),
    *samples("several-bands-stride-2", 1, 1, 2, (75, 150), Window.of((5, 3), 2, ((2, 1), (1, 2)))),
    *samples("stride-3-dilated", 1, 2, 1, (23, 37), Window.of((3, 4), (3, 2), 2, (2, 3))),
    *samples("seven-by-seven", 2, 2, 1, (7, 7), Window.of(7, 1, 3)),
    *samples("same-size", 2, 3, 1, (9, 11), Window.of((4, 3), 1, ((1, 2), (2, 2)), (1, 2))),
    *samples("blocks-of-channels", 2, 37, 1, (9, 12), Window.of((3, 2), (2, 1), 1)),
    *samples("five-taps", 1, 19, 1, (11, 33), Window.of(5, 1, 2)),
    *samples("five-taps-seven-wide", 2, 17, 1, (7, 7), Window.of((4, 5), 1, ((1, 2), (2, 2)))),
    *samples("five-taps-stride-2", 1, 18, 1, (31, 26), Window.of((3, 5), 2, (1, 2))),
    *samples("five-taps-stride-2-narrow", 1, 9, 1, (13, 11), Window.of(5, 2, (2, 1))),
    *samples("five-taps-dilated", 1, 3, 1, (13, 24), Window.of(5, (2, 1), 3, (1, 2))),
    *samples("three-taps-stride-2", 2, 3, 1, (21, 38), Window.of(3, 2, ((0, 1), (0, 1)))),
    *samples("five-by-five-stride-2", 1, 3, 1, (18, 41), Window.of(5, 2, ((2, 1), (1, 2)))),
    *samples("fewer-rows-than-taps", 1, 3, 1, (2, 19), Window.of(5, 1, 2)),
    *samples("columns-that-nothing-sees", 1, 5, 1, (8, 14), Window.of((2, 1), 5, ((3, 0), (1, 0)))),
    *samples("wider-than-the-plane", 1, 2, 1, (2, 3), Window.of(5, 1, 4)),
    *samples("empty-batch", 0, 3, 2, (4, 5), Window.of(3, 1, 1)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    geometry, size = draw(geometries()), st.integers(1, 3)
    rows = samples(
        "drawn",
        draw(st.integers(1, 2)),
        draw(size),
        draw(size),
        geometry.size,
        geometry.window,
        draw(st.booleans()),
    )
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _backward_input(grad_output, weight, input_shape, window):
    x = np.zeros(input_shape, weight.dtype)
    return torch_conv2d_gradients(grad_output, x, weight, window, input_shape[1])[0]


def _backward_weight(grad_output, x, window):
    weight = np.zeros((grad_output.shape[1], 1, *window.kernel), x.dtype)
    return torch_conv2d_gradients(grad_output, x, weight, window, x.shape[1])[1]


def _forward_activated(x, weight, bias, window, activation):
    from torch.nn import functional

    from tests.torch_bridge import to_torch

    y = torch_conv2d(x, weight, bias, window, x.shape[1])
    return getattr(functional, activation)(to_torch(y)).numpy()


ORACLES = {
    "depthwise_conv2d_forward_activated": _forward_activated,
    "depthwise_conv2d_forward": lambda x, w, b, window: torch_conv2d(x, w, b, window, x.shape[1]),
    "depthwise_conv2d_backward_input": _backward_input,
    "depthwise_conv2d_backward_weight": _backward_weight,
    "depthwise_conv2d_backward_bias": CONV2D_ORACLES["conv2d_backward_bias"],
}
