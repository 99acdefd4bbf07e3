"""A formula for numbers applied to every element of arrays by all threads; for the cpu backend.

`element_map` takes arrays of one shape, `broadcast_map` two that broadcast. A formula is a compiled function
of numbers without a branch that does much (a choice between two values is fine), so that loops become vector
code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import zip_longest
from typing import Any

import numpy as np

from kernels.array import FLOATING, Array
from kernels.cpu.compilation import compiled, contiguous, parallel, share_of, tasks_for
from kernels.memory import empty

Shape3 = tuple[int, int, int]

# Below this many elements NumPy, which needs no threads and no call into Numba, is faster.
WORTH_IT = 1 << 15


def floating(x: Array, *others: Any) -> bool:
    """Whether the kernels have the array's dtype; for `fits`."""
    return x.dtype in FLOATING


def worth_it(x: Array, *others: Any) -> bool:
    """Whether the array is large enough; for `pays`."""
    return x.size >= WORTH_IT


def any_worth_it(a: Array, b: Array) -> bool:
    """Whether one of the arrays is large enough; for `pays`."""
    return a.size >= WORTH_IT or b.size >= WORTH_IT


@cache
def rows_of(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[Shape3, Shape3, Shape3] | None:
    """Arrange the broadcast of two shapes as (outer, middle, inner); return it and both operands' shapes in
    it.

    Neighbouring axes along which the same operands repeat become one. None if more than three are left.
    """
    lengths: list[tuple[int, int]] = []  # of a and b along each axis that is left
    for ours, theirs in reversed(list(zip_longest(reversed(a), reversed(b), fillvalue=1))):
        last = lengths[-1] if lengths else None
        if (ours, theirs) == (1, 1):
            continue
        if last and _repeats(*last) == _repeats(ours, theirs):
            lengths[-1] = last[0] * ours, last[1] * theirs
        else:
            lengths.append((ours, theirs))
    if len(lengths) > 3:
        return None
    (a0, b0), (a1, b1), (a2, b2) = [(1, 1)] * (3 - len(lengths)) + lengths
    return (max(a0, b0), max(a1, b1), max(a2, b2)), (a0, a1, a2), (b0, b1, b2)


def _repeats(ours: int, theirs: int) -> int:
    """Which of two operands repeats along an axis that is not 1 for both: the first (-1), none (0), the
    second (1).
    """
    return 0 if ours == theirs else -1 if ours == 1 else 1


def element_map(formula: Callable[..., Any], arrays: int) -> Callable[..., Array]:
    """Return the operation y[i] = formula(a[i], ...) on `arrays` (1 or 2) arrays of one shape."""
    number_formula = formula if hasattr(formula, "py_func") else compiled(formula)

    if arrays == 1:

        @parallel
        def kernel(task: int, tasks: int, y: Any, a: Any) -> None:
            y, a = share_of(y, task, tasks), share_of(a, task, tasks)
            for i in range(y.size):
                y[i] = number_formula(a[i])

    else:

        @parallel
        def kernel(task: int, tasks: int, y: Any, a: Any, b: Any) -> None:
            y, a, b = share_of(y, task, tasks), share_of(a, task, tasks), share_of(b, task, tasks)
            for i in range(y.size):
                y[i] = number_formula(a[i], b[i])

    return lambda *operands: apply_kernel(kernel, *operands)


def apply_kernel(kernel: Any, *operands: Any) -> Array:
    """Run kernel(task, tasks, y, a, ...) on arrays of one shape as flat ones; numbers are brought into their
    type.
    """
    first = operands[0]
    y = empty(first.shape, first.dtype)
    arguments = [
        contiguous(np.asarray(x)).reshape(-1)
        if isinstance(x, np.ndarray | np.generic)
        else first.dtype.type(x)
        for x in operands
    ]
    kernel(tasks_for(y.size), y.reshape(-1), *arguments)
    return y


def broadcast_map(formula: Callable[[Any, Any], Any]) -> Callable[[Array, Array], Array]:
    """Return the operation y = formula(a, b) on two arrays that `rows_of` can arrange."""
    number_formula = compiled(formula)

    @compiled
    def row(y: Any, a: Any, b: Any) -> None:
        """One row; an operand of a single element serves all of it."""
        if a.size == y.size and b.size == y.size:
            for i in range(y.size):
                y[i] = number_formula(a[i], b[i])
        elif a.size == y.size:
            number = b[0]
            for i in range(y.size):
                y[i] = number_formula(a[i], number)
        else:
            number = a[0]
            for i in range(y.size):
                y[i] = number_formula(number, b[i])

    @parallel
    def kernel(task: int, tasks: int, y: Any, a: Any, b: Any) -> None:
        """y (outer, middle, inner); a, b likewise with 1 for axes along which they repeat."""
        outer, middle, _ = y.shape
        by_rows = outer * middle >= tasks
        first = outer * middle * task // tasks if by_rows else 0
        last = outer * middle * (task + 1) // tasks if by_rows else outer * middle
        for place in range(first, last):
            o, m = place // middle, place % middle
            y_row = y[o, m]
            a_row = a[o if a.shape[0] > 1 else 0, m if a.shape[1] > 1 else 0]
            b_row = b[o if b.shape[0] > 1 else 0, m if b.shape[1] > 1 else 0]
            if not by_rows:
                y_row = share_of(y_row, task, tasks)
                a_row = share_of(a_row, task, tasks) if a_row.size > 1 else a_row
                b_row = share_of(b_row, task, tasks) if b_row.size > 1 else b_row
            row(y_row, a_row, b_row)

    def run(a: Array, b: Array) -> Array:
        arranged = rows_of(a.shape, b.shape)
        if arranged is None:
            raise ValueError(f"a and b need rows, got shapes {a.shape} and {b.shape}")
        shape, a_shape, b_shape = arranged
        y = empty(a.shape if a.shape == b.shape else np.broadcast_shapes(a.shape, b.shape), a.dtype)
        if y.size:
            a, b = contiguous(a).reshape(a_shape), contiguous(b).reshape(b_shape)
            kernel(tasks_for(y.size), y.reshape(shape), a, b)
        return y

    return run
