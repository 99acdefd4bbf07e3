"""Samples of the locally connected layer's kernels."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from kernels.window import Pair, Window
from tests.kernels.convolution import geometries
from tests.kernels.sample import Sample


def samples(
    label: str, batch: int, channels: Pair, size: Pair, window: Window, bias: bool = True
) -> list[Sample]:
    """All directions of one configuration; `channels` are (in, out)."""
    inputs, outputs = channels
    positions = window.output_size(size)
    weight = (*positions, outputs, inputs, *window.kernel)
    x, y = (batch, inputs, *size), (batch, outputs, *positions)
    taps = window.kernel[0] * window.kernel[1]
    return [
        Sample(
            "locally_connected2d_forward",
            label,
            lambda draw: (
                draw.normal(*x),
                draw.normal(*weight),
                draw.normal(outputs, *positions) if bias else None,
                window,
            ),
            reduction_length=inputs * taps + 1,
        ),
        Sample(
            "locally_connected2d_backward_input",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*weight), x, window),
            reduction_length=outputs * taps,
        ),
        Sample(
            "locally_connected2d_backward_weight",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*x), window),
            reduction_length=max(batch, 1),
        ),
        Sample(
            "locally_connected2d_backward_bias",
            label,
            lambda draw: (draw.normal(*y),),
            reduction_length=max(batch, 1),
        ),
    ]


SAMPLES = [
    *samples("plain", 2, (3, 4), (5, 5), Window.of(3)),
    *samples("odd", 2, (3, 5), (7, 4), Window.of((3, 2), (2, 1), (1, 0))),
    *samples("asymmetric", 2, (2, 3), (5, 6), Window.of((2, 3), (1, 2), ((0, 2), (3, 1)))),
    *samples("dilated", 1, (2, 3), (8, 7), Window.of((3, 2), (1, 2), (2, 1), (2, 3))),
    *samples("ragged", 2, (2, 2), (8, 10), Window.of(3, 3)),
    *samples("stride-above-kernel", 2, (2, 3), (7, 9), Window.of((1, 2), (3, 4))),
    *samples("pointwise", 3, (4, 3), (3, 5), Window.of(1)),
    *samples("no-bias", 1, (2, 3), (4, 4), Window.of(2), bias=False),
    *samples("one-channel", 1, (1, 1), (4, 3), Window.of(2)),
    *samples("single-pixel", 2, (3, 2), (1, 1), Window.of(1)),
    *samples("single-pixel-padded", 1, (2, 2), (1, 1), Window.of(3, 1, 1)),
    *samples("whole-plane", 2, (3, 4), (4, 6), Window.of((4, 6))),
    *samples("empty-batch", 0, (3, 2), (4, 5), Window.of(3, 1, 1)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    geometry, small = draw(geometries()), st.integers(1, 3)
    channels = (draw(small), draw(small))
    rows = samples("drawn", draw(small), channels, geometry.size, geometry.window, draw(st.booleans()))
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _function(window: Window):
    from tests.torch_locally_connected import locally_connected2d

    def run(x, weight, bias):
        return locally_connected2d(x, weight, bias, window.stride, window.padding, window.dilation)

    return run


def _forward(x, weight, bias, window):
    from tests.torch_bridge import to_torch

    arrays = (x, weight, bias)
    return _function(window)(*(None if array is None else to_torch(array) for array in arrays)).numpy()


def _backward(grad_output, x, weight, window):
    from tests.torch_bridge import gradients

    bias = np.zeros(grad_output.shape[1:], grad_output.dtype)
    return gradients(_function(window), (x, weight, bias), grad_output)


def _backward_weight(grad_output, x, window):
    outputs, *positions = grad_output.shape[1:]
    weight = np.zeros((*positions, outputs, x.shape[1], *window.kernel), x.dtype)
    return _backward(grad_output, x, weight, window)[1]


def _backward_bias(grad_output):
    """Any locally connected layer has this gradient: a pointwise one with one channel in."""
    outputs, *positions = grad_output.shape[1:]
    x = np.zeros((grad_output.shape[0], 1, *positions), grad_output.dtype)
    weight = np.zeros((*positions, outputs, 1, 1, 1), grad_output.dtype)
    return _backward(grad_output, x, weight, Window.of(1))[2]


ORACLES = {
    "locally_connected2d_forward": _forward,
    "locally_connected2d_backward_input": lambda dy, w, shape, window: _backward(
        dy, np.zeros(shape, dy.dtype), w, window
    )[0],
    "locally_connected2d_backward_weight": _backward_weight,
    "locally_connected2d_backward_bias": _backward_bias,
}
