"""The fully connected layer: the contracts of its forward pass and of its three gradients."""

from __future__ import annotations

from kernels.array import Array, check_floating_or_half, check_rank, check_shape
from kernels.registry import dispatch

__all__ = ["linear_backward_bias", "linear_backward_input", "linear_backward_weight", "linear_forward"]


def linear_forward(x: Array, weight: Array, bias: Array | None) -> Array:
    """Return x weight^T + bias.

        y[n, o] = b[o] + sum_i x[n, i] w[o, i]

    Shapes: x (N, I), weight (O, I), bias (O,) or None; result (N, O).
    Dtypes: float16, float32, float64 or complex128, the same for all; the result's too. Halves are summed in
        float32 and rounded once.
    Edge contract: N, I and O may be 0; with I = 0 the result is the bias (or zero).

    Raises:
        ValueError: a rank or shape other than above.
        TypeError: another dtype, or mixed dtypes.
    """
    check_floating_or_half(x=x, weight=weight, bias=bias)
    check_rank("x", x, 2)
    check_rank("weight", weight, 2)
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x has {x.shape[1]} features but weight {weight.shape} needs {weight.shape[1]}")
    if bias is not None:
        check_shape("bias", bias, weight.shape[:1])
    return dispatch(linear_forward, x, weight, bias)


def linear_backward_input(grad_output: Array, weight: Array) -> Array:
    """Return the gradient with respect to x: dx[n, i] = sum_o dy[n, o] w[o, i].

    Shapes: grad_output (N, O), weight (O, I); result (N, I).
    Dtypes: as `linear_forward`.
    Edge contract: with O = 0 the result is zero.

    Raises:
        ValueError, TypeError: as `linear_forward`.
    """
    check_floating_or_half(grad_output=grad_output, weight=weight)
    check_rank("weight", weight, 2)
    check_rank("grad_output", grad_output, 2)
    check_shape("grad_output", grad_output, (grad_output.shape[0], weight.shape[0]))
    return dispatch(linear_backward_input, grad_output, weight)


def linear_backward_weight(grad_output: Array, x: Array) -> Array:
    """Return the gradient with respect to the weight: dw[o, i] = sum_n dy[n, o] x[n, i].

    Shapes: grad_output (N, O), x (N, I); result (O, I).
    Dtypes: as `linear_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError, TypeError: as `linear_forward`.
    """
    check_floating_or_half(grad_output=grad_output, x=x)
    check_rank("x", x, 2)
    check_rank("grad_output", grad_output, 2)
    check_shape("grad_output", grad_output, (x.shape[0], grad_output.shape[1]))
    return dispatch(linear_backward_weight, grad_output, x)


def linear_backward_bias(grad_output: Array) -> Array:
    """Return the gradient with respect to the bias: db[o] = sum_n dy[n, o].

    Shapes: grad_output (N, O); result (O,).
    Dtypes: as `linear_forward`.
    Edge contract: with N = 0 the result is zero.

    Raises:
        ValueError, TypeError: as `linear_forward`.
    """
    check_floating_or_half(grad_output=grad_output)
    check_rank("grad_output", grad_output, 2)
    return dispatch(linear_backward_bias, grad_output)
