"""The fully connected layer in NumPy: the definition in loops, and one matrix product per direction."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.half import in_single_precision
from kernels.linear import (
    linear_backward_bias,
    linear_backward_input,
    linear_backward_weight,
    linear_forward,
)
from kernels.registry import implements
from kernels.threads import matrix_product


@implements(linear_forward, "loops", "the definition: one dot product per output")
@in_single_precision
def linear_forward_loops(x: Array, weight: Array, bias: Array | None) -> Array:
    """y[n, o] = b[o] + sum_i x[n, i] w[o, i]."""
    batch, outputs = x.shape[0], weight.shape[0]
    y = np.zeros((batch, outputs), x.dtype)
    for n in range(batch):
        for o in range(outputs):
            for i in range(x.shape[1]):
                y[n, o] += x[n, i] * weight[o, i]
            if bias is not None:
                y[n, o] += bias[o]
    return y


@implements(linear_forward, "matmul", "one matrix product for the whole batch")
@in_single_precision
def linear_forward_matmul(x: Array, weight: Array, bias: Array | None) -> Array:
    """Y = X W^T + b."""
    y = matrix_product(x, weight.T)  # (N, I) @ (I, O) -> (N, O)
    if bias is not None:
        y += bias
    return y


@implements(linear_backward_input, "loops", "the definition: every output hands its gradient back")
@in_single_precision
def linear_backward_input_loops(grad_output: Array, weight: Array) -> Array:
    """dx[n, i] = sum_o dy[n, o] w[o, i]."""
    (batch, outputs), inputs = grad_output.shape, weight.shape[1]
    grad_x = np.zeros((batch, inputs), grad_output.dtype)
    for n in range(batch):
        for o in range(outputs):
            for i in range(inputs):
                grad_x[n, i] += grad_output[n, o] * weight[o, i]
    return grad_x


@implements(linear_backward_input, "matmul", "one matrix product")
@in_single_precision
def linear_backward_input_matmul(grad_output: Array, weight: Array) -> Array:
    """dX = dY W."""
    return matrix_product(grad_output, weight)  # (N, O) @ (O, I) -> (N, I)


@implements(linear_backward_weight, "loops", "the definition: every sample adds its outer product")
@in_single_precision
def linear_backward_weight_loops(grad_output: Array, x: Array) -> Array:
    """dw[o, i] = sum_n dy[n, o] x[n, i]."""
    (batch, outputs), inputs = grad_output.shape, x.shape[1]
    grad_weight = np.zeros((outputs, inputs), x.dtype)
    for n in range(batch):
        for o in range(outputs):
            for i in range(inputs):
                grad_weight[o, i] += grad_output[n, o] * x[n, i]
    return grad_weight


@implements(linear_backward_weight, "matmul", "one matrix product")
@in_single_precision
def linear_backward_weight_matmul(grad_output: Array, x: Array) -> Array:
    """dW = dY^T X."""
    return matrix_product(grad_output.T, x)  # (O, N) @ (N, I) -> (O, I)


@implements(linear_backward_bias, "loops", "the definition: a sum over the batch")
@in_single_precision
def linear_backward_bias_loops(grad_output: Array) -> Array:
    """db[o] = sum_n dy[n, o]."""
    grad_bias = np.zeros(grad_output.shape[1], grad_output.dtype)
    for row in grad_output:
        grad_bias += row
    return grad_bias


@implements(linear_backward_bias, "vectorized", "one reduction")
@in_single_precision
def linear_backward_bias_vectorized(grad_output: Array) -> Array:
    """db = sum over the batch axis."""
    total: Array = grad_output.sum(axis=0)
    return total
