"""The parametric rectifier in NumPy: the definition in loops, and whole arrays."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.prelu import prelu_backward_input, prelu_backward_slope, prelu_forward
from kernels.registry import implements


@implements(prelu_forward, "loops", "the definition, one element after the other")
def prelu_forward_loops(x: Array, slope: Array) -> Array:
    """y = x where x > 0, else a[c] x."""
    y = np.empty(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        channel = index[1]
        y[index] = x[index] if x[index] > 0 else slope[channel] * x[index]
    return y


@implements(prelu_backward_input, "loops", "the definition, one element after the other")
def prelu_backward_input_loops(grad_output: Array, x: Array, slope: Array) -> Array:
    """dx = dy where x > 0, else a[c] dy."""
    grad_x = np.empty(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        grad_x[index] = grad_output[index] if x[index] > 0 else slope[index[1]] * grad_output[index]
    return grad_x


@implements(prelu_backward_slope, "loops", "the definition: every element on the left adds its share")
def prelu_backward_slope_loops(grad_output: Array, x: Array) -> Array:
    """da[c] += dy x where not x > 0."""
    total = np.zeros(x.shape[1])
    for index in np.ndindex(x.shape):
        if not x[index] > 0:
            total[index[1]] += np.float64(grad_output[index]) * np.float64(x[index])
    return total.astype(x.dtype)


@implements(prelu_forward, "vectorized", "one choice over the whole array")
def prelu_forward_vectorized(x: Array, slope: Array) -> Array:
    """The same for all elements at once."""
    return np.where(x > 0, x, _by_channel(slope, x) * x)


@implements(prelu_backward_input, "vectorized", "one choice over the whole array")
def prelu_backward_input_vectorized(grad_output: Array, x: Array, slope: Array) -> Array:
    """The same for all elements at once."""
    return np.where(x > 0, grad_output, _by_channel(slope, x) * grad_output)


@implements(prelu_backward_slope, "vectorized", "one product and one sum over all axes but C")
def prelu_backward_slope_vectorized(grad_output: Array, x: Array) -> Array:
    """The same sums for all channels at once."""
    products = np.where(x > 0, 0, grad_output.astype(np.float64) * x)  # (N, C, *spatial)
    total: Array = products.sum(axis=(0, *range(2, x.ndim)))  # (C,)
    return total.astype(x.dtype)


def _by_channel(slope: Array, x: Array) -> Array:
    """(C,) as (C, 1, ...), so that it meets axis 1 of x."""
    return slope.reshape(-1, *[1] * (x.ndim - 2))
