"""Concatenation on the GPU: one launch per array, one thread per element, see concat.cu."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.concat import concat_backward, concat_forward
from kernels.cuda.launch import C_TYPES, Source, c_type, contiguous, empty_beside
from kernels.registry import implements

SOURCE = Source(__file__, "concat.cu")
IDEA = "one launch per array, one thread per element"


def _known(arrays: Any, *others: Any) -> bool:
    first = arrays[0] if isinstance(arrays, list | tuple) else arrays
    return first.dtype in C_TYPES


def _copy(kernel: str, arrays: Sequence[Any], part: Any, length: int, axis: int, offset: int) -> None:
    """Copy between a part and the whole, of `length` along the axis, where the part begins at `offset`."""
    inner = math.prod(part.shape[axis + 1 :])
    numbers = (part.size, part.shape[axis] * inner, length * inner, offset * inner)
    SOURCE.launch_each(kernel, part.size, (*arrays, *map(np.int64, numbers)), {"ELEMENT": c_type(part.dtype)})


@implements(concat_forward, "parts", IDEA, fits=_known)
def concat_forward_parts(arrays: Sequence[Array], axis: int) -> Array:
    """Every array goes to its place."""
    first = arrays[0]
    length = sum(array.shape[axis] for array in arrays)
    whole: Array = empty_beside(first, (*first.shape[:axis], length, *first.shape[axis + 1 :]), first.dtype)
    offset = 0
    for array in arrays:
        part = contiguous(array)
        _copy("put_part", (part, whole), part, length, axis, offset)
        offset += part.shape[axis]
    return whole


@implements(concat_backward, "parts", IDEA, fits=_known)
def concat_backward_parts(grad_output: Array, lengths: Sequence[int], axis: int) -> tuple[Array, ...]:
    """Every array's gradient is copied out."""
    whole = contiguous(grad_output)
    parts: list[Array] = []
    offset = 0
    for length in lengths:
        shape = (*whole.shape[:axis], length, *whole.shape[axis + 1 :])
        part = empty_beside(whole, shape, whole.dtype)
        _copy("take_part", (whole, part), part, whole.shape[axis], axis, offset)
        parts.append(part)
        offset += length
    return tuple(parts)
