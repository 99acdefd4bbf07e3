"""What batch normalisation does to a channel, pass by pass; sums are accumulated in float64.

x, y, dy and dx are (N, C, S): the values of a channel are N stretches of S neighbours.

Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances"
(1979): the mean and the sum of squared deviations of two sets give those of their union.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.cpu.compilation import compiled
from kernels.cpu.vector_math import sum_of

# Values whose mean and deviations are taken while they are in the first-level cache.
BLOCK = 4096


@compiled(borrowing=True)
def moments(x: Any, c: int) -> tuple[float, float]:
    """Return the mean and the (biased) variance of a channel; zeros where there are no values."""
    rows = max(1, BLOCK // max(x.shape[2], 1))
    count, mean, deviations = 0, 0.0, 0.0
    for first in range(0, x.shape[0], rows):
        last = min(first + rows, x.shape[0])
        for start in range(0, x.shape[2], BLOCK):
            end = min(start + BLOCK, x.shape[2])
            size = (last - first) * (end - start)
            total = 0.0
            for n in range(first, last):
                total += sum_of(x[n, c, start:end])
            block_mean = total / size
            block_deviations = 0.0
            for n in range(first, last):
                block_deviations += _squared_deviations(
                    x[n, c, start:end], x.dtype.type(block_mean), block_mean
                )
            step = block_mean - mean
            mean += step * size / (count + size)
            deviations += block_deviations + step * step * (count * (size / (count + size)))
            count += size
    return mean, deviations / max(count, 1)


@compiled(summing=True, borrowing=True)
def _squared_deviations(x: Any, near: Any, mean: float) -> float:
    """Return the sum of (x - mean)^2, from differences with `near`, the mean in x's type.

    sum (x - mean)^2 = sum (x - near)^2 - count (mean - near)^2
    """
    total = 0.0
    for i in range(x.size):
        difference = np.float64(x[i] - near)
        total += difference * difference
    correction: float = x.size * (mean - np.float64(near)) ** 2
    return total - correction


@compiled(borrowing=True)
def normalise_channel(x: Any, c: int, mean: Any, scale: Any, shift: Any, y: Any) -> None:
    """y = (x - mean) scale + shift, for one channel."""
    for n in range(x.shape[0]):
        normalise_plane(x[n, c], mean, scale, shift, y[n, c])


@compiled(borrowing=True)
def normalise_plane(x: Any, mean: Any, scale: Any, shift: Any, y: Any) -> None:
    """y = (x - mean) scale + shift, for one plane."""
    for i in range(x.size):
        y[i] = (x[i] - mean) * scale + shift


@compiled(borrowing=True)
def sums(grad_output: Any, x: Any, c: int, mean: Any) -> tuple[float, float]:
    """Return a channel's sums of dy (x - mean) and of dy."""
    products, total = 0.0, 0.0
    for n in range(x.shape[0]):
        products += _sum_of_products(grad_output[n, c], x[n, c], mean)
        total += sum_of(grad_output[n, c])
    return products, total


@compiled(summing=True, borrowing=True)
def _sum_of_products(grad_output: Any, x: Any, mean: Any) -> float:
    total = 0.0
    for i in range(x.size):
        total += np.float64(grad_output[i] * (x[i] - mean))
    return total


@compiled(borrowing=True)
def gradient_of_channel(
    grad_output: Any, x: Any, c: int, mean: Any, scale: Any, constant: Any, slope: Any, grad_x: Any
) -> None:
    """dx = scale (dy - constant - slope (x - mean)), for one channel."""
    for n in range(x.shape[0]):
        _gradient_of_plane(grad_output[n, c], x[n, c], mean, scale, constant, slope, grad_x[n, c])


@compiled(borrowing=True)
def _gradient_of_plane(
    grad_output: Any, x: Any, mean: Any, scale: Any, constant: Any, slope: Any, grad_x: Any
) -> None:
    for i in range(x.size):
        grad_x[i] = scale * (grad_output[i] - constant - slope * (x[i] - mean))
