"""Samples of the transposed convolution's kernels."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from kernels.window import Pair, Window
from tests.kernels.conv2d.samples import ORACLES as CONV2D_ORACLES
from tests.kernels.convolution import torch_conv_transpose2d, torch_conv_transpose2d_gradients
from tests.kernels.sample import Sample


def samples(
    label: str,
    batch: int,
    channels: Pair,
    size: Pair,
    window: Window,
    output_padding: Pair = (0, 0),
    groups: int = 1,
    bias: bool = True,
) -> list[Sample]:
    """All directions of one configuration; `channels` are (in, out)."""
    inputs, outputs = channels
    weight = (inputs, outputs // groups, *window.kernel)
    result = window.transposed_output_size(size, output_padding)
    taps = window.kernel[0] * window.kernel[1]
    x, y = (batch, inputs, *size), (batch, outputs, *result)
    return [
        Sample(
            "conv_transpose2d_forward",
            label,
            lambda draw: (
                draw.normal(*x),
                draw.normal(*weight),
                draw.normal(outputs) if bias else None,
                window,
                groups,
                output_padding,
            ),
            reduction_length=inputs // groups * taps + 1,
        ),
        Sample(
            "conv_transpose2d_backward_input",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*weight), x, window, groups),
            reduction_length=weight[1] * taps,
        ),
        Sample(
            "conv_transpose2d_backward_weight",
            label,
            lambda draw: (draw.normal(*y), draw.normal(*x), window, groups),
            reduction_length=batch * size[0] * size[1],
        ),
        Sample(
            "conv_transpose2d_backward_bias",
            label,
            lambda draw: (draw.normal(*y),),
            reduction_length=batch * result[0] * result[1],
        ),
    ]


SAMPLES = [
    *samples("plain", 2, (3, 4), (4, 4), Window.of(3)),
    *samples("odd", 2, (3, 5), (3, 4), Window.of((3, 2), (2, 3), (1, 0))),
    *samples("asymmetric", 2, (2, 3), (4, 3), Window.of((2, 4), (1, 2), ((0, 1), (3, 1)))),
    *samples("dilated", 1, (2, 3), (4, 3), Window.of((3, 2), (1, 2), (2, 1), (2, 3))),
    *samples("output-padding", 2, (2, 3), (3, 4), Window.of((3, 2), (2, 3), (1, 0)), (1, 2)),
    *samples("output-padding-by-dilation", 1, (2, 2), (3, 4), Window.of(2, 1, 0, (3, 2)), (2, 1)),
    *samples("stride-above-kernel", 1, (2, 2), (3, 2), Window.of((1, 2), (3, 4)), (2, 1)),
    *samples("groups", 2, (4, 6), (3, 4), Window.of((2, 3), 2, 1), (0, 1), groups=2),
    *samples("depthwise", 1, (3, 3), (4, 3), Window.of(4, 2, 1), groups=3),
    *samples("pointwise", 3, (4, 3), (3, 5), Window.of(1)),
    *samples("no-bias", 1, (2, 3), (3, 3), Window.of(2, 2), bias=False),
    *samples("one-channel", 1, (1, 1), (4, 3), Window.of(2)),
    *samples("single-pixel", 2, (3, 2), (1, 1), Window.of((3, 2))),
    *samples("empty-batch", 0, (3, 2), (4, 5), Window.of(3, 2, 1)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    """Padding below the extent and sizes from there on: the result is never empty."""
    small = st.integers(1, 3)
    kernel, stride = draw(st.tuples(small, small)), draw(st.tuples(small, small))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * 2))
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    befores = [draw(st.integers(0, extent - 1)) for extent in extents]
    afters = [draw(st.integers(0, extent - 1 - b)) for extent, b in zip(extents, befores, strict=True)]
    window = Window.of(kernel, stride, tuple(zip(befores, afters, strict=True)), dilation)
    output_padding = tuple(draw(st.integers(0, max(pair) - 1)) for pair in zip(stride, dilation, strict=True))
    groups = draw(st.integers(1, 2))
    rows = samples(
        "drawn",
        draw(st.integers(1, 2)),
        (groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))),
        draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        window,
        output_padding,
        groups,
        draw(st.booleans()),
    )
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _backward_input(grad_output, weight, input_shape, window, groups):
    x = np.zeros(input_shape, weight.dtype)
    return torch_conv_transpose2d_gradients(grad_output, x, weight, window, groups)[0]


def _backward_weight(grad_output, x, window, groups):
    weight = np.zeros((x.shape[1], grad_output.shape[1] // groups, *window.kernel), x.dtype)
    return torch_conv_transpose2d_gradients(grad_output, x, weight, window, groups)[1]


ORACLES = {
    "conv_transpose2d_forward": torch_conv_transpose2d,
    "conv_transpose2d_backward_input": _backward_input,
    "conv_transpose2d_backward_weight": _backward_weight,
    "conv_transpose2d_backward_bias": CONV2D_ORACLES["conv2d_backward_bias"],
}
