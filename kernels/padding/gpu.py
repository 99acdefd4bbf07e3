"""Padding on the GPU: axis by axis, one thread per element of the result, see padding.cu."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import FLOATING, Array
from kernels.cuda.launch import C_TYPES, Source, c_type, contiguous, empty_beside, floating
from kernels.elementwise import copy
from kernels.padding import MODES, pad_backward, pad_forward
from kernels.registry import implements

SOURCE = Source(__file__, "padding.cu")
IDEA = "axis by axis, one thread per element of the result"


def _run(kernel: str, arrays: tuple[Any, Any], axis: int, lengths: tuple[int, int], before: int, mode: str,
         *more: Any) -> None:  # fmt: skip
    """Run a kernel over the elements of the second array; lengths are those of x's axis and y's."""
    result = arrays[1]
    numbers = map(np.int64, (result.size, *lengths, math.prod(result.shape[axis + 1 :]), before))
    macros: dict[str, Any] = {
        "ELEMENT": c_type(result.dtype),
        "FLOATING": int(result.dtype in FLOATING),
        "MODE": MODES.index(mode),
    }
    SOURCE.launch_each(kernel, result.size, (*arrays, *numbers, *more), macros)


def _resized(x: Any, axis: int, length: int) -> Any:
    return empty_beside(x, (*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype)


@implements(pad_forward, "axes", IDEA, fits=lambda x, padding, mode, value: x.dtype in C_TYPES)
def pad_forward_axes(x: Array, padding: Sequence[tuple[int, int]], mode: str, value: float) -> Array:
    """Every output looks up its source along the axis."""
    y: Any = contiguous(x)
    for axis, (before, after) in enumerate(padding, x.ndim - len(padding)):
        if (before, after) != (0, 0):
            length = y.shape[axis]
            padded = _resized(y, axis, before + length + after)
            lengths = length, padded.shape[axis]
            _run("pad_axis", (y, padded), axis, lengths, before, mode, y.dtype.type(value))
            y = padded
    result: Array = copy(x) if y is x else y
    return result


@implements(pad_backward, "axes", IDEA, fits=floating)
def pad_backward_axes(grad_output: Array, padding: Sequence[tuple[int, int]], mode: str) -> Array:
    """Every element gathers from the outputs that show it along the axis."""
    grad: Any = contiguous(grad_output)
    for axis, (before, after) in enumerate(padding, grad.ndim - len(padding)):
        if (before, after) != (0, 0):
            cropped = _resized(grad, axis, grad.shape[axis] - before - after)
            lengths = cropped.shape[axis], grad.shape[axis]
            _run("pad_axis_backward", (grad, cropped), axis, lengths, before, mode)
            grad = cropped
    result: Array = copy(grad_output) if grad is grad_output else grad
    return result
