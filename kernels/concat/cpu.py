"""Concatenation of large arrays in Numba: every array's rows are copied by all threads, as plain bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.compilation import contiguous, parallel, tasks_for
from kernels.concat import concat_backward, concat_forward
from kernels.mapping import WORTH_IT
from kernels.memory import empty
from kernels.registry import implements

IDEA = "rows of bytes, copied by all threads"


@parallel
def _copy_rows(
    task: int, tasks: int, target: Any, target_at: int, source: Any, source_at: int, width: int
) -> None:
    """target[row, target_at : target_at + width] = source[row, source_at : source_at + width] for all rows.

    One row alone is shared out by columns.
    """
    rows = target.shape[0]
    by_rows = rows >= tasks
    first, last = (rows * task // tasks, rows * (task + 1) // tasks) if by_rows else (0, rows)
    begin, end = (0, width) if by_rows else (width * task // tasks, width * (task + 1) // tasks)
    for row in range(first, last):
        written = target[row, target_at + begin : target_at + end]
        read = source[row, source_at + begin : source_at + end]
        for i in range(written.size):
            written[i] = read[i]


def _large(array: Array, *others: Any) -> bool:
    return array.size >= WORTH_IT


def _any_large(arrays: Sequence[Array], axis: int) -> bool:
    return sum(array.size for array in arrays) >= WORTH_IT


def _byte_rows(array: Array, axis: int) -> Array:
    """A row-major array as rows of bytes: one row for every index of the axes before `axis`."""
    rows = math.prod(array.shape[:axis])
    return array.reshape(-1).view(np.uint8).reshape(rows, -1) if array.size else np.empty((rows, 0), np.uint8)


def _copy(target: Array, target_at: int, source: Array, source_at: int, width: int) -> None:
    _copy_rows(tasks_for(target.shape[0] * width // 4), target, target_at, source, source_at, width)


@implements(concat_forward, "rows", IDEA, pays=_any_large)
def concat_forward_rows(arrays: Sequence[Array], axis: int) -> Array:
    """An array's row fills its place in the result's row."""
    shape = list(arrays[0].shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    y = empty(tuple(shape), arrays[0].dtype)
    target, at = _byte_rows(y, axis), 0
    for array in arrays:
        source = _byte_rows(contiguous(array), axis)
        if source.size:
            _copy(target, at, source, 0, source.shape[1])
        at += source.shape[1]
    return y


@implements(concat_backward, "rows", IDEA, pays=_large)
def concat_backward_rows(grad_output: Array, lengths: Sequence[int], axis: int) -> tuple[Array, ...]:
    """The same copies the other way round."""
    source, at, parts = _byte_rows(contiguous(grad_output), axis), 0, []
    for length in lengths:
        part = empty((*grad_output.shape[:axis], length, *grad_output.shape[axis + 1 :]), grad_output.dtype)
        target = _byte_rows(part, axis)
        if target.size:
            _copy(target, 0, source, at, target.shape[1])
        at += target.shape[1]
        parts.append(part)
    return tuple(parts)
