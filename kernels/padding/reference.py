"""Padding in NumPy: output by output in loops, and axis by axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from kernels.index_map import add_slices, take_slices
from kernels.padding import pad_backward, pad_forward
from kernels.registry import implements


def source(position: int, length: int, mode: str) -> int | None:
    """The element of an axis that is shown at `position` of its unlimited continuation, if any."""
    if 0 <= position < length:
        return position
    if mode == "constant":
        return None
    if mode == "replicate":
        return 0 if position < 0 else length - 1
    return -position if position < 0 else 2 * (length - 1) - position


@implements(pad_forward, "loops", "the definition: every output looks up its source")
def pad_forward_loops(x: Array, padding: Sequence[tuple[int, int]], mode: str, value: float) -> Array:
    """y[o] = x[source(o - before)], or the value where there is none."""
    every = _every_axis(x.ndim, padding)
    y = np.empty([sum(pair) + n for n, pair in zip(x.shape, every, strict=True)], x.dtype)
    for index in np.ndindex(y.shape):
        shown = _shown(index, x.shape, every, mode)
        y[index] = value if shown is None else x[shown]
    return y


@implements(pad_backward, "loops", "the definition: every output hands its gradient to its source")
def pad_backward_loops(grad_output: Array, padding: Sequence[tuple[int, int]], mode: str) -> Array:
    """dx[source(o - before)] += dy[o]."""
    every = _every_axis(grad_output.ndim, padding)
    shape = tuple(n - sum(pair) for n, pair in zip(grad_output.shape, every, strict=True))
    grad_x = np.zeros(shape, grad_output.dtype)
    for index in np.ndindex(grad_output.shape):
        shown = _shown(index, shape, every, mode)
        if shown is not None:
            grad_x[shown] += grad_output[index]
    return grad_x


def _every_axis(ndim: int, padding: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """One (before, after) for all axes: nothing for the leading ones."""
    return [(0, 0)] * (ndim - len(padding)) + list(padding)


def _shown(
    index: Sequence[int], shape: Sequence[int], every: Sequence[tuple[int, int]], mode: str
) -> tuple[int, ...] | None:
    """The element of x that the output at `index` shows, or None for the constant."""
    shown = []
    for o, length, (before, _) in zip(index, shape, every, strict=True):
        position = source(o - before, length, mode)
        if position is None:
            return None
        shown.append(position)
    return tuple(shown)


@implements(pad_forward, "vectorized", "a constant frame by slices, the other modes axis by axis")
def pad_forward_vectorized(x: Array, padding: Sequence[tuple[int, int]], mode: str, value: float) -> Array:
    """The same look-up for whole slices."""
    every = _every_axis(x.ndim, padding)
    if mode == "constant":
        y = np.full([sum(pair) + n for n, pair in zip(x.shape, every, strict=True)], value, x.dtype)
        inside, shown = _overlap(x.shape, every)
        y[inside] = x[shown]
        return y
    y = x.copy(order="C")
    for axis, (before, after) in enumerate(every):
        if (before, after) != (0, 0):
            y = take_slices(y, axis, _sources(x.shape[axis], before, after, mode))
    return y


@implements(pad_backward, "vectorized", "a crop by slices, the other modes axis by axis")
def pad_backward_vectorized(grad_output: Array, padding: Sequence[tuple[int, int]], mode: str) -> Array:
    """The same sums for whole slices."""
    every = _every_axis(grad_output.ndim, padding)
    shape = tuple(n - sum(pair) for n, pair in zip(grad_output.shape, every, strict=True))
    if mode == "constant":
        grad_x = np.zeros(shape, grad_output.dtype)
        inside, shown = _overlap(shape, every)
        grad_x[shown] = grad_output[inside]
        return grad_x
    grad_x = grad_output.copy(order="C")
    for axis, (before, after) in enumerate(every):
        if (before, after) != (0, 0):
            grad_x = add_slices(grad_x, axis, _sources(shape[axis], before, after, mode), shape[axis])
    return grad_x


def _sources(length: int, before: int, after: int, mode: str) -> list[int]:
    """The source of every output position along one axis (a mode other than constant)."""
    positions = (source(position, length, mode) for position in range(-before, length + after))
    return [position for position in positions if position is not None]


def _overlap(
    shape: Sequence[int], every: Sequence[tuple[int, int]]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The part of the output that shows x, and the part of x that is shown."""
    inside, shown = [], []
    for length, (before, after) in zip(shape, every, strict=True):
        first, last = max(-before, 0), length + min(after, 0)
        shown.append(slice(first, last))
        inside.append(slice(first + before, last + before))
    return tuple(inside), tuple(shown)
