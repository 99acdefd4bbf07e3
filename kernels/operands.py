"""Checks of operands that meet element by element, and the loop that is the definition of such an operation.

They stand before every scalar addition, so the good case costs a few attribute look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from kernels.array import ANALYTIC, FLOATING, Array

BOOLEAN = frozenset({np.dtype(np.bool_)})
INTEGER = frozenset(np.dtype(kind) for kind in ("u1", "i1", "i2", "i4", "i8"))
REAL_NUMBERS = INTEGER.union(FLOATING)
NUMBERS = INTEGER.union(ANALYTIC)
REAL = REAL_NUMBERS | BOOLEAN
ANYTHING = NUMBERS | BOOLEAN


def check_operand(x: Array, allowed: Collection[Any], name: str = "x") -> None:
    """Require an array of one of the allowed dtypes (TypeError otherwise)."""
    try:
        fine = x.dtype in allowed
    except AttributeError:
        raise TypeError(f"{name} must be an array, got {type(x).__name__}") from None
    if not fine:
        names = ", ".join(sorted(map(str, allowed)))
        raise TypeError(f"{name} must have one of the dtypes {names}, got {x.dtype}")


def check_same(a: Array, b: Array, allowed: Collection[Any]) -> None:
    """Require two arrays of one and the same allowed dtype (TypeError otherwise)."""
    try:
        fine = a.dtype == b.dtype and a.dtype in allowed
    except AttributeError:
        fine = False
    if not fine:
        check_operand(a, allowed, "a")
        check_operand(b, allowed, "b")
        raise TypeError(f"b has dtype {b.dtype} but a has {a.dtype}; both need the same dtype")


def check_operands(a: Array, b: Array, allowed: Collection[Any]) -> None:
    """Require two arrays of one and the same allowed dtype whose shapes broadcast.

    Raises:
        TypeError: not arrays, a dtype that is not allowed, or two dtypes.
        ValueError: shapes that do not broadcast.
    """
    check_same(a, b, allowed)
    if a.shape != b.shape:
        check_broadcast(a=a, b=b)


def check_broadcast(**arrays: Array) -> tuple[int, ...]:
    """Return the shape to which the named arrays broadcast (ValueError if they do not).

    Axes are aligned at the end; along each, the lengths other than 1 must be equal.
    """
    try:
        try:
            return np.broadcast(*arrays.values()).shape
        except TypeError:  # arrays in device memory are not NumPy's to look at
            return np.broadcast_shapes(*(tuple(array.shape) for array in arrays.values()))
    except ValueError:
        shapes = " and ".join(f"{name} {tuple(array.shape)}" for name, array in arrays.items())
        raise ValueError(
            f"the shapes of {shapes} do not broadcast; along each axis they need 1 or one length"
        ) from None


def broadcastable(*shapes: Sequence[int]) -> bool:
    """Whether the shapes broadcast against each other."""
    try:
        np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:
        return False
    return True


def element_by_element(formula: Callable[..., Any], dtype: Any, operands: Sequence[Array]) -> Array:
    """Apply a formula for scalars to every element of the broadcast operands."""
    arrays = np.broadcast_arrays(*operands)
    result = np.empty(arrays[0].shape, dtype)
    for index in np.ndindex(result.shape):
        result[index] = formula(*(array[index] for array in arrays))
    return result


def normalize_axis(name: str, axis: int, ndim: int) -> int:
    """Return `axis` counted from the front; scalars have one virtual axis, as in PyTorch.

    Raises:
        ValueError: the axis is out of range.
    """
    span = max(ndim, 1)
    if not -span <= axis < span:
        raise ValueError(f"{name} must be in [{-span}, {span - 1}] for {ndim} dimensions, got {axis}")
    return axis % span
