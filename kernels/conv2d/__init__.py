"""Two-dimensional convolution: the contracts of its forward pass, cold and on a prepared weight, and of its
three gradients.

As everywhere in deep learning the kernel is not flipped: this is cross-correlation.

Sources: LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998),
section II.A; groups: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
neural networks", NIPS 2012, section 3.2; dilation: Yu and Koltun, "Multi-scale context aggregation by
dilated convolutions", ICLR 2016, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import (
    Array,
    Shape4,
    check_floating,
    check_floating_or_half,
    check_rank,
    check_shape,
    input_shape4,
)
from kernels.convolution import (
    check_bias,
    check_channels,
    check_groups,
    check_planes,
    check_weight,
    check_window,
)
from kernels.prepared import PreparedWeight, check_activation, check_prepared
from kernels.registry import dispatch, on_device
from kernels.window import Window

__all__ = [
    "conv2d_backward_bias",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_forward",
    "conv2d_forward_prepared",
    "conv2d_prepare_weight",
]


def conv2d_forward(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """Return the convolution of x with the weight, plus the bias.

        y[n, o, i, j] = b[o]
            + sum_{c, p, q} w[o, c, p, q] x[n, g C + c, i SH + p DH - top, j SW + q DW - left]

    where g = o // (O / G) is the group of output channel o, C = C_in / G the channels of a group, and x is
    zero outside its planes.

    Shapes: x (N, C_in, H, W), weight (O, C_in / G, KH, KW), bias (O,) or None; result (N, O, OH, OW) with
        (OH, OW) = window.output_size((H, W)).
    Dtypes: float16, float32, float64 or complex128, the same for all; the result's too. Halves are summed in
        float32 and rounded once.
    Edge contract: N may be 0; every other size is at least 1. Trailing rows and columns that no window
        reaches do not count.

    Args:
        x: the input planes.
        weight: one filter per output channel.
        bias: added to every position of its channel.
        window: kernel (the weight's), stride, padding (may be asymmetric), dilation.
        groups: into how many groups G the channels fall; group g of the output sees group g of the input.

    Raises:
        ValueError: a rank, shape, kernel or channel count other than above, groups that do not divide the
            channels, ceil mode, or padded planes smaller than the window.
        TypeError: another dtype, mixed dtypes, groups that are not an integer, or no Window.
    """
    check_floating_or_half(x=x, weight=weight, bias=bias)
    check_planes("x", x)
    check_weight(weight, groups)
    check_window(window, weight.shape[2:])
    check_channels("x", x, weight.shape[1] * groups, weight, groups)
    check_bias(bias, weight.shape[0])
    window.output_size(x.shape[2:])
    return dispatch(conv2d_forward, x, weight, bias, window, groups)


def conv2d_prepare_weight(
    weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> PreparedWeight:
    """Return the weight in the form in which `conv2d_forward_prepared` wants it; a weight is prepared once.

    Shapes: weight (O, C_in / G, KH, KW); `input_shape` = (N, C_in, H, W) of the inputs to come.
    Dtypes: float32, float64 or complex128.
    Edge contract: `input_shape` only decides which version is the best; the result runs on inputs of any
        batch, height and width. The result keeps the weight, not a copy: who changes its elements
        has to prepare it again.

    Raises:
        ValueError, TypeError: as `conv2d_forward`; no x of `input_shape` could be convolved.
    """
    check_floating(analytic=True, weight=weight)
    check_weight(weight, groups)
    check_window(window, weight.shape[2:])
    shape = _check_input_shape(input_shape, weight, groups)
    window.output_size(shape[2:])
    return dispatch(conv2d_prepare_weight, weight, shape, window, groups)


def conv2d_forward_prepared(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    """Return the activation of the convolution of x with a prepared weight, plus the bias.

        y = f(conv2d_forward(x, w, b, window, groups)), f the activation or nothing

    Shapes: as `conv2d_forward`, with the weight that was prepared.
    Dtypes: float32, float64 or complex128, with an activation not complex128; the same for all.
    Edge contract: as `conv2d_forward` and the activation. The version that prepared the weight runs; where
        another backend is selected, it runs on the weight as it was given.

    Args:
        x: the input planes.
        prepared: what `conv2d_prepare_weight` made for the same window and groups.
        bias: added to every position of its channel.
        window: as for `conv2d_forward`.
        groups: as for `conv2d_forward`.
        activation: a name out of `kernels.prepared.ACTIVATIONS`, or None.

    Raises:
        ValueError, TypeError: as `conv2d_forward`; a weight prepared for another window, other groups or
            another operation; an unknown activation; x and the weight in memory of different devices.
    """
    check_activation(activation)
    if not _was_accepted(x, prepared, bias, window, groups):
        check_window(window)
        check_prepared(prepared, "conv2d", window=window, groups=groups)
        weight = prepared.weight
        on_device((x, weight, bias))  # refuses a mix
        check_floating(analytic=activation is None, x=x, prepared=weight, bias=bias)
        check_planes("x", x)
        check_channels("x", x, weight.shape[1] * groups, weight, groups)
        check_bias(bias, weight.shape[0])
        window.output_size(x.shape[2:])
        if weight.dtype.kind == "f":  # whether other numbers are welcome depends on the activation
            prepared.accept(x.shape)
    return dispatch(conv2d_forward_prepared, x, prepared, bias, window, groups, activation)


def _was_accepted(
    x: Array, prepared: PreparedWeight, bias: Array | None, window: Window, groups: int
) -> bool:
    """Whether a call like this one has passed all checks, which take as long as a small layer's kernel."""
    if type(prepared) is not PreparedWeight or type(window) is not Window:
        return False
    if prepared.settings != (window, groups):
        return False
    weight = prepared.weight
    kind, dtype = type(weight), weight.dtype
    return (
        type(x) is kind
        and x.dtype is dtype
        and x.shape in prepared.accepted
        and (
            bias is None or (type(bias) is kind and bias.dtype is dtype and bias.shape == (weight.shape[0],))
        )
    )


def conv2d_backward_input(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """Return the gradient with respect to x: every output sends its gradient back over its patch.

        dx[n, g C + c, h, w] = sum dy[n, o, i, j] w[o, c, p, q]
            over all o of group g and all (i, p), (j, q) with i SH + p DH - top = h, j SW + q DW - left = w

    Shapes: grad_output (N, O, OH, OW), weight (O, C_in / G, KH, KW); result `input_shape` = (N, C_in, H, W).
    Dtypes: as `conv2d_forward`.
    Edge contract: N may be 0; elements that no window reaches get 0.

    Raises:
        ValueError, TypeError: as `conv2d_forward`; `input_shape` is not the shape of an x that gives this
            grad_output.
    """
    check_floating_or_half(grad_output=grad_output, weight=weight)
    check_rank("grad_output", grad_output, 4)
    check_weight(weight, groups)
    check_window(window, weight.shape[2:])
    shape = _check_input_shape(input_shape, weight, groups)
    check_shape("grad_output", grad_output, (shape[0], weight.shape[0], *window.output_size(shape[2:])))
    return dispatch(conv2d_backward_input, grad_output, weight, shape, window, groups)


def conv2d_backward_weight(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """Return the gradient with respect to the weight: every output adds its patch, times its gradient.

        dw[o, c, p, q] = sum_{n, i, j} dy[n, o, i, j] x[n, g C + c, i SH + p DH - top, j SW + q DW - left]

    Shapes: grad_output (N, O, OH, OW), x (N, C_in, H, W); result (O, C_in / G, KH, KW) with the
        window's kernel.
    Dtypes: as `conv2d_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError, TypeError: as `conv2d_forward`; grad_output is not shaped as an output of x.
    """
    check_floating_or_half(grad_output=grad_output, x=x)
    check_planes("x", x)
    check_planes("grad_output", grad_output)
    check_window(window)
    check_groups("x", x.shape[1], groups)
    check_groups("grad_output", grad_output.shape[1], groups)
    check_shape(
        "grad_output",
        grad_output,
        (x.shape[0], grad_output.shape[1], *window.output_size(x.shape[2:])),
    )
    return dispatch(conv2d_backward_weight, grad_output, x, window, groups)


def conv2d_backward_bias(grad_output: Array) -> Array:
    """Return the gradient with respect to the bias: db[o] = sum_{n, i, j} dy[n, o, i, j].

    Shapes: grad_output (N, O, OH, OW); result (O,).
    Dtypes: as `conv2d_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError: another rank, or no channels, rows or columns.
        TypeError: another dtype.
    """
    check_floating_or_half(grad_output=grad_output)
    check_planes("grad_output", grad_output)
    return dispatch(conv2d_backward_bias, grad_output)


def _check_input_shape(input_shape: Sequence[int], weight: Array, groups: int) -> Shape4:
    """Return `input_shape` as four ints; it must have planes, and the channels that the weight works on."""
    batch, channels, height, width = input_shape4(input_shape)
    if channels != weight.shape[1] * groups:
        raise ValueError(
            f"input_shape has {channels} channels but weight {tuple(weight.shape)} with groups={groups} "
            f"needs {weight.shape[1] * groups}"
        )
    if min(height, width) < 1:
        raise ValueError(f"input_shape must have a positive height and width, got {tuple(input_shape)}")
    return batch, channels, height, width
