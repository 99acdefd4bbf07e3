"""Local response normalisation in NumPy: window by window in loops, and as sums of shifted arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.local_response_norm import local_response_norm_backward, local_response_norm_forward
from kernels.registry import implements


@implements(local_response_norm_forward, "loops", "the definition: every value looks at its neighbours")
def local_response_norm_forward_loops(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """y[c] = x[c] (k + alpha / size * sum of x[c']^2)^-beta."""
    y = np.empty(x.shape, x.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        for column, out in _columns(x, y):
            for c in range(len(column)):
                out[c] = column[c] * _scale(column, c, size, alpha, k) ** -beta
    return y


@implements(local_response_norm_backward, "loops", "the definition: every window hands its gradient back")
def local_response_norm_backward_loops(
    grad_output: Array, x: Array, size: int, alpha: float, beta: float, k: float
) -> Array:
    """Channel c's output depends on x[c] itself and, through its scale, on every x[c'] of its window."""
    grad_x = np.zeros(x.shape, x.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        for column, gradient, out in _columns(x, grad_output, grad_x):
            for c in range(len(column)):
                scale = _scale(column, c, size, alpha, k)
                out[c] += gradient[c] * scale**-beta
                for other in _window(c, size, len(column)):
                    through_scale = -beta * scale ** (-beta - 1) * 2 * alpha / size * column[other]
                    out[other] += gradient[c] * column[c] * through_scale
    return grad_x


def _columns(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The channels (C,) at each sample and position, as views of the arrays (N, C, *spatial)."""
    shape = arrays[0].shape
    for n, *position in np.ndindex(shape[0], *shape[2:]):
        yield tuple(array[(n, slice(None), *position)] for array in arrays)


def _window(c: int, size: int, channels: int) -> range:
    """The channels of c's window that exist."""
    return range(max(c - size // 2, 0), min(c + (size - 1) // 2 + 1, channels))


def _scale(column: Array, c: int, size: int, alpha: float, k: float) -> Any:
    """k + alpha / size * sum of squares over c's window."""
    total = column.dtype.type(0)
    for other in _window(c, size, len(column)):
        total += column[other] * column[other]
    return k + alpha / size * total


@implements(local_response_norm_forward, "vectorized", "the window's sum as shifted additions")
def local_response_norm_forward_vectorized(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """The same powers for the whole array."""
    scale = _all_scales(x, size, alpha, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale **= -beta
        scale *= x
    return scale


@implements(local_response_norm_backward, "vectorized", "the mirrored window's sum as shifted additions")
def local_response_norm_backward_vectorized(
    grad_output: Array, x: Array, size: int, alpha: float, beta: float, k: float
) -> Array:
    """The same two terms for the whole array."""
    scale = _all_scales(x, size, alpha, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = grad_output * scale**-beta  # (N, C, *spatial)
        inner = direct * x / scale
        through_scale = _window_sum(inner, (size - 1) // 2, size // 2)
        through_scale *= x
        through_scale *= 2 * alpha * beta / size
    direct -= through_scale
    return direct


def _all_scales(x: Array, size: int, alpha: float, k: float) -> Array:
    scale = _window_sum(x * x, size // 2, (size - 1) // 2)
    scale *= alpha / size
    scale += k
    return scale


def _window_sum(values: Array, below: int, above: int) -> Array:
    """Sum over the channels c - below to c + above that exist, for each c."""
    channels = values.shape[1]
    total = values.copy(order="C")
    for shift in range(1, min(below, channels - 1) + 1):
        total[:, shift:] += values[:, :-shift]
    for shift in range(1, min(above, channels - 1) + 1):
        total[:, :-shift] += values[:, shift:]
    return total
