"""Maximum and average pooling in NumPy: the definition in loops, and one strided view of x per tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kernels.array import Array, Shape4, input_shape4
from kernels.pool2d import (
    average_pool2d_backward,
    average_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from kernels.pooling import replaces
from kernels.registry import implements
from kernels.window import Pair, Window


def taps(window: Window, axis: int, position: int, length: int) -> list[int]:
    """The coordinates under a window along one axis, without those in the padding."""
    start = position * window.stride[axis] - window.padding[axis][0]
    covered = (start + i * window.dilation[axis] for i in range(window.kernel[axis]))
    return [coordinate for coordinate in covered if 0 <= coordinate < length]


def covered(window: Window, position: Pair, size: Pair) -> Iterator[Pair]:
    """The elements (h, w) under the window at output position (p, q), in row-major order."""
    for h in taps(window, 0, position[0], size[0]):
        for w in taps(window, 1, position[1], size[1]):
            yield h, w


@implements(max_pool2d_forward, "loops", "the definition: look at every tap of every window")
def max_pool2d_forward_loops(x: Array, window: Window) -> tuple[Array, Array]:
    """The first maximum of each window, and its place h W + w in the plane."""
    batch, channels, height, width = x.shape
    y = np.full((batch, channels, *window.output_size((height, width))), -np.inf, x.dtype)
    indices = np.full(y.shape, -1, np.int64)
    for n, c, p, q in np.ndindex(y.shape):
        for h, w in covered(window, (p, q), (height, width)):
            if indices[n, c, p, q] < 0 or replaces(x[n, c, h, w], y[n, c, p, q]):
                y[n, c, p, q] = x[n, c, h, w]
                indices[n, c, p, q] = h * width + w
    return y, indices


@implements(max_pool2d_backward, "loops", "the definition: every window hands its gradient to its winner")
def max_pool2d_backward_loops(
    grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """dx[h, w] += dy[p, q] where indices[p, q] = h W + w."""
    batch, channels, height, width = input_shape4(input_shape)
    grad_x = np.zeros((batch, channels, height, width), grad_output.dtype)
    for n, c, p, q in np.ndindex(grad_output.shape):
        for h, w in covered(window, (p, q), (height, width)):
            if indices[n, c, p, q] == h * width + w:
                grad_x[n, c, h, w] += grad_output[n, c, p, q]
    return grad_x


@implements(average_pool2d_forward, "loops", "the definition: sum every window, divide by its count")
def average_pool2d_forward_loops(
    x: Array, window: Window, count_include_pad: bool, divisor_override: int | None
) -> Array:
    """y[p, q] = sum of the window / divisor."""
    batch, channels, height, width = x.shape
    y = np.zeros((batch, channels, *window.output_size((height, width))), x.dtype)
    for n, c, p, q in np.ndindex(y.shape):
        for h, w in covered(window, (p, q), (height, width)):
            y[n, c, p, q] += x[n, c, h, w]
        y[n, c, p, q] /= divisor(window, (p, q), (height, width), count_include_pad, divisor_override)
    return y


@implements(average_pool2d_backward, "loops", "the definition: every window shares its gradient out evenly")
def average_pool2d_backward_loops(
    grad_output: Array,
    input_shape: Sequence[int],
    window: Window,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """dx[h, w] += dy[p, q] / divisor for every window that covers (h, w)."""
    batch, channels, height, width = input_shape4(input_shape)
    grad_x = np.zeros((batch, channels, height, width), grad_output.dtype)
    for n, c, p, q in np.ndindex(grad_output.shape):
        count = divisor(window, (p, q), (height, width), count_include_pad, divisor_override)
        for h, w in covered(window, (p, q), (height, width)):
            grad_x[n, c, h, w] += grad_output[n, c, p, q] / count
    return grad_x


def divisor(
    window: Window, position: Pair, size: Pair, count_include_pad: bool, divisor_override: int | None
) -> int:
    """What the average of the window at `position` divides by."""
    if divisor_override is not None:
        return divisor_override
    count = 1
    for axis in (0, 1):
        before, after = window.padding[axis] if count_include_pad else (0, 0)
        start = position[axis] * window.stride[axis] - window.padding[axis][0]
        end = start + window.kernel[axis]
        count *= min(end, size[axis] + after) - max(start, -before)
    return count


@implements(max_pool2d_forward, "windows", "a running maximum over one strided view per tap")
def max_pool2d_forward_windows(x: Array, window: Window) -> tuple[Array, Array]:
    """Keep, for all windows at once, the best value so far and the number of the tap that gave it."""
    size: Pair = x.shape[2:]
    padded = _pad(x, window, -np.inf)  # (N, C, PH, PW)
    y = np.full((*x.shape[:2], *window.output_size(size)), -np.inf, x.dtype)  # (N, C, OH, OW)
    winner = np.zeros(y.shape, np.min_scalar_type(window.kernel[0] * window.kernel[1]))  # 0: none yet
    for number, tap in enumerate(np.ndindex(window.kernel), start=1):
        value = np.ascontiguousarray(padded[_tap_view(window, size, tap)])  # (N, C, OH, OW)
        # Numbers grow, so a maximum replaces the earlier one (and does not branch, as a mask would).
        np.maximum(winner, replaces(value, y) * winner.dtype.type(number), out=winner)
        np.maximum(y, value, out=y)
    return y, _places(window, size, winner)


def _places(window: Window, size: Pair, winner: Array) -> Array:
    """The place h W + w of every window's winning tap (numbered from 1; 0: nothing exceeds -inf)."""
    rows = np.arange(window.kernel[0]) * window.dilation[0]
    columns = np.arange(window.kernel[1]) * window.dilation[1]
    offsets = np.append(0, rows[:, None] * size[1] + columns)  # (1 + KH KW,)
    indices: Array = _tap_places(window, size, (0, 0)) + offsets[winner]  # (N, C, OH, OW)
    return np.where(winner == 0, _first_covered(window, size), indices) if (winner == 0).any() else indices


@implements(max_pool2d_backward, "windows", "gather: one strided view per tap receives where the tap won")
def max_pool2d_backward_windows(
    grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """Add dy, where a tap is the winner, to that tap's view of dx."""
    shape = input_shape4(input_shape)
    padded = np.zeros(_padded_shape(window, shape), grad_output.dtype)  # (N, C, PH, PW)
    for tap in np.ndindex(window.kernel):
        won = indices == _tap_places(window, shape[2:], tap)  # (N, C, OH, OW)
        padded[_tap_view(window, shape[2:], tap)] += np.where(won, grad_output, 0)
    return _crop(padded, window, shape)


@implements(average_pool2d_forward, "windows", "the sum of one strided view per tap")
def average_pool2d_forward_windows(
    x: Array, window: Window, count_include_pad: bool, divisor_override: int | None
) -> Array:
    """Add up the taps of all windows at once, then divide."""
    size: Pair = x.shape[2:]
    padded = _pad(x, window, 0)  # (N, C, PH, PW)
    y = np.zeros((*x.shape[:2], *window.output_size(size)), x.dtype)  # (N, C, OH, OW)
    for tap in np.ndindex(window.kernel):
        y += padded[_tap_view(window, size, tap)]
    y /= _divisors(window, size, count_include_pad, divisor_override, y)
    return y


@implements(average_pool2d_backward, "windows", "one strided view per tap receives every window's share")
def average_pool2d_backward_windows(
    grad_output: Array,
    input_shape: Sequence[int],
    window: Window,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """Divide first, then add the shares to every tap's view of dx."""
    shape = input_shape4(input_shape)
    size = shape[2:]
    share = grad_output / _divisors(window, size, count_include_pad, divisor_override, grad_output)
    padded = np.zeros(_padded_shape(window, shape), grad_output.dtype)  # (N, C, PH, PW)
    for tap in np.ndindex(window.kernel):
        padded[_tap_view(window, size, tap)] += share
    return _crop(padded, window, shape)


def _padded_shape(window: Window, shape: Sequence[int]) -> Shape4:
    """The shape of the input with its leading padding, up to where the last window or the input ends."""
    batch, channels, *size = shape
    height, width = (
        before + max(length, (steps - 1) * stride + extent - before)
        for length, (before, _), steps, stride, extent in zip(
            size, window.padding, window.output_size(size), window.stride, window.extent, strict=True
        )
    )
    return batch, channels, height, width


def _pad(x: Array, window: Window, value: float) -> Array:
    """The padded input; x itself where nothing has to be added."""
    shape = _padded_shape(window, x.shape)
    if shape == x.shape:
        return x
    padded = np.full(shape, value, x.dtype)
    _crop(padded, window, x.shape)[...] = x
    return padded


def _crop(padded: Array, window: Window, shape: Sequence[int]) -> Array:
    """The view of the input inside the padded array."""
    (top, _), (left, _) = window.padding
    return padded[:, :, top : top + shape[2], left : left + shape[3]]


def _tap_view(window: Window, size: Sequence[int], tap: Sequence[int]) -> tuple[slice, ...]:
    """The index that selects, from the padded array, what tap (i, j) of every window sees."""
    rows, columns = (
        slice(first, first + (steps - 1) * stride + 1, stride)
        for first, steps, stride in zip(
            (tap[0] * window.dilation[0], tap[1] * window.dilation[1]),
            window.output_size(size),
            window.stride,
            strict=True,
        )
    )
    return slice(None), slice(None), rows, columns


def _tap_coordinates(window: Window, size: Sequence[int], axis: int) -> Array:
    """The input coordinate of every window's taps along one axis: (O, K), padding included."""
    starts = np.arange(window.output_size(size)[axis])[:, None] * window.stride[axis]
    return starts - window.padding[axis][0] + np.arange(window.kernel[axis]) * window.dilation[axis]


def _tap_places(window: Window, size: Sequence[int], tap: Sequence[int]) -> Array:
    """The place h W + w that tap (i, j) of every window sees, (OH, OW); meaningless in the padding."""
    rows = _tap_coordinates(window, size, 0)[:, tap[0]]
    columns = _tap_coordinates(window, size, 1)[:, tap[1]]
    return rows[:, None] * size[1] + columns


def _first_covered(window: Window, size: Sequence[int]) -> Array:
    """The place h W + w of every window's first tap inside the input, or -1: (OH, OW)."""
    firsts = []
    for axis in (0, 1):
        coordinates = _tap_coordinates(window, size, axis)  # (O, K)
        inside = (coordinates >= 0) & (coordinates < size[axis])
        first = np.take_along_axis(coordinates, inside.argmax(axis=1)[:, None], axis=1)[:, 0]
        firsts.append(np.where(inside.any(axis=1), first, -1))
    rows, columns = firsts[0][:, None], firsts[1]
    return np.where((rows < 0) | (columns < 0), -1, rows * size[1] + columns)


def _divisors(
    window: Window,
    size: Sequence[int],
    count_include_pad: bool,
    divisor_override: int | None,
    like: Array,
) -> Array:
    """`divisor` of every window, (OH, OW), in the real dtype that goes with `like`."""
    if divisor_override is not None:
        return np.asarray(divisor_override, like.real.dtype)
    counts = []
    for axis in (0, 1):
        before, after = window.padding[axis] if count_include_pad else (0, 0)
        starts = _tap_coordinates(window, size, axis)[:, 0]
        ends = starts + window.kernel[axis]
        counts.append(np.minimum(ends, size[axis] + after) - np.maximum(starts, -before))
    divisors: Array = (counts[0][:, None] * counts[1]).astype(like.real.dtype)
    return divisors
