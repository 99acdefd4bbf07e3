"""Transposed convolution: the convolution's input gradient as a layer. The contracts of all directions.

As a matrix the convolution maps X to W X; this one maps to W^T X, which enlarges the planes.

Sources: Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional networks", CVPR 2010; Dumoulin and Visin,
"A guide to convolution arithmetic for deep learning", 2016, chapter 4 (output padding: relationship 14).
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_shape, input_shape4
from kernels.convolution import (
    check_bias,
    check_channels,
    check_groups,
    check_planes,
    check_weight,
    check_window,
)
from kernels.registry import dispatch
from kernels.window import Pair, Window, pair

__all__ = [
    "conv_transpose2d_backward_bias",
    "conv_transpose2d_backward_input",
    "conv_transpose2d_backward_weight",
    "conv_transpose2d_forward",
]


def conv_transpose2d_forward(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, output_padding: Pair
) -> Array:
    """Return x spread over patches of the weight's size, overlaps added up, plus the bias.

        y[n, g C + o, h, w] = b[g C + o] + sum x[n, c, i, j] w[c, o, p, q]
            over all c of group g and all (i, p), (j, q) with i SH + p DH - top = h, j SW + q DW - left = w

    where C = C_out / G: what `conv2d_backward_input` computes with x for the output's gradient.

    Shapes: x (N, C_in, H, W), weight (C_in, C_out / G, KH, KW), bias (C_out,) or None; result
        (N, C_out, YH, YW) with (YH, YW) = window.transposed_output_size((H, W), output_padding).
    Dtypes: float32, float64 or complex128, the same for all; the result's too.
    Edge contract: N may be 0; every other size is at least 1. The padding is taken off the result.
        `output_padding` adds rows at the bottom and columns at the right, because a stride above 1 leaves
        open which of several sizes was convolved; what nothing reaches holds the bias.

    Args:
        x: the input planes.
        weight: the filters of every input channel.
        bias: added to every position of its channel.
        window: kernel (the weight's), stride, padding (may be asymmetric), dilation.
        groups: into how many groups G the channels fall; group g of the output sees group g of the input.
        output_padding: rows and columns to add, each below the stride or below the dilation.

    Raises:
        ValueError: a rank, shape, kernel or channel count other than above, groups that do not divide the
            channels, ceil mode, an output padding out of range, or a result without rows or columns.
        TypeError: another dtype, mixed dtypes, a number that is not an integer, or no Window.
    """
    check_floating(analytic=True, x=x, weight=weight, bias=bias)
    check_planes("x", x)
    check_weight(weight, groups)
    check_window(window, weight.shape[2:])
    check_channels("x", x, weight.shape[0], weight, groups)
    check_bias(bias, weight.shape[1] * groups)
    output_padding = check_output_padding(output_padding, window)
    window.transposed_output_size(x.shape[2:], output_padding)
    return dispatch(conv_transpose2d_forward, x, weight, bias, window, groups, output_padding)


def conv_transpose2d_backward_input(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """Return the gradient with respect to x: the convolution of grad_output with the weight.

        dx[n, c, i, j] = sum_{o, p, q} w[c, o, p, q] dy[n, g C + o, i SH + p DH - top, j SW + q DW - left]

    Shapes: grad_output (N, C_out, YH, YW), weight (C_in, C_out / G, KH, KW); result `input_shape` =
        (N, C_in, H, W).
    Dtypes: as `conv_transpose2d_forward`.
    Edge contract: N may be 0; dy is zero outside its planes. The output padding follows from the sizes.

    Raises:
        ValueError, TypeError: as `conv_transpose2d_forward`; `input_shape` is not the shape of an x that
            gives this grad_output with any output padding.
    """
    check_floating(analytic=True, grad_output=grad_output, weight=weight)
    check_planes("grad_output", grad_output)
    check_weight(weight, groups)
    check_window(window, weight.shape[2:])
    check_channels("grad_output", grad_output, weight.shape[1] * groups, weight, groups)
    shape = input_shape4(input_shape)
    if min(shape[2:]) < 1 or shape[1] != weight.shape[0]:
        raise ValueError(
            f"input_shape must have {weight.shape[0]} channels and a positive height and width, "
            f"got {tuple(input_shape)}"
        )
    _check_sizes(grad_output, shape, window)
    return dispatch(conv_transpose2d_backward_input, grad_output, weight, shape, window, groups)


def conv_transpose2d_backward_weight(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """Return the gradient with respect to the weight: every input adds the patch it was spread over.

        dw[c, o, p, q] = sum_{n, i, j} x[n, c, i, j] dy[n, g C + o, i SH + p DH - top, j SW + q DW - left]

    Shapes: grad_output (N, C_out, YH, YW), x (N, C_in, H, W); result (C_in, C_out / G, KH, KW) with the
        window's kernel.
    Dtypes: as `conv_transpose2d_forward`.
    Edge contract: with N = 0 the result is zero; dy is zero outside its planes.

    Raises:
        ValueError, TypeError: as `conv_transpose2d_forward`; grad_output is not shaped as an output of x.
    """
    check_floating(analytic=True, grad_output=grad_output, x=x)
    check_planes("x", x)
    check_planes("grad_output", grad_output)
    check_window(window)
    check_groups("x", x.shape[1], groups)
    check_groups("grad_output", grad_output.shape[1], groups)
    _check_sizes(grad_output, x.shape, window)
    return dispatch(conv_transpose2d_backward_weight, grad_output, x, window, groups)


def conv_transpose2d_backward_bias(grad_output: Array) -> Array:
    """Return the gradient with respect to the bias: db[o] = sum_{n, h, w} dy[n, o, h, w].

    Shapes: grad_output (N, C_out, YH, YW); result (C_out,).
    Dtypes: as `conv_transpose2d_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError: another rank, or no channels, rows or columns.
        TypeError: another dtype.
    """
    check_floating(analytic=True, grad_output=grad_output)
    check_planes("grad_output", grad_output)
    return dispatch(conv_transpose2d_backward_bias, grad_output)


def check_output_padding(output_padding: Pair, window: Window) -> Pair:
    """Return `output_padding` as (rows, columns).

    Raises:
        ValueError: negative, or neither below the stride nor below the dilation of its axis.
        TypeError: not integers.
    """
    rows_and_columns = pair("output_padding", output_padding, minimum=0)
    for axis in (0, 1):
        limit = max(window.stride[axis], window.dilation[axis])
        if rows_and_columns[axis] >= limit:
            raise ValueError(
                f"output_padding must be below the stride {window.stride} or the dilation {window.dilation} "
                f"on each axis, got {rows_and_columns}"
            )
    return rows_and_columns


def _check_sizes(grad_output: Array, input_shape: Sequence[int], window: Window) -> None:
    """Require a grad_output that x of `input_shape` gives with some allowed output padding."""
    room = [
        max(stride, dilation) - 1 for stride, dilation in zip(window.stride, window.dilation, strict=True)
    ]
    # Counted down from the largest: without any output padding nothing may be left.
    largest = window.transposed_output_size(input_shape[2:], (room[0], room[1]))
    smallest = (max(largest[0] - room[0], 1), max(largest[1] - room[1], 1))
    check_shape("grad_output", grad_output, (input_shape[0], *grad_output.shape[1:]))
    height, width = grad_output.shape[2:]
    if not (smallest[0] <= height <= largest[0] and smallest[1] <= width <= largest[1]):
        raise ValueError(
            f"grad_output must have a size from {smallest} to {largest} for an input of shape "
            f"{tuple(input_shape)}, got {(height, width)}"
        )
