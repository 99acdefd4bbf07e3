"""The locally connected layer: a convolution whose filters are not shared between positions.

Every position of the output has filters of its own, so weight[i, j] is what a convolution's weight would be
there. The number of multiplications is the convolution's; the number of weights is OH * OW times as large.

Sources: Gregor and LeCun, "Emergence of complex-like cells in a temporal product network with local receptive
fields", 2010, section 2; Taigman, Yang, Ranzato and Wolf, "DeepFace: closing the gap to human-level
performance in face verification", CVPR 2014, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_rank, check_shape, input_shape4
from kernels.convolution import check_planes, check_window
from kernels.registry import dispatch
from kernels.window import Window

__all__ = [
    "locally_connected2d_backward_bias",
    "locally_connected2d_backward_input",
    "locally_connected2d_backward_weight",
    "locally_connected2d_forward",
]


def locally_connected2d_forward(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Return every position's filters times the patch under them, plus its biases.

        y[n, o, i, j] = b[o, i, j]
            + sum_{c, p, q} w[i, j, o, c, p, q] x[n, c, i SH + p DH - top, j SW + q DW - left]

    where x is zero outside its planes.

    Shapes: x (N, C, H, W), weight (OH, OW, O, C, KH, KW), bias (O, OH, OW) or None; result (N, O, OH, OW)
        with (OH, OW) = window.output_size((H, W)).
    Dtypes: float32, float64 or complex128, the same for all; the result's too.
    Edge contract: N may be 0; every other size is at least 1. Trailing rows and columns that no window
        reaches do not count.

    Args:
        x: the input planes.
        weight: one bank of filters per position.
        bias: one number per output element, or None.
        window: kernel (the weight's), stride, padding (may be asymmetric), dilation.

    Raises:
        ValueError: a rank, shape, kernel or channel count other than above, ceil mode, planes that give
            another number of positions than the weight has, or padded planes smaller than the window.
        TypeError: another dtype, mixed dtypes, or no Window.
    """
    check_floating(analytic=True, x=x, weight=weight, bias=bias)
    check_planes("x", x)
    _check_weight(weight, window, x.shape)
    if bias is not None:
        check_shape("bias", bias, (weight.shape[2], *weight.shape[:2]))
    return dispatch(locally_connected2d_forward, x, weight, bias, window)


def locally_connected2d_backward_input(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """Return the gradient with respect to x: every output sends its gradient back over its patch.

        dx[n, c, h, w] = sum dy[n, o, i, j] w[i, j, o, c, p, q]
            over all o and all (i, p), (j, q) with i SH + p DH - top = h, j SW + q DW - left = w

    Shapes: grad_output (N, O, OH, OW), weight (OH, OW, O, C, KH, KW); result `input_shape` = (N, C, H, W).
    Dtypes: as `locally_connected2d_forward`.
    Edge contract: N may be 0; elements that no window reaches get 0.

    Raises:
        ValueError, TypeError: as `locally_connected2d_forward`; `input_shape` is not the shape of an x that
            gives this grad_output.
    """
    check_floating(analytic=True, grad_output=grad_output, weight=weight)
    check_rank("grad_output", grad_output, 4)
    batch, channels, height, width = shape = input_shape4(input_shape)
    if min(channels, height, width) < 1:
        raise ValueError(f"input_shape must have positive channels, height and width, got {shape}")
    _check_weight(weight, window, shape)
    check_shape("grad_output", grad_output, (batch, weight.shape[2], *weight.shape[:2]))
    return dispatch(locally_connected2d_backward_input, grad_output, weight, shape, window)


def locally_connected2d_backward_weight(grad_output: Array, x: Array, window: Window) -> Array:
    """Return the gradient with respect to the weight: every output's gradient times its patch.

        dw[i, j, o, c, p, q] = sum_n dy[n, o, i, j] x[n, c, i SH + p DH - top, j SW + q DW - left]

    Shapes: grad_output (N, O, OH, OW), x (N, C, H, W); result (OH, OW, O, C, KH, KW) with the window's
        kernel.
    Dtypes: as `locally_connected2d_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError, TypeError: as `locally_connected2d_forward`; grad_output is not shaped as an output of x.
    """
    check_floating(analytic=True, grad_output=grad_output, x=x)
    check_planes("x", x)
    check_planes("grad_output", grad_output)
    check_window(window)
    positions = window.output_size(x.shape[2:])
    check_shape("grad_output", grad_output, (x.shape[0], grad_output.shape[1], *positions))
    return dispatch(locally_connected2d_backward_weight, grad_output, x, window)


def locally_connected2d_backward_bias(grad_output: Array) -> Array:
    """Return the gradient with respect to the bias: db[o, i, j] = sum_n dy[n, o, i, j].

    Shapes: grad_output (N, O, OH, OW); result (O, OH, OW).
    Dtypes: as `locally_connected2d_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError: another rank, or no channels, rows or columns.
        TypeError: another dtype.
    """
    check_floating(analytic=True, grad_output=grad_output)
    check_planes("grad_output", grad_output)
    return dispatch(locally_connected2d_backward_bias, grad_output)


def _check_weight(weight: Array, window: Window, shape: Sequence[int]) -> None:
    """Require a weight that belongs to the window and to x of `shape` (N, C, H, W)."""
    check_rank("weight", weight, 6)
    if min(weight.shape) < 1:
        raise ValueError(f"weight must not be empty, got shape {tuple(weight.shape)}")
    check_window(window, weight.shape[4:])
    if shape[1] != weight.shape[3]:
        raise ValueError(
            f"x has {shape[1]} channels but weight {tuple(weight.shape)} needs {weight.shape[3]}"
        )
    positions = window.output_size(shape[2:])
    if positions != weight.shape[:2]:
        raise ValueError(
            f"x of height and width {tuple(shape[2:])} has {positions} positions "
            f"but weight {tuple(weight.shape)} is for {weight.shape[:2]}"
        )
