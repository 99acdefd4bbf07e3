"""A formula for numbers applied to every element of arrays by all threads; for the cpu backend.

`element_map` takes arrays of one shape, `broadcast_map` two that broadcast. A formula is a compiled function
of numbers without a branch that does much (a choice between two values is fine), so that loops become vector
code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    enough = ONE_STEP_WORTH_IT if a.shape == b.shape else WORTH_IT
    return a.size >= enough or b.size >= enough


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

    return lambda *operands: apply_kernel(kernel, smallest, operands)


def apply_kernel(kernel: Any, smallest: int, arrays: Sequence[Array], *numbers: Any) -> Array:
    """Run kernel(task, tasks, y, x, ..., number, ...) on arrays of one shape as flat ones.

    A task takes at least `smallest` elements. Numbers must have the arrays' type.
    """
    x = arrays[0]
    y = empty(x.shape, x.dtype)
    flat = [contiguous(array).ravel() for array in arrays]
    kernel(tasks_for(x.size, smallest), y.ravel(), *flat, *numbers)
    return y


def broadcast_map(formula: Callable[[Any, Any], Any]) -> Callable[[Array, Array], Array]:
    """Return the operation y = formula(a, b) on two arrays that `rows_of` can arrange."""
    number_formula = compiled(formula)

    @compiled(inline="always")
    def row(y: Any, a: Any, b: Any) -> None:
        """One row; an operand of a single element serves all of it."""
        if a.size == b.size:
            for i in range(y.size):
                y[i] = number_formula(a[i], b[i])
        elif b.size == 1:
            number = b[0]
            for i in range(y.size):
                y[i] = number_formula(a[i], number)
        else:
            number = a[0]
            for i in range(y.size):
                y[i] = number_formula(number, b[i])

    @compiled(borrowing=True)
    def rows(y: Any, a: Any, b: Any, first: int, last: int) -> None:
        """The rows first .. last - 1 of y (rows, columns); an operand of one row serves all of them."""
        for r in range(first, last):
            row(y[r], a[r if a.shape[0] > 1 else 0], b[r if b.shape[0] > 1 else 0])

    @parallel
    def kernel(task: int, tasks: int, y: Any, a: Any, b: Any) -> None:
        """y (outer, middle, inner); a, b likewise with 1 for axes along which they repeat.

        The middle axis is shared out, or the inner one where that is too short.
        """
        outer, middle, _ = y.shape
        for o in range(outer):
            y2, a2, b2 = y[o], a[o if a.shape[0] > 1 else 0], b[o if b.shape[0] > 1 else 0]
            if middle >= tasks:
                rows(y2, a2, b2, middle * task // tasks, middle * (task + 1) // tasks)
                continue
            for m in range(middle):
                left, right = a2[m if a.shape[1] > 1 else 0], b2[m if b.shape[1] > 1 else 0]
                left = share_of(left, task, tasks) if left.size > 1 else left
                right = share_of(right, task, tasks) if right.size > 1 else right
                row(share_of(y2[m], task, tasks), left, right)

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
