"""Concatenation of large arrays in Numba: every array's rows are copied by all threads, as plain bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from kernels.array import Array
from kernels.concat import concat_backward, concat_forward
from kernels.cpu.compilation import compiled, contiguous, parallel, require_compiler, tasks_for
from kernels.memory import empty
from kernels.registry import implements

require_compiler()

IDEA = "rows of bytes, copied by all threads"
SMALLEST_COPY = 1 << 16  # bytes that are worth a second thread
# Bytes that do not fit the caches near the cores; up to there NumPy's copies are faster than two threads.
WORTH_IT = 1 << 19


@intrinsic
def _pointer(typing_context: Any, address: Any) -> Any:
    """An address, given as a number, as a pointer."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), emit


@compiled
def _address(array: Any) -> Any:
    """Where a flat array begins; NumPy's own ways to ask make objects and take six times as long."""
    return array.ctypes.data


@compiled
def _copy(target: Any, target_at: int, source: Any, source_at: int, width: int) -> None:
    written, read = target[target_at : target_at + width], source[source_at : source_at + width]
    for i in range(written.size):
        written[i] = read[i]


@parallel
def _copy_rows(task: int, tasks: int, whole: Any, parts: Any, rows: int, joining: bool) -> None:
    """Copy between `whole`, whose rows hold one row of every part after the other, and the parts.

    parts: of every array of bytes (rows, width) its address, width and first column in the whole, one after
    the other. Where there are fewer rows than tasks, every row is shared out by columns.
    """
    by_rows = rows >= tasks
    first, last = (rows * task // tasks, rows * (task + 1) // tasks) if by_rows else (0, rows)
    length = whole.size // rows
    for k in range(0, parts.size, 3):
        address, width, start = parts[k], parts[k + 1], parts[k + 2]
        part = carray(_pointer(address), rows * width, np.uint8)
        begin = 0 if by_rows else width * task // tasks
        end = width if by_rows else width * (task + 1) // tasks
        for row in range(first, last):
            there, here = row * length + start + begin, row * width + begin
            if joining:
                _copy(whole, there, part, here, end - begin)
            else:
                _copy(part, here, whole, there, end - begin)


def _large(array: Array, *others: Any) -> bool:
    return array.nbytes >= WORTH_IT


def _any_large(arrays: Sequence[Array], axis: int) -> bool:
    return sum([array.nbytes for array in arrays]) >= WORTH_IT


def _copy_all(whole: Array, parts: Sequence[Array], axis: int, *, joining: bool) -> None:
    """Copy the parts into the whole along an axis, or out of it; all are row-major."""
    rows = math.prod(whole.shape[:axis])
    table: list[int] = []
    start = 0
    for part in parts:
        width = part.nbytes // rows
        table += _address(part.ravel()), width, start
        start += width
    flat = whole.ravel().view(np.uint8)
    _copy_rows(tasks_for(flat.size, SMALLEST_COPY), flat, np.array(table), rows, joining)


@implements(concat_forward, "rows", IDEA, pays=_any_large, compiled=True)
def concat_forward_rows(arrays: Sequence[Array], axis: int) -> Array:
    """An array's row fills its place in the result's row."""
    shape = list(arrays[0].shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    y = empty(tuple(shape), arrays[0].dtype)
    if y.size:
        _copy_all(y, [contiguous(array) for array in arrays], axis, joining=True)
    return y


@implements(concat_backward, "rows", IDEA, pays=_large, compiled=True)
def concat_backward_rows(grad_output: Array, lengths: Sequence[int], axis: int) -> tuple[Array, ...]:
    """The same copies the other way round."""
    before, after = grad_output.shape[:axis], grad_output.shape[axis + 1 :]
    parts = tuple(empty((*before, length, *after), grad_output.dtype) for length in lengths)
    if grad_output.size:
        _copy_all(contiguous(grad_output), parts, axis, joining=False)
    return parts
