"""The fully connected layer as a function."""

from __future__ import annotations

import math
from typing import Any

from kernels.array import Array, check_shape
from kernels.linear import (
    linear_backward_bias,
    linear_backward_input,
    linear_backward_weight,
    linear_forward,
)
from minidnn.autograd import Function
from minidnn.functional.mixed_precision import in_half, wanted_in_half
from minidnn.tensor import Tensor, apply, as_tensor


class Linear(Function):
    """y = x w^T + b over the last axis; dx = dy w, dw = dy^T x, db = sum of dy over the other axes."""

    new_gradients = True

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Flatten the leading axes to rows and multiply once."""
        self.save(x, weight)
        y = linear_forward(_rows(x), _rows(weight), None if bias is None else bias.reshape(-1))
        return y.reshape(x.shape[:-1] + weight.shape[:-1])

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        """One matrix product each for the input and the weight."""
        x, weight = self.saved
        rows, matrix = _rows(x), _rows(weight)
        grad = grad_output.reshape(len(rows), len(matrix))  # (N, O)
        return (
            linear_backward_input(grad, matrix).reshape(x.shape) if self.needs[0] else None,
            linear_backward_weight(grad, rows).reshape(weight.shape) if self.needs[1] else None,
            linear_backward_bias(grad).reshape(weight.shape[:-1]) if self.needs[2] else None,
        )


def _rows(array: Array) -> Array:
    """Return (..., I) as (N, I)."""
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return x weight^T + bias over the last axis.

        y[..., o] = b[o] + sum_i x[..., i] w[o, i]

    Shapes: x (..., I), weight (O, I), bias (O,) or None; result (..., O). A weight (I,) with a bias
        of shape () is a single output without an axis: result (...).
    Dtypes: float16, float32 or float64, the same for all; float32 in `amp.autocast` is computed as float16.

    Raises:
        ValueError: no axes in x, a weight of another rank, features that differ, or a misshapen bias.
        TypeError: another dtype, or mixed dtypes.

    Source: PyTorch's definition, torch.nn.functional.linear.
    """
    x, weight = as_tensor(x), as_tensor(weight, name="weight")
    if x.ndim < 1:
        raise ValueError(f"x must have at least 1 dimension, got shape {x.shape}")
    if weight.ndim not in (1, 2):
        raise ValueError(f"weight must have 1 or 2 dimensions, got shape {weight.shape}")
    if bias is not None:
        bias = as_tensor(bias, name="bias")
        check_shape("bias", bias._array, weight.shape[:-1])
    if wanted_in_half(x, weight, bias):
        return in_half(linear, x, weight, bias)
    return apply(Linear(), x, weight, bias)
