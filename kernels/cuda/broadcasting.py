"""Broadcasting for kernels that walk over up to four axes: lengths and strides, in as few axes as will do."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST_AXES = 4

Shape = tuple[int, ...]


def collapse(shape: Shape, operands: Sequence[Shape]) -> tuple[Shape, list[Shape]]:
    """Return the lengths of a result's axes and every operand's strides along them, in elements.

    Neighbouring axes along which the same operands repeat become one; an operand that repeats has stride 0.
    Operands are contiguous, their shapes broadcast to `shape`.
    """
    padded = [(1,) * (len(shape) - len(operand)) + operand for operand in operands]
    lengths: list[int] = []
    last: tuple[bool, ...] | None = None
    kept: list[list[int]] = [[] for _ in operands]  # the operands' lengths along the axes that are left
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        repeats = tuple(operand[axis] == 1 for operand in padded)
        if repeats == last:
            lengths[-1] *= length
        else:
            lengths.append(length)
        for own, operand in zip(kept, padded, strict=True):
            if repeats == last:
                own[-1] *= operand[axis]
            else:
                own.append(operand[axis])
        last = repeats
    return tuple(lengths), [_strides(own) for own in kept]


def _strides(lengths: Sequence[int]) -> Shape:
    """Of a contiguous operand; 0 along the axes of length 1, which repeat."""
    return tuple(0 if length == 1 else math.prod(lengths[axis + 1 :]) for axis, length in enumerate(lengths))


def front_padded(values: Shape, filling: int) -> Shape:
    """Return `values` with `filling` in front, MOST_AXES in all."""
    return (filling,) * (MOST_AXES - len(values)) + values
