"""Views as numbers: where they begin in a contiguous array, and their lengths and strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from kernels.indexing import Key

Numbers = tuple[int, ...]


class View(NamedTuple):
    """A view of a contiguous array.

    Attributes:
        first: where its first element lies.
        lengths: of its axes.
        steps: from element to element along each, in elements.
    """

    first: int
    lengths: Numbers
    steps: Numbers


def view_of(shape: Sequence[int], key: Key) -> View:
    """Return the view x[key] of a contiguous x of this shape (the key is checked)."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    named = sum(part is not None and part is not Ellipsis for part in key)
    first, axis = 0, 0
    lengths: list[int] = []
    steps: list[int] = []
    for part in key if Ellipsis in key else (*key, Ellipsis):
        if part is None:
            lengths.append(1)
            steps.append(0)
        elif part is Ellipsis:
            rest = slice(axis, axis + len(shape) - named)
            lengths += shape[rest]
            steps += strides[rest]
            axis = rest.stop
        elif isinstance(part, slice):
            places = range(*part.indices(shape[axis]))
            first += places.start * strides[axis] if places else 0
            lengths.append(len(places))
            steps.append(places.step * strides[axis])
            axis += 1
        else:
            first += int(part) % shape[axis] * strides[axis]
            axis += 1
    return View(first, tuple(lengths), tuple(steps))


def merged(lengths: Sequence[int], operands: Sequence[Sequence[int]]) -> tuple[Numbers, list[Numbers]]:
    """Return lengths and the operands' strides in as few axes as will do.

    Axes of length 1 are left out, neighbours that every operand runs through without a break become one.
    """
    axes: list[tuple[int, Numbers]] = []
    for length, *steps in zip(lengths, *operands, strict=True):
        if length == 1:
            continue
        if axes and axes[-1][1] == tuple(step * length for step in steps):
            axes[-1] = axes[-1][0] * length, tuple(steps)
        else:
            axes.append((length, tuple(steps)))
    return tuple(length for length, _ in axes), [
        tuple(steps[i] for _, steps in axes) for i in range(len(operands))
    ]
