"""Max unpooling in NumPy: the definition in loops, and one indexed write or read over flattened planes."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.max_unpool2d import max_unpool2d_backward, max_unpool2d_forward
from kernels.registry import implements
from kernels.window import Pair


@implements(max_unpool2d_forward, "loops", "the definition: every value goes back to its index")
def max_unpool2d_forward_loops(x: Array, indices: Array, output_size: Pair) -> Array:
    """y[h, w] = x[p, q] where indices[p, q] = h W + w."""
    y = np.zeros((*x.shape[:2], *output_size), x.dtype)
    for n, c, p, q in np.ndindex(x.shape):
        h, w = divmod(int(indices[n, c, p, q]), output_size[1])
        y[n, c, h, w] = x[n, c, p, q]
    return y


@implements(max_unpool2d_backward, "loops", "the definition: every value reads the gradient at its index")
def max_unpool2d_backward_loops(grad_output: Array, indices: Array) -> Array:
    """dx[p, q] = dy[h, w] where indices[p, q] = h W + w."""
    grad_x = np.empty(indices.shape, grad_output.dtype)
    for n, c, p, q in np.ndindex(indices.shape):
        h, w = divmod(int(indices[n, c, p, q]), grad_output.shape[3])
        grad_x[n, c, p, q] = grad_output[n, c, h, w]
    return grad_x


@implements(max_unpool2d_forward, "flat", "one indexed write into flattened planes")
def max_unpool2d_forward_flat(x: Array, indices: Array, output_size: Pair) -> Array:
    """Put x at its indices."""
    y = np.zeros((*x.shape[:2], output_size[0] * output_size[1]), x.dtype)  # (N, C, H W)
    np.put_along_axis(y, _flatten(indices), _flatten(x), axis=2)
    return y.reshape(*x.shape[:2], *output_size)


@implements(max_unpool2d_backward, "flat", "one indexed read from flattened planes")
def max_unpool2d_backward_flat(grad_output: Array, indices: Array) -> Array:
    """Take dy at the indices."""
    grad_x = np.take_along_axis(_flatten(grad_output), _flatten(indices), axis=2)  # (N, C, OH OW)
    return grad_x.reshape(indices.shape)


def _flatten(planes: Array) -> Array:
    """(N, C, H, W) -> (N, C, H W), also of an empty batch."""
    return planes.reshape(*planes.shape[:2], planes.shape[2] * planes.shape[3])
