"""The locally connected layer as a function."""

from __future__ import annotations

from typing import Any

from kernels.array import Array, check_rank
from kernels.locally_connected2d import (
    locally_connected2d_backward_bias,
    locally_connected2d_backward_input,
    locally_connected2d_backward_weight,
    locally_connected2d_forward,
)
from kernels.window import Window
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor


class LocallyConnected2d(Function):
    """y = each position's own filters on its patch, + b; dx spreads dy over the patches, dw = dy patch^T."""

    new_gradients = True

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Apply (OH, OW, O, C, KH, KW) to (N, C, H, W)."""
        self.save(x, weight)
        return locally_connected2d_forward(x, weight, bias, self.window)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """Every output hands its gradient to its patch, its filter and its bias."""
        x, weight = self.saved
        return (
            locally_connected2d_backward_input(grad_output, weight, x.shape, self.window)
            if self.needs[0]
            else None,
            locally_connected2d_backward_weight(grad_output, x, self.window) if self.needs[1] else None,
            locally_connected2d_backward_bias(grad_output) if self.needs[2] else None,
        )


def locally_connected2d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Tensor:
    """Return a convolution without weight sharing: every output position has its own filters and biases.

        y[n, o, i, j] = b[o, i, j]
            + sum_{c, p, q} w[i, j, o, c, p, q] x[n, c, i SH + p DH - PH, j SW + q DW - PW]

    with x zero outside its planes.

    Shapes: x (N, C, H, W) or (C, H, W), weight (OH, OW, O, C, KH, KW), bias (O, OH, OW) or None; result
        (N, O, OH, OW) or (O, OH, OW), OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1.
    Dtypes: float32 or float64, the same for all.

    Args:
        x: one image or a batch.
        weight: one bank of filters per position.
        bias: one number per output element.
        stride: step of the window, an integer or (SH, SW).
        padding: zeros around the planes: an integer, (PH, PW) or ((top, bottom), (left, right)).
        dilation: distance between taps, an integer or (DH, DW).

    Raises:
        ValueError: a rank, shape or channel count other than above, planes that give another number of
            positions than the weight has, a number out of range, or padded planes smaller than the window.
        TypeError: another dtype, mixed dtypes, or a number that is not an integer.

    Source: Taigman et al., "DeepFace", CVPR 2014, section 3.1.
    """
    x, weight = as_tensor(x), as_tensor(weight, name="weight")
    check_rank("x", x.data, 3, 4)
    check_rank("weight", weight.data, 6)
    function = LocallyConnected2d(Window.of(weight.shape[4:], stride, padding, dilation))
    bias = None if bias is None else as_tensor(bias, name="bias")
    if x.ndim == 4:
        return apply(function, x, weight, bias)
    y = apply(function, x.reshape((1, *x.shape)), weight, bias)
    return y.reshape(y.shape[1:])
