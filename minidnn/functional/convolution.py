"""Convolution and transposed convolution as functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import HALF, Array, check_integer, check_rank
from kernels.conv2d import (
    conv2d_backward_bias,
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
)
from kernels.conv_transpose2d import (
    conv_transpose2d_backward_bias,
    conv_transpose2d_backward_input,
    conv_transpose2d_backward_weight,
    conv_transpose2d_forward,
)
from kernels.depthwise_conv2d import (
    depthwise_conv2d_backward_bias,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
    depthwise_conv2d_forward,
)
from kernels.prepared import PreparedWeight
from kernels.registry import selection
from kernels.window import Pair, Window, pair, same_padding
from minidnn.autograd import Function
from minidnn.functional.mixed_precision import in_half, wanted_in_half
from minidnn.functional.prepared import prepared_weight
from minidnn.modes import is_grad_enabled
from minidnn.tensor import Tensor, apply, as_tensor


class Conv2d(Function):
    """y = w correlated with x, + b; dx spreads dy over the patches, dw correlates dy with x, db sums dy.

    Where no gradient is wanted it may run on the weight's prepared form.
    """

    new_gradients = True
    prepared: PreparedWeight | None = None

    def __init__(self, window: Window, groups: int) -> None:
        self.window = window
        self.groups = groups

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Convolve (N, C, H, W) with (O, C/G, KH, KW)."""
        if self.prepared is not None:
            return conv2d_forward_prepared(x, self.prepared, bias, self.window, self.groups, None)
        self.save(x, weight)
        return conv2d_forward(x, weight, bias, self.window, self.groups)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """Every output hands its gradient to its patch, its filter and its bias."""
        x, weight = self.saved
        window, groups = self.window, self.groups
        return (
            conv2d_backward_input(grad_output, weight, x.shape, window, groups) if self.needs[0] else None,
            conv2d_backward_weight(grad_output, x, window, groups) if self.needs[1] else None,
            conv2d_backward_bias(grad_output) if self.needs[2] else None,
        )


class DepthwiseConv2d(Function):
    """The convolution whose groups are single channels; the same formulas on thinner kernels."""

    new_gradients = True

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Convolve every channel of (N, C, H, W) with its filters in (C * M, 1, KH, KW)."""
        self.save(x, weight)
        return depthwise_conv2d_forward(x, weight, bias, self.window)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """Every output hands its gradient to its patch, its filter and its bias."""
        x, weight = self.saved
        return (
            depthwise_conv2d_backward_input(grad_output, weight, x.shape, self.window)
            if self.needs[0]
            else None,
            depthwise_conv2d_backward_weight(grad_output, x, self.window) if self.needs[1] else None,
            depthwise_conv2d_backward_bias(grad_output) if self.needs[2] else None,
        )


class ConvTranspose2d(Function):
    """y spreads x over patches, plus b; dx convolves dy with w, dw correlates x with dy, db sums dy."""

    new_gradients = True

    def __init__(self, window: Window, groups: int, output_padding: Pair) -> None:
        self.window = window
        self.groups = groups
        self.output_padding = output_padding

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Spread (N, C, H, W) with (C, O/G, KH, KW)."""
        self.save(x, weight)
        return conv_transpose2d_forward(x, weight, bias, self.window, self.groups, self.output_padding)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """Every input gathers from the patch it was spread over."""
        x, weight = self.saved
        window, groups = self.window, self.groups
        return (
            conv_transpose2d_backward_input(grad_output, weight, x.shape, window, groups)
            if self.needs[0]
            else None,
            conv_transpose2d_backward_weight(grad_output, x, window, groups) if self.needs[1] else None,
            conv_transpose2d_backward_bias(grad_output) if self.needs[2] else None,
        )


def convolution_window(kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Window:
    """Return the Window of a convolution's arguments; `padding` may be "same" or "valid".

    Raises:
        ValueError: another string, "same" with a stride above 1, a size below 1, a negative padding.
        TypeError: a size that is not an integer.
    """
    if not isinstance(padding, str):
        return Window.of(kernel_size, stride, padding, dilation)
    if padding not in ("same", "valid"):
        raise ValueError(f"padding must be integers, 'same' or 'valid', got {padding!r}")
    window = Window.of(kernel_size, stride, 0, dilation)
    if padding == "valid":
        return window
    if window.stride != (1, 1):
        raise ValueError(f"padding='same' needs a stride of 1, got stride {window.stride}")
    return Window.of(kernel_size, stride, same_padding(window.kernel, window.dilation), dilation)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the two-dimensional convolution (cross-correlation) of x with the weight, plus the bias.

        y[n, o, i, j] = b[o] + sum_{c, p, q} w[o, c, p, q] x[n, g C + c, i SH + p DH - PH, j SW + q DW - PW]

    with C = C_in / groups channels per group, g the group of output channel o, and x zero outside its planes.
    Calls with one channel per group (groups = C_in > 1) run on the depthwise kernels. While no gradients are
    recorded, the weight's prepared form is kept with the tensor and used until the weight is changed.

    Shapes: x (N, C_in, H, W) or (C_in, H, W), weight (O, C_in / groups, KH, KW), bias (O,) or None; result
        (N, O, OH, OW) or (O, OH, OW), OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1.
    Dtypes: float16, float32 or float64, the same for all; float32 in `amp.autocast` is computed as float16.

    Args:
        x: one image or a batch.
        weight: one filter per output channel.
        bias: added to every position of its channel.
        stride: step of the window, an integer or (SH, SW).
        padding: zeros around the planes: an integer, (PH, PW), ((top, bottom), (left, right)), "valid" (none)
            or "same" (the size stays at stride 1; an odd total puts the extra row and column last).
        dilation: distance between taps, an integer or (DH, DW).
        groups: into how many groups the channels fall, each convolved on its own.

    Raises:
        ValueError: a rank, shape or channel count other than above, groups that do not divide the channels,
            a number out of range, or padded planes smaller than the window.
        TypeError: another dtype, mixed dtypes, or a number that is not an integer.

    Source: LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998).
    """
    x, weight = as_tensor(x), as_tensor(weight, name="weight")
    check_rank("x", x._array, 3, 4)
    check_rank("weight", weight._array, 4)  # `data` would hand it out, to be looked over for changes
    shape, weight_shape = x.shape, weight.shape
    if 0 in weight_shape:
        raise ValueError(f"weight must not be empty, got shape {weight_shape}")
    window = convolution_window(weight_shape[2:], stride, padding, dilation)
    groups = check_integer("groups", groups, minimum=1)
    depthwise = 1 < groups == shape[-3] and weight_shape[1] == 1 and weight_shape[0] % groups == 0
    if depthwise:
        return _on_batch(DepthwiseConv2d(window), x, weight, bias)
    if wanted_in_half(x, weight, bias):
        return in_half(conv2d, x, weight, bias, stride, padding, dilation, groups)
    function = Conv2d(window, groups)
    fitting = shape[-3] == weight_shape[1] * groups and 0 not in shape[-3:]
    if fitting and _may_prepare(x, weight, bias):
        batch = shape if len(shape) == 4 else (1, *shape)
        function.prepared = prepared_weight(weight, batch, conv2d_prepare_weight, window, groups)
    return _on_batch(function, x, weight, bias)


def _may_prepare(x: Tensor, weight: Tensor, bias: Any) -> bool:
    """Whether to run on the weight's prepared form, if the shapes fit.

    Not where a gradient will be wanted, nor where a version of the cold convolution is asked for by name, nor
    on a device, whose memory is not looked over for changes; and what does not fit the cold convolution
    refuses, by the arguments' names.
    """
    if is_grad_enabled() and any(getattr(tensor, "requires_grad", False) for tensor in (x, weight, bias)):
        return False
    array, dtype = weight._array, x.dtype
    usable = isinstance(array, np.ndarray) and array.dtype == dtype and dtype != HALF
    return usable and "conv2d_forward" not in selection().versions


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution of x: every element spreads its filters over a patch, plus the bias.

        y[n, g C + o, h, w] = b[g C + o] + sum x[n, c, i, j] w[c, o, p, q]
            over all c of group g and all (i, p), (j, q) with i SH + p DH - PH = h, j SW + q DW - PW = w

    with C = C_out / groups: the gradient of `conv2d` with respect to its input.

    Shapes: x (N, C_in, H, W) or (C_in, H, W), weight (C_in, C_out / groups, KH, KW), bias (C_out,) or None;
        result (N, C_out, YH, YW) or (C_out, YH, YW) with
        YH = (H - 1) SH - 2 PH + DH (KH - 1) + 1 + output_padding.
    Dtypes: float32 or float64, the same for all.

    Args:
        x: one image or a batch.
        weight: the filters of every input channel.
        bias: added to every position of its channel.
        stride: distance between the patches, an integer or (SH, SW).
        padding: rows and columns cut off the result: an integer, (PH, PW) or ((top, bottom), (left, right)).
        output_padding: rows and columns added at the end, each below the stride or the dilation.
        groups: into how many groups the channels fall.
        dilation: distance between taps, an integer or (DH, DW).

    Raises:
        ValueError: a rank, shape or channel count other than above, groups that do not divide the channels,
            a number out of range, or a result without rows or columns.
        TypeError: another dtype, mixed dtypes, or a number that is not an integer.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4.
    """
    x, weight = as_tensor(x), as_tensor(weight, name="weight")
    check_rank("x", x.data, 3, 4)
    check_rank("weight", weight.data, 4)
    if 0 in weight.shape:
        raise ValueError(f"weight must not be empty, got shape {weight.shape}")
    window = Window.of(weight.shape[2:], stride, padding, dilation)
    extra = pair("output_padding", output_padding, minimum=0)
    return _on_batch(ConvTranspose2d(window, groups, extra), x, weight, bias)


def _on_batch(function: Function, x: Tensor, weight: Tensor, bias: Any) -> Tensor:
    """Run on (N, C, H, W); a single image (C, H, W) is a batch of one."""
    bias = None if bias is None else as_tensor(bias, name="bias")
    if x.ndim == 4:
        return apply(function, x, weight, bias)
    y = apply(function, x.reshape((1, *x.shape)), weight, bias)
    return y.reshape(y.shape[1:])
