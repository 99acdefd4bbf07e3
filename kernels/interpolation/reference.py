"""Resizing in NumPy: output by output in loops, and axis by axis.

Both maps are linear and act on each axis by itself, so the whole-array versions resize one axis after the
other and their backward applies the transposed maps in the reverse order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.index_map import add_slices, take_slices
from kernels.interpolation import (
    Scales,
    interpolate_bilinear_backward,
    interpolate_bilinear_forward,
    interpolate_nearest_backward,
    interpolate_nearest_forward,
)
from kernels.interpolation.coordinates import linear_sources, nearest_source
from kernels.registry import implements


@implements(interpolate_nearest_forward, "loops", "the definition: every output copies its source")
def interpolate_nearest_forward_loops(x: Array, size: Sequence[int], scale_factors: Scales) -> Array:
    """y[o] = x[source(o)]."""
    y = np.empty((*x.shape[:2], *size), x.dtype)
    for target in np.ndindex(*size):
        y[_plane(target)] = x[_plane(_nearest(target, x.shape[2:], size, scale_factors))]
    return y


@implements(interpolate_nearest_backward, "loops", "the definition: every copy hands its gradient back")
def interpolate_nearest_backward_loops(
    grad_output: Array, input_size: Sequence[int], scale_factors: Scales
) -> Array:
    """dx[source(o)] += dy[o]."""
    grad_x = np.zeros((*grad_output.shape[:2], *input_size), grad_output.dtype)
    size = grad_output.shape[2:]
    for target in np.ndindex(*size):
        source = _nearest(target, input_size, size, scale_factors)
        grad_x[_plane(source)] += grad_output[_plane(target)]
    return grad_x


def _plane(position: Sequence[int]) -> tuple[Any, ...]:
    """The index of one spatial position in every sample and channel: an (N, C) array."""
    return (slice(None), slice(None), *position)


def _nearest(
    target: Sequence[int], input_size: Sequence[int], size: Sequence[int], scale_factors: Scales
) -> tuple[int, ...]:
    return tuple(map(nearest_source, target, input_size, size, scale_factors))


@implements(interpolate_bilinear_forward, "loops", "the definition: every output weighs four inputs")
def interpolate_bilinear_forward_loops(
    x: Array, size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """y[i, j] = the weighted mean of the 2 x 2 inputs around its coordinate."""
    y = np.zeros((*x.shape[:2], *size), x.dtype)
    for target in np.ndindex(*size):
        for (h, w), weight in _corners(target, x.shape[2:], size, align_corners, scale_factors):
            y[_plane(target)] += x[:, :, h, w] * weight
    return y


@implements(interpolate_bilinear_backward, "loops", "the definition: four inputs share each gradient")
def interpolate_bilinear_backward_loops(
    grad_output: Array, input_size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """Each of the 2 x 2 inputs gets its weight's part of dy[i, j]."""
    grad_x = np.zeros((*grad_output.shape[:2], *input_size), grad_output.dtype)
    size = grad_output.shape[2:]
    for target in np.ndindex(*size):
        for (h, w), weight in _corners(target, input_size, size, align_corners, scale_factors):
            grad_x[:, :, h, w] += grad_output[_plane(target)] * weight
    return grad_x


def _corners(
    target: Sequence[int],
    input_size: Sequence[int],
    size: Sequence[int],
    align_corners: bool,
    scale_factors: Scales,
) -> Iterator[tuple[tuple[int, int], float]]:
    """The 2 x 2 inputs around the coordinate of `target`, each with its weight."""
    (top, bottom, a), (left, right, b) = (
        linear_sources(*arguments, align_corners)
        for arguments in zip(target, input_size, size, scale_factors, strict=True)
    )
    yield (top, left), (1 - a) * (1 - b)
    yield (top, right), (1 - a) * b
    yield (bottom, left), a * (1 - b)
    yield (bottom, right), a * b


@implements(interpolate_nearest_forward, "vectorized", "axis by axis, whole slices are copied")
def interpolate_nearest_forward_vectorized(x: Array, size: Sequence[int], scale_factors: Scales) -> Array:
    """The same copies along one axis after the other."""
    y = x
    for axis, (length, scale) in enumerate(zip(size, scale_factors, strict=True), 2):
        y = take_slices(y, axis, _axis_sources(x.shape[axis], length, scale))
    return y


@implements(interpolate_nearest_backward, "vectorized", "axis by axis, whole slices are summed")
def interpolate_nearest_backward_vectorized(
    grad_output: Array, input_size: Sequence[int], scale_factors: Scales
) -> Array:
    """The same sums along one axis after the other."""
    grad_x = grad_output
    for axis, (length, scale) in enumerate(zip(input_size, scale_factors, strict=True), 2):
        sources = _axis_sources(length, grad_output.shape[axis], scale)
        grad_x = add_slices(grad_x, axis, sources, length)
    return grad_x


def _axis_sources(length: int, output_length: int, scale: float | None) -> list[int]:
    return [nearest_source(position, length, output_length, scale) for position in range(output_length)]


@implements(interpolate_bilinear_forward, "vectorized", "axis by axis, two weighted slices are added")
def interpolate_bilinear_forward_vectorized(
    x: Array, size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """The same mean as a mean along W of means along H."""
    y = x
    for axis in (2, 3):
        low, high, weight = _axis_weights(
            x, axis, x.shape[axis], size[axis - 2], scale_factors, align_corners
        )
        y = take_slices(y, axis, low) * (1 - weight) + take_slices(y, axis, high) * weight
    return y


@implements(interpolate_bilinear_backward, "vectorized", "axis by axis, two weighted sums of slices")
def interpolate_bilinear_backward_vectorized(
    grad_output: Array, input_size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """The transposed maps: first along W, then along H."""
    grad_x = grad_output
    for axis in (3, 2):
        length = input_size[axis - 2]
        low, high, weight = _axis_weights(
            grad_output, axis, length, grad_output.shape[axis], scale_factors, align_corners
        )
        grad_x = add_slices(grad_x * (1 - weight), axis, low, length) + add_slices(
            grad_x * weight, axis, high, length
        )
    return grad_x


def _axis_weights(
    like: Array, axis: int, length: int, output_length: int, scale_factors: Scales, align_corners: bool
) -> tuple[list[int], list[int], Any]:
    """The neighbours of every output along `axis`, and the second one's weight, to be broadcast."""
    low, high, weight = zip(
        *(
            linear_sources(position, length, output_length, scale_factors[axis - 2], align_corners)
            for position in range(output_length)
        ),
        strict=True,
    )
    along_axis = (-1,) + (1,) * (like.ndim - 1 - axis)
    return list(low), list(high), np.array(weight, like.real.dtype).reshape(along_axis)
