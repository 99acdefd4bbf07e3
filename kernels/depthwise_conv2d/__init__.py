"""Depthwise convolution: every channel has filters of its own. The contracts of all directions.

It is the convolution with as many groups as input channels; its arithmetic is so thin that memory decides,
hence kernels of its own.

Sources: Sifre, "Rigid-motion scattering for image classification", PhD thesis, 2014, section 6.2; Howard
et al., "MobileNets", 2017, section 3.1. The channel multiplier M is TensorFlow's extension.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_rank, check_shape, input_shape4
from kernels.convolution import check_bias, check_planes, check_weight, check_window
from kernels.prepared import check_activation
from kernels.registry import dispatch
from kernels.window import Window

__all__ = [
    "depthwise_conv2d_backward_bias",
    "depthwise_conv2d_backward_input",
    "depthwise_conv2d_backward_weight",
    "depthwise_conv2d_forward",
    "depthwise_conv2d_forward_activated",
]


def depthwise_conv2d_forward(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Return every channel of x convolved with its M filters, plus the bias.

        y[n, c M + m, i, j] = b[c M + m]
            + sum_{p, q} w[c M + m, 0, p, q] x[n, c, i SH + p DH - top, j SW + q DW - left]

    where x is zero outside its planes. M, the channel multiplier, is the weight's first axis divided by C.

    Shapes: x (N, C, H, W), weight (C * M, 1, KH, KW), bias (C * M,) or None; result (N, C * M, OH, OW) with
        (OH, OW) = window.output_size((H, W)).
    Dtypes: float32, float64 or complex128, the same for all; the result's too.
    Edge contract: N may be 0; every other size is at least 1. Trailing rows and columns that no window
        reaches do not count.

    Raises:
        ValueError: a rank, shape or kernel other than above, ceil mode, or padded planes smaller than the
            window.
        TypeError: another dtype, mixed dtypes, or no Window.
    """
    check_floating(analytic=True, x=x, weight=weight, bias=bias)
    _check_forward(x, weight, bias, window)
    return dispatch(depthwise_conv2d_forward, x, weight, bias, window)


def depthwise_conv2d_forward_activated(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str
) -> Array:
    """Return the activation of every channel of x convolved with its M filters, plus the bias.

        y = f(depthwise_conv2d_forward(x, w, b, window)), f the activation

    Shapes: as `depthwise_conv2d_forward`.
    Dtypes: float32 or float64, the same for all; the result's too.
    Edge contract: as `depthwise_conv2d_forward` and the activation.

    Args:
        x: the input planes.
        weight: M filters for each channel.
        bias: added to every position of its channel.
        window: kernel (the weight's), stride, padding (may be asymmetric), dilation.
        activation: a name out of `kernels.prepared.ACTIVATIONS`.

    Raises:
        ValueError, TypeError: as `depthwise_conv2d_forward`; an unknown activation, or None.
    """
    check_floating(x=x, weight=weight, bias=bias)
    _check_forward(x, weight, bias, window)
    check_activation(activation)
    if activation is None:
        raise ValueError("activation must be a name, got None; depthwise_conv2d_forward does without")
    return dispatch(depthwise_conv2d_forward_activated, x, weight, bias, window, activation)


def depthwise_conv2d_backward_input(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """Return the gradient with respect to x: every output sends its gradient back over its patch.

        dx[n, c, h, w] = sum dy[n, c M + m, i, j] w[c M + m, 0, p, q]
            over all m and all (i, p), (j, q) with i SH + p DH - top = h, j SW + q DW - left = w

    Shapes: grad_output (N, C * M, OH, OW), weight (C * M, 1, KH, KW); result `input_shape` = (N, C, H, W).
    Dtypes: as `depthwise_conv2d_forward`.
    Edge contract: N may be 0; elements that no window reaches get 0.

    Raises:
        ValueError, TypeError: as `depthwise_conv2d_forward`; `input_shape` is not the shape of an x that
            gives this grad_output.
    """
    check_floating(analytic=True, grad_output=grad_output, weight=weight)
    check_rank("grad_output", grad_output, 4)
    batch, channels, height, width = shape = input_shape4(input_shape)
    if min(channels, height, width) < 1:
        raise ValueError(
            f"input_shape must have positive channels, height and width, got {tuple(input_shape)}"
        )
    _check_depthwise(weight, channels, "input_shape")
    check_window(window, weight.shape[2:])
    check_shape("grad_output", grad_output, (batch, weight.shape[0], *window.output_size((height, width))))
    return dispatch(depthwise_conv2d_backward_input, grad_output, weight, shape, window)


def depthwise_conv2d_backward_weight(grad_output: Array, x: Array, window: Window) -> Array:
    """Return the gradient with respect to the weight: every output adds its patch, times its gradient.

        dw[c M + m, 0, p, q] =
            sum_{n, i, j} dy[n, c M + m, i, j] x[n, c, i SH + p DH - top, j SW + q DW - left]

    Shapes: grad_output (N, C * M, OH, OW), x (N, C, H, W); result (C * M, 1, KH, KW) with the
        window's kernel.
    Dtypes: as `depthwise_conv2d_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError, TypeError: as `depthwise_conv2d_forward`; grad_output is not shaped as an output of x.
    """
    check_floating(analytic=True, grad_output=grad_output, x=x)
    check_planes("x", x)
    check_planes("grad_output", grad_output)
    check_window(window)
    if grad_output.shape[1] % x.shape[1]:
        raise ValueError(
            f"grad_output must have a multiple of x's {x.shape[1]} channels, got {grad_output.shape[1]}"
        )
    check_shape(
        "grad_output",
        grad_output,
        (x.shape[0], grad_output.shape[1], *window.output_size(x.shape[2:])),
    )
    return dispatch(depthwise_conv2d_backward_weight, grad_output, x, window)


def depthwise_conv2d_backward_bias(grad_output: Array) -> Array:
    """Return the gradient with respect to the bias: db[o] = sum_{n, i, j} dy[n, o, i, j].

    Shapes: grad_output (N, C * M, OH, OW); result (C * M,).
    Dtypes: as `depthwise_conv2d_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError: another rank, or no channels, rows or columns.
        TypeError: another dtype.
    """
    check_floating(analytic=True, grad_output=grad_output)
    check_planes("grad_output", grad_output)
    return dispatch(depthwise_conv2d_backward_bias, grad_output)


def _check_forward(x: Array, weight: Array, bias: Array | None, window: Window) -> None:
    """Require the shapes of a forward pass."""
    check_planes("x", x)
    _check_depthwise(weight, x.shape[1], "x")
    check_window(window, weight.shape[2:])
    check_bias(bias, weight.shape[0])
    window.output_size(x.shape[2:])


def _check_depthwise(weight: Array, channels: int, name: str) -> None:
    """Require a weight (C * M, 1, KH, KW) for the `channels` C of the argument `name`."""
    check_weight(weight, 1)
    if weight.shape[1] != 1 or weight.shape[0] % channels:
        raise ValueError(
            f"weight must have shape (C * M, 1, KH, KW) for the {channels} channels of {name}, "
            f"got {tuple(weight.shape)}"
        )
