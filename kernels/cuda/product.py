"""The matrix product on tiles in shared memory, for the operations that are one; see product.cu."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from kernels.array import FLOATING, HALF
from kernels.cuda.broadcasting import MOST_AXES, Shape, collapse, front_padded
from kernels.cuda.launch import THREADS, Source, c_type, contiguous, empty_beside

SOURCE = Source(__file__, "product.cu")
TILE = 64
MOST_STACKED = 65535  # of a grid's second axis


class Matrices(NamedTuple):
    """A stack of matrices (..., rows, columns) in device memory.

    Attributes:
        array: their elements, contiguous.
        shape: (rows, columns).
        steps: from row to row and from column to column, in elements.
        stack: the leading axes.
    """

    array: Any
    shape: tuple[int, int]
    steps: tuple[int, int]
    stack: Shape

    @property
    def transposed(self) -> Matrices:
        """The same elements with rows and columns exchanged."""
        return self._replace(shape=self.shape[::-1], steps=self.steps[::-1])


def matrices(array: Any) -> Matrices:
    """Return an array (..., rows, columns) as matrices."""
    array = contiguous(array)
    *stack, rows, columns = array.shape
    return Matrices(array, (rows, columns), (columns, 1), tuple(stack))


def stack_fits(a: Shape, b: Shape) -> bool:
    """Whether the kernel can walk over the leading axes of both, broadcast."""
    return len(collapse(np.broadcast_shapes(a, b), [a, b])[0]) <= MOST_AXES


def tiled_product(a: Matrices, b: Matrices, bias: Any = None) -> Any:
    """Return the products a b over broadcast leading axes, plus a number per column."""
    (rows, depth), columns = a.shape, b.shape[1]
    stack = np.broadcast_shapes(a.stack, b.stack)
    y = empty_beside(a.array, (*stack, rows, columns), a.array.dtype)
    if not y.size:
        return y
    lengths, strides = collapse(stack, [a.stack, b.stack])
    a_steps, b_steps = (
        [step * math.prod(operand.shape) for step in front_padded(own, 0)]
        for operand, own in ((a, strides[0]), (b, strides[1]))
    )
    count = math.prod(stack)
    sizes = (rows, depth, columns, *a.steps, *b.steps, count, *front_padded(lengths, 1)[1:])
    arguments = (a.array, b.array, contiguous(bias), y)
    grid = (-(-rows // TILE) * -(-columns // TILE), min(count, MOST_STACKED))
    half = y.dtype == HALF
    macros: dict[str, Any] = {
        "ELEMENT": "__half" if half else c_type(y.dtype),
        "FLOATING": int(y.dtype in FLOATING),
        "HALF": int(half),
    }
    numbers = map(np.int64, (*sizes, *a_steps, *b_steps))
    SOURCE.launch("product", grid, (THREADS,), (*arguments, *numbers), macros)
    return y
