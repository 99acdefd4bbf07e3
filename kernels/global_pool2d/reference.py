"""Global pooling in NumPy: the definition in loops, and one reduction over the flattened plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array, input_shape4
from kernels.global_pool2d import (
    global_average_pool2d_backward,
    global_average_pool2d_forward,
    global_max_pool2d_backward,
    global_max_pool2d_forward,
)
from kernels.pooling import first_maximum, replaces
from kernels.registry import implements


@implements(global_average_pool2d_forward, "loops", "the definition: sum every plane, divide by its size")
def global_average_pool2d_forward_loops(x: Array) -> Array:
    """y = sum of the plane / (H W)."""
    batch, channels, height, width = x.shape
    y = np.zeros((batch, channels, 1, 1), x.dtype)
    for n, c, h, w in np.ndindex(x.shape):
        y[n, c, 0, 0] += x[n, c, h, w]
    y /= height * width
    return y


@implements(global_average_pool2d_backward, "loops", "the definition: every element receives its share")
def global_average_pool2d_backward_loops(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """dx = dy / (H W)."""
    grad_x = np.empty(input_shape4(input_shape), grad_output.dtype)
    for n, c, h, w in np.ndindex(grad_x.shape):
        grad_x[n, c, h, w] = grad_output[n, c, 0, 0] / (grad_x.shape[2] * grad_x.shape[3])
    return grad_x


@implements(global_max_pool2d_forward, "loops", "the definition: look at every element of every plane")
def global_max_pool2d_forward_loops(x: Array) -> tuple[Array, Array]:
    """The first maximum of each plane."""
    y = x[:, :, :1, :1].copy()
    indices = np.zeros(y.shape, np.int64)
    for n, c, h, w in np.ndindex(x.shape):
        if replaces(x[n, c, h, w], y[n, c, 0, 0]):
            y[n, c, 0, 0] = x[n, c, h, w]
            indices[n, c, 0, 0] = h * x.shape[3] + w
    return y, indices


@implements(global_max_pool2d_backward, "loops", "the definition: the winner takes the gradient")
def global_max_pool2d_backward_loops(grad_output: Array, indices: Array, input_shape: Sequence[int]) -> Array:
    """dx[h, w] = dy where indices = h W + w."""
    grad_x = np.zeros(input_shape4(input_shape), grad_output.dtype)
    for n, c in np.ndindex(grad_x.shape[:2]):
        h, w = divmod(int(indices[n, c, 0, 0]), grad_x.shape[3])
        grad_x[n, c, h, w] = grad_output[n, c, 0, 0]
    return grad_x


@implements(global_average_pool2d_forward, "vectorized", "one reduction")
def global_average_pool2d_forward_vectorized(x: Array) -> Array:
    """The mean over the last two axes."""
    mean: Array = x.mean(axis=(2, 3), keepdims=True, dtype=x.dtype)
    return mean


@implements(global_average_pool2d_backward, "vectorized", "one broadcast")
def global_average_pool2d_backward_vectorized(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """Divide first, then repeat."""
    _, _, height, width = input_shape
    return np.broadcast_to(grad_output / (height * width), tuple(input_shape)).copy()


@implements(global_max_pool2d_forward, "vectorized", "one argmax over the flattened plane")
def global_max_pool2d_forward_vectorized(x: Array) -> tuple[Array, Array]:
    """Flatten the planes, find each one's maximum, look it up."""
    planes = x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])  # (N, C, H W)
    indices = first_maximum(planes)[..., None].astype(np.int64)  # (N, C, 1)
    return np.take_along_axis(planes, indices, axis=2)[..., None], indices[..., None]


@implements(global_max_pool2d_backward, "vectorized", "one write per plane")
def global_max_pool2d_backward_vectorized(
    grad_output: Array, indices: Array, input_shape: Sequence[int]
) -> Array:
    """Put dy at each plane's index."""
    batch, channels, height, width = input_shape
    grad_x = np.zeros((batch, channels, height * width), grad_output.dtype)
    np.put_along_axis(grad_x, indices[..., 0], grad_output[..., 0], axis=2)
    return grad_x.reshape(batch, channels, height, width)
