"""Reductions on the GPU: a block per row of (rows, length), see reduction.cu.

Whatever the axes are, they are moved to the end first, which is a copy unless they stand there already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from kernels import reduction
from kernels.array import FLOATING, Array
from kernels.cuda.launch import (
    C_TYPES,
    MOST_BLOCKS,
    THREADS,
    Source,
    c_type,
    contiguous,
    empty_beside,
    floating,
)
from kernels.registry import implements

SOURCE = Source(__file__, "reduction.cu")
IDEA = "a block per row, whose threads combine their parts in pairs"

Contracts: TypeAlias = tuple[Callable[..., Array], ...]

SUMS: Contracts = (reduction.reduce_sum, reduction.reduce_product)
CHOICES: Contracts = (
    reduction.reduce_maximum,
    reduction.reduce_minimum,
    reduction.reduce_any,
    reduction.reduce_all,
)
PLACES: Contracts = (reduction.argmax, reduction.argmin)


def _known(x: Any, *others: Any) -> bool:
    return x.dtype in C_TYPES


def _sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Sums of integers and of truths are counted in int64."""
    return dtype if dtype in FLOATING else np.dtype(np.int64)


def _macros(x: Any) -> dict[str, Any]:
    return {
        "ELEMENT": c_type(x.dtype),
        "SUM": c_type(_sum_dtype(x.dtype)),
        "FLOATING": int(x.dtype in FLOATING),
    }


def _axes_last(x: Any, axes: Sequence[int]) -> Any:
    """Return x contiguous with the reduced axes at the end."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    return contiguous(x.transpose([*kept, *axes]) if x.ndim else x)


def _reduce(kernel: str, x: Any, axes: Sequence[int], dtype: Any, keepdims: bool) -> Any:
    shape = tuple(length for axis, length in enumerate(x.shape) if axis not in axes)
    rows, length = math.prod(shape), math.prod(x.shape[axis] for axis in axes)
    moved = _axes_last(x, axes)
    result = empty_beside(x, shape, dtype)
    if rows:
        arguments = (moved, result, np.int64(rows), np.int64(length))
        SOURCE.launch(kernel, (min(rows, MOST_BLOCKS),), (THREADS,), arguments, _macros(x))
    if keepdims:
        return result.reshape(tuple(1 if axis in axes else n for axis, n in enumerate(x.shape)))
    return result


def _announce(contract: Callable[..., Array], dtype_of: Callable[[Any], Any]) -> None:
    def rows(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        return _reduce(contract.__name__, x, axes, dtype_of(x.dtype), keepdims)

    implements(contract, "rows", IDEA, backend="gpu", fits=_known)(rows)


def _announce_place(contract: Callable[..., Array]) -> None:
    def rows(x: Any, axis: int | None, keepdims: bool) -> Any:
        axes = tuple(range(x.ndim)) if axis is None or x.ndim == 0 else (axis,)
        return _reduce(contract.__name__, x, axes, np.dtype(np.int64), keepdims)

    implements(contract, "rows", IDEA, backend="gpu", fits=_known)(rows)


for _contract in SUMS:
    _announce(_contract, _sum_dtype)
for _contract in CHOICES:
    _announce(_contract, lambda dtype: dtype)
for _contract in PLACES:
    _announce_place(_contract)


@implements(
    reduction.reduce_product_backward, "each", "one thread per element multiplies all others", fits=floating
)
def reduce_product_backward_each(grad_output: Array, x: Array, axes: tuple[int, ...]) -> Array:
    """The gradient comes back with the reduced axes last, and is moved to where they were."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    order = [*kept, *axes]
    moved: Any = _axes_last(x, axes)
    result: Array = empty_beside(moved, moved.shape, x.dtype)
    length = math.prod(x.shape[axis] for axis in axes)
    arguments = (contiguous(grad_output), moved, result, np.int64(result.size), np.int64(length))
    SOURCE.launch_each("reduce_product_backward", result.size, arguments, _macros(x))
    back: Array = contiguous(
        result.transpose([order.index(axis) for axis in range(x.ndim)]) if order else result
    )
    return back


@implements(reduction.cumulative_sum, "lines", "one thread per line along the axis", fits=_known)
def cumulative_sum_lines(x: Array, axis: int, reverse: bool) -> Array:
    """The threads of neighbouring lines read neighbouring elements."""
    x = contiguous(x)
    result: Array = empty_beside(x, x.shape, _sum_dtype(x.dtype))
    length = x.shape[axis] if x.ndim else 1
    inner = math.prod(x.shape[axis + 1 :])
    lines = x.size // length if length else 0
    arguments = (x, result, np.int64(lines), np.int64(length), np.int64(inner), np.int32(reverse))
    SOURCE.launch_each("cumulative_sum", lines, arguments, _macros(x))
    return result
