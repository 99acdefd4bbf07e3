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
from kernels.cpu.compilation import SMALLEST_TASK, compiled, contiguous, parallel, share_of, tasks_for
from kernels.memory import empty

Shape3 = tuple[int, int, int]

# Below this many elements NumPy, which needs no threads and no call into Numba, is faster.
WORTH_IT = 1 << 15
# Below this many it adds and copies faster, for that is one pass over memory in the caches.
ONE_STEP_WORTH_IT = 1 << 17
# Below this many it does so with formulas of two steps, each of which is a pass over memory.
TWO_STEPS_WORTH_IT = 1 << 11
# A task of this many additions or choices takes longer than a second thread needs to wake up.
CHEAP_TASK = 24 * 1024


def floating(x: Array, *others: Any) -> bool:
    """Whether the kernels have the array's dtype; for `fits`."""
    return x.dtype in FLOATING


def worth_it(x: Array, *others: Any) -> bool:
    """Whether the array is large enough for a formula of one step; for `pays`."""
    return x.size >= ONE_STEP_WORTH_IT


def two_steps_worth_it(x: Array, *others: Any) -> bool:
    """Whether the array is large enough for a formula of two steps; for `pays`."""
    return x.size >= TWO_STEPS_WORTH_IT


def any_worth_it(a: Array, b: Array) -> bool:
    """Whether one of the arrays is large enough for a formula of one step; for `pays`."""
    return a.size >= ONE_STEP_WORTH_IT or b.size >= ONE_STEP_WORTH_IT


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


def element_map(
    formula: Callable[..., Any], arrays: int, smallest: int = SMALLEST_TASK
) -> Callable[..., Array]:
    """Return the operation y[i] = formula(a[i], ...) on `arrays` (1 or 2) arrays of one shape.

    A task takes at least `smallest` elements.
    """
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

    return lambda *operands: apply_kernel(kernel, smallest, *operands)


def apply_kernel(kernel: Any, smallest: int, *operands: Any) -> Array:
    """Run kernel(task, tasks, y, a, ...) on arrays of one shape as flat ones, at least `smallest` elements a
    task; numbers are brought into the arrays' type.
    """
    first = operands[0]
    y = empty(first.shape, first.dtype)
    number = first.dtype.type
    arguments = [contiguous(x).ravel() if hasattr(x, "dtype") else number(x) for x in operands]
    kernel(tasks_for(y.size, smallest), y.ravel(), *arguments)
    return y


def broadcast_map(formula: Callable[[Any, Any], Any]) -> Callable[[Array, Array], Array]:
    """Return the operation y = formula(a, b) on two arrays that `rows_of` can arrange."""
    number_formula = compiled(formula)

    @compiled(borrowing=True)
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

    @compiled(inline="always")
    def columns(x: Any, outer: int, middle: int, task: int, tasks: int) -> Any:
        """A share of an operand's row; an operand that repeats along an axis has the length 1 there."""
        line = x[outer if x.shape[0] > 1 else 0, middle if x.shape[1] > 1 else 0]
        return share_of(line, task, tasks) if tasks > 1 and line.size > 1 else line

    @compiled(borrowing=True)
    def rows(y: Any, a: Any, b: Any, first: int, last: int, task: int, tasks: int) -> None:
        """A share of each of the rows first .. last - 1, counted over all."""
        for place in range(first, last):
            o = place // y.shape[1]
            m = place - o * y.shape[1]
            row(
                columns(y, o, m, task, tasks),
                columns(a, o, m, task, tasks),
                columns(b, o, m, task, tasks),
            )

    @parallel
    def kernel(task: int, tasks: int, y: Any, a: Any, b: Any) -> None:
        """y (outer, middle, inner); a, b likewise with 1 for axes along which they repeat."""
        count = y.shape[0] * y.shape[1]
        if count >= tasks:
            rows(y, a, b, count * task // tasks, count * (task + 1) // tasks, 0, 1)
        else:
            rows(y, a, b, 0, count, task, tasks)

    def run(a: Array, b: Array) -> Array:
        if a.shape == b.shape:
            y = empty(a.shape, a.dtype)
            shape = a_shape = b_shape = (1, 1, a.size)
        else:
            arranged = rows_of(a.shape, b.shape)
            if arranged is None:
                raise ValueError(f"a and b need rows, got shapes {a.shape} and {b.shape}")
            shape, a_shape, b_shape = arranged
            y = empty(np.broadcast_shapes(a.shape, b.shape), a.dtype)
        if y.size:
            a, b = contiguous(a).reshape(a_shape), contiguous(b).reshape(b_shape)
            kernel(tasks_for(y.size, CHEAP_TASK), y.reshape(shape), a, b)
        return y

    return run
