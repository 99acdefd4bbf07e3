"""Local response normalisation in Numba: a few positions of all channels at a time, in the cache.

The powers of the usual exponents 0.5, 0.75 and 1 are taken by square roots, other ones by the C library.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.local_response_norm import local_response_norm_backward, local_response_norm_forward
from kernels.memory import empty
from kernels.registry import implements

# Positions taken together: enough for vectors, few enough that all channels' scales stay in the cache.
POSITIONS = 128


def _flat(x: Array) -> Array:
    """(N, C, *spatial) as (N, C, S)."""
    return contiguous(x).reshape(*x.shape[:2], x.size // max(x.shape[0] * x.shape[1], 1))


@implements(local_response_norm_forward, "tiles", "a tile of positions at a time", fits=floating)
def local_response_norm_forward_tiles(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """The scales of a tile's channel are one row of the cache."""
    y = empty(x.shape, x.dtype)
    if x.size:
        mean_of, exponent, offset = (x.dtype.type(number) for number in (alpha / size, beta, k))
        _normalise(
            tasks_for(x.size), _flat(x), size // 2, (size - 1) // 2, mean_of, exponent, offset, _flat(y)
        )
    return y


@parallel
def _normalise(
    task: int, tasks: int, x: Any, below: int, above: int, mean_of: Any, beta: Any, k: Any, y: Any
) -> None:
    tiles = -(-x.shape[2] // POSITIONS)
    scale = np.empty(POSITIONS, x.dtype)
    for job in range(x.shape[0] * tiles * task // tasks, x.shape[0] * tiles * (task + 1) // tasks):
        n, start = job // tiles, job % tiles * POSITIONS
        end = min(start + POSITIONS, x.shape[2])
        for c in range(x.shape[1]):
            _scale_of_channel(x[n], c, below, above, start, mean_of, k, scale[: end - start])
            _power(scale[: end - start], beta)
            _multiply(x[n, c, start:end], scale, y[n, c, start:end])


@compiled(borrowing=True)
def _scale_of_channel(
    x: Any, c: int, below: int, above: int, start: int, mean_of: Any, k: Any, scale: Any
) -> None:
    """scale = k + mean_of * sum of x[c']^2 over c' in [c - below, c + above], from position `start` on."""
    for i in range(scale.size):
        scale[i] = 0
    for other in range(max(c - below, 0), min(c + above + 1, x.shape[0])):
        values = x[other, start : start + scale.size]
        for i in range(scale.size):
            scale[i] += values[i] * values[i]
    for i in range(scale.size):
        scale[i] = k + mean_of * scale[i]


@compiled(borrowing=True)
def _power(scale: Any, beta: Any) -> None:
    """scale <- scale^-beta."""
    one = scale.dtype.type(1)
    if beta == 0.75:
        for i in range(scale.size):
            root = np.sqrt(scale[i])
            scale[i] = one / (root * np.sqrt(root))
    elif beta == 0.5:
        for i in range(scale.size):
            scale[i] = one / np.sqrt(scale[i])
    elif beta == 1:
        for i in range(scale.size):
            scale[i] = one / scale[i]
    else:
        for i in range(scale.size):
            scale[i] = scale[i] ** -beta


@compiled(borrowing=True)
def _multiply(a: Any, b: Any, product: Any) -> None:
    for i in range(product.size):
        product[i] = a[i] * b[i]


@implements(
    local_response_norm_backward,
    "tiles",
    "powers of a tile's channels first, then their windows",
    fits=floating,
)
def local_response_norm_backward_tiles(
    grad_output: Array, x: Array, size: int, alpha: float, beta: float, k: float
) -> Array:
    """Two rows per channel stay in the cache: dy scale^-beta, and what it passes on through the scale."""
    grad_x = empty(x.shape, x.dtype)
    if x.size:
        numbers = [x.dtype.type(number) for number in (alpha / size, beta, k, 2 * alpha * beta / size)]
        _gradients(
            tasks_for(x.size),
            _flat(grad_output),
            _flat(x),
            size // 2,
            (size - 1) // 2,
            *numbers,
            _flat(grad_x),
        )
    return grad_x


@parallel
def _gradients(
    task: int,
    tasks: int,
    grad_output: Any,
    x: Any,
    below: int,
    above: int,
    mean_of: Any,
    beta: Any,
    k: Any,
    factor: Any,
    grad_x: Any,
) -> None:
    channels = x.shape[1]
    tiles = -(-x.shape[2] // POSITIONS)
    direct, inner = np.empty((channels, POSITIONS), x.dtype), np.empty((channels, POSITIONS), x.dtype)
    scale = np.empty(POSITIONS, x.dtype)
    for job in range(x.shape[0] * tiles * task // tasks, x.shape[0] * tiles * (task + 1) // tasks):
        n, start = job // tiles, job % tiles * POSITIONS
        count = min(start + POSITIONS, x.shape[2]) - start
        for c in range(channels):
            _scale_of_channel(x[n], c, below, above, start, mean_of, k, scale[:count])
            inner[c, :count] = scale[:count]
            _power(scale[:count], beta)
            _direct_and_inner(
                grad_output[n, c, start : start + count],
                x[n, c, start : start + count],
                scale,
                direct[c],
                inner[c],
            )
        for c in range(channels):
            first, last = max(c - above, 0), min(c + below + 1, channels)
            _gather(
                inner, first, last, direct[c], x[n, c, start:], factor, grad_x[n, c, start : start + count]
            )


@compiled(borrowing=True)
def _direct_and_inner(grad_output: Any, x: Any, power: Any, direct: Any, inner: Any) -> None:
    """direct = dy scale^-beta; inner, which holds the scale, becomes direct x / scale."""
    for i in range(grad_output.size):
        direct[i] = grad_output[i] * power[i]
        inner[i] = direct[i] * x[i] / inner[i]


@compiled(borrowing=True)
def _gather(inner: Any, first: int, last: int, direct: Any, x: Any, factor: Any, grad_x: Any) -> None:
    """grad_x = direct - factor x sum of inner over the channels whose window holds this one."""
    for i in range(grad_x.size):
        grad_x[i] = 0
    for other in range(first, last):
        values = inner[other]
        for i in range(grad_x.size):
            grad_x[i] += values[i]
    for i in range(grad_x.size):
        grad_x[i] = direct[i] - factor * x[i] * grad_x[i]
