"""Reading an image between its pixels: at given positions, and smoothed.

Positions count in pixels from the centre of the first one: pixel i of a row has its centre at i.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.array import Array, check_number
from minidnn.data.transforms.pixels import Fill, as_pixels, filled, working

INTERPOLATIONS = ("bilinear", "nearest")
# Beyond so many standard deviations a Gaussian is cut off.
REACH = 4.0


def sample(
    image: Array, rows: Array, columns: Array, interpolation: str = "bilinear", fill: Fill = 0
) -> Array:
    """Return the image (C, H, W) read at positions rows, columns (h, w) each, as (C, h, w).

        bilinear:  sum over the four pixels around a position, weighted (1 - |dy|) (1 - |dx|)
        nearest:   the pixel whose centre is nearest; halves go to the even one

    Around the image lies the fill, with which bilinear positions up to a pixel outside blend.

    Raises:
        ValueError: another interpolation; a fill as `filled`.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation must be bilinear or nearest, got {interpolation!r}")
    _, height, width = image.shape
    # One pixel of fill all around stands for everything outside.
    framed = filled(image, height + 2, width + 2, fill)
    framed[:, 1:-1, 1:-1] = image
    y = np.clip(rows + 1, 0, height + 1)
    x = np.clip(columns + 1, 0, width + 1)
    if interpolation == "nearest":
        return _pixels_at(framed, np.rint(y).astype(np.intp), np.rint(x).astype(np.intp))
    return as_pixels(_bilinear(framed, y, x), image)


def _bilinear(framed: Array, y: Array, x: Array) -> Array:
    """Blend four pixels; y, x lie within the framed image."""
    planes = working(framed)
    top = np.minimum(y.astype(np.intp), planes.shape[1] - 2)
    left = np.minimum(x.astype(np.intp), planes.shape[2] - 2)
    down, right = ((y - top).astype(planes.dtype), (x - left).astype(planes.dtype))
    upper = _between(_pixels_at(planes, top, left), _pixels_at(planes, top, left + 1), right)
    lower = _between(_pixels_at(planes, top + 1, left), _pixels_at(planes, top + 1, left + 1), right)
    return _between(upper, lower, down)


def _pixels_at(image: Array, rows: Array, columns: Array) -> Array:
    """image[:, rows, columns]; `take` is several times as fast."""
    found: Array = np.take(image.reshape(len(image), -1), rows * image.shape[2] + columns, axis=1)
    return found


def _between(first: Array, second: Array, share: Array) -> Array:
    """first + (second - first) share, in the second's memory."""
    second -= first
    second *= share
    second += first
    return second


def gaussian_blur(planes: Array, sigma: float) -> Array:
    """Return planes (..., H, W) smoothed by a Gaussian of standard deviation sigma pixels, along both axes.

        result[i] = sum_d w[d] planes[i + d] / sum_d w[d],  w[d] = exp(-d^2 / (2 sigma^2)),  |d| <= 4 sigma

    At the borders the planes are continued by reflection about the outermost pixels' centres (again and
    again where sigma is large).

    Raises:
        ValueError: sigma is not above 0, or not finite.
    """
    if check_number("sigma", sigma) <= 0:
        raise ValueError(f"sigma must be above 0, got {sigma}")
    radius = math.ceil(REACH * sigma)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(planes.dtype)
    down = _smoothed(planes, weights)
    return np.ascontiguousarray(np.swapaxes(_smoothed(np.swapaxes(down, -1, -2), weights), -1, -2))


def _smoothed(planes: Array, weights: Array) -> Array:
    """Correlate along the last axis but one."""
    radius, length = len(weights) // 2, planes.shape[-2]
    border = [(0, 0)] * (planes.ndim - 2) + [(radius, radius), (0, 0)]
    padded = np.pad(planes, border, mode="reflect" if length > 1 else "edge")
    result = np.zeros(planes.shape, planes.dtype)
    for offset, weight in enumerate(weights):
        result += padded[..., offset : offset + length, :] * weight
    return result
