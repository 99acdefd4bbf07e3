"""The gradient of maximum pooling in Numba: plane by plane, every window adds its gradient at its winner."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import FLOATING, Array, input_shape4
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.memory import empty
from kernels.pool2d import max_pool2d_backward
from kernels.registry import implements
from kernels.window import Pair, Window


def _coordinates_fit(grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window) -> bool:
    """The windows' corners are kept in 32 bits."""
    return bool(grad_output.dtype in FLOATING and max(input_shape[2:]) < 2**30)


@implements(
    max_pool2d_backward,
    "planes",
    "every window adds its gradient at its winner, plane by plane",
    fits=_coordinates_fit,
    backend="cpu",
    compiled=True,
)
def max_pool2d_backward_planes(
    grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """A plane belongs to one task, and its windows add in row-major order."""
    shape = input_shape4(input_shape)
    grad_x = empty(shape, grad_output.dtype)
    planes = shape[0] * shape[1]
    outputs = grad_output.shape[2] * grad_output.shape[3]
    _scatter(
        min(tasks_for(grad_x.size), max(planes, 1)),
        contiguous(grad_output).reshape(planes, outputs),
        contiguous(indices).reshape(planes, outputs),
        *_corners(window, (grad_output.shape[2], grad_output.shape[3])),
        *_reach(window),
        window.extent == window.kernel,
        shape[3],
        grad_x.reshape(planes, shape[2] * shape[3]),
    )
    return grad_x


@functools.lru_cache(maxsize=64)
def _corners(window: Window, outputs: Pair) -> tuple[Array, Array]:
    """The rows and the columns of the first taps of all windows, two arrays (OH OW,)."""
    rows, columns = (
        np.arange(output) * stride - before
        for output, stride, (before, _) in zip(outputs, window.stride, window.padding, strict=True)
    )
    tops, lefts = np.meshgrid(rows, columns, indexing="ij")
    return tops.ravel().astype(np.int32), lefts.ravel().astype(np.int32)


@functools.lru_cache(maxsize=1024)
def _reach(window: Window) -> tuple[Array, Array]:
    """For every distance from a window's first tap, down and across: whether there is a tap."""
    rows, columns = (np.arange(e) % d == 0 for e, d in zip(window.extent, window.dilation, strict=True))
    return rows, columns


@parallel
def _scatter(
    task: int,
    tasks: int,
    gradients: Any,
    winners: Any,
    tops: Any,
    lefts: Any,
    row_taps: Any,
    column_taps: Any,
    dense: bool,
    width: int,
    grad_x: Any,
) -> None:
    """Share out the planes: gradients, winners (N C, OH OW), grad_x (N C, H W)."""
    first, last = grad_x.shape[0] * task // tasks, grad_x.shape[0] * (task + 1) // tasks
    _scatter_planes(
        *(first, last, gradients, winners, tops, lefts, row_taps, column_taps, dense, width, grad_x)
    )


@compiled(borrowing=True)
def _scatter_planes(
    first: int,
    last: int,
    gradients: Any,
    winners: Any,
    tops: Any,
    lefts: Any,
    row_taps: Any,
    column_taps: Any,
    dense: bool,
    width: int,
    grad_x: Any,
) -> None:
    """Compute the planes from `first` to before `last`; dense: whether there are taps at all distances."""
    for plane in range(first, last):
        given, places, target = gradients[plane], winners[plane], grad_x[plane]
        for i in range(target.size):
            target[i] = 0
        if dense and _all_in_reach(places, tops, lefts, width, row_taps.size, column_taps.size):
            _add_all(places, given, target)
        else:
            _add_covered(places, given, tops, lefts, width, row_taps, column_taps, target)


@compiled(inline="always")
def _row_of(i: int, per_width: float) -> int:
    """floor(i / width) without a division: half an element more than i is far from every border."""
    return int((i + 0.5) * per_width)


@compiled(borrowing=True)
def _all_in_reach(winners: Any, tops: Any, lefts: Any, width: int, rows: int, columns: int) -> bool:
    """Whether every winner exists and lies in the rectangle of rows x columns at its window's corner."""
    per_width = 1 / width
    signs = 0  # negative as soon as one of the distances is
    for t in range(winners.size):
        i = winners[t]
        row = _row_of(i, per_width)
        down, across = row - tops[t], i - row * width - lefts[t]
        signs |= i | down | (rows - 1 - down) | across | (columns - 1 - across)
    return signs >= 0


@compiled(borrowing=True)
def _add_all(winners: Any, gradients: Any, target: Any) -> None:
    for t in range(winners.size):
        target[np.uint64(winners[t])] += gradients[t]


@compiled(borrowing=True)
def _add_covered(
    winners: Any,
    gradients: Any,
    tops: Any,
    lefts: Any,
    width: int,
    row_taps: Any,
    column_taps: Any,
    target: Any,
) -> None:
    """Add the gradients of the windows that have a tap on their winner."""
    per_width = 1 / width
    for t in range(winners.size):
        i = winners[t]
        row = _row_of(i, per_width)
        down, across = row - tops[t], i - row * width - lefts[t]
        if i < 0 or not 0 <= down < row_taps.size or not 0 <= across < column_taps.size:
            continue
        if row_taps[down] and column_taps[across]:
            target[i] += gradients[t]
