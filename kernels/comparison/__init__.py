"""Questions element by element: comparisons, and the logic of their answers.

NumPy's broadcasting rule holds (axes aligned at the end, lengths 1 stretched); two operands need one and the
same dtype; a result is a new bool array also for 0-d operands.
"""

from __future__ import annotations

from kernels.array import Array
from kernels.operands import ANYTHING, BOOLEAN, REAL, check_operand, check_operands
from kernels.registry import dispatch

__all__ = [
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
]


def equal(a: Array, b: Array) -> Array:
    """Return where a = b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: any numbers or bool, the same for both; result bool.
    Edge contract: NaN equals nothing, 0.0 equals -0.0.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, ANYTHING)
    return dispatch(equal, a, b)


def not_equal(a: Array, b: Array) -> Array:
    """Return where not a = b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: any numbers or bool, the same for both; result bool.
    Edge contract: true for NaN, even with itself.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, ANYTHING)
    return dispatch(not_equal, a, b)


def less(a: Array, b: Array) -> Array:
    """Return where a < b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: real numbers or bool (False < True), the same for both; result bool.
    Edge contract: false where either is NaN.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL)
    return dispatch(less, a, b)


def less_equal(a: Array, b: Array) -> Array:
    """Return where a <= b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: real numbers or bool (False < True), the same for both; result bool.
    Edge contract: false where either is NaN.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL)
    return dispatch(less_equal, a, b)


def greater(a: Array, b: Array) -> Array:
    """Return where a > b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: real numbers or bool (False < True), the same for both; result bool.
    Edge contract: false where either is NaN.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL)
    return dispatch(greater, a, b)


def greater_equal(a: Array, b: Array) -> Array:
    """Return where a >= b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: real numbers or bool (False < True), the same for both; result bool.
    Edge contract: false where either is NaN.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL)
    return dispatch(greater_equal, a, b)


def logical_and(a: Array, b: Array) -> Array:
    """Return where both a and b hold.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: bool.
    Edge contract: none beyond the truth table.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype.
    """
    check_operands(a, b, BOOLEAN)
    return dispatch(logical_and, a, b)


def logical_or(a: Array, b: Array) -> Array:
    """Return where a or b or both hold.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: bool.
    Edge contract: none beyond the truth table.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype.
    """
    check_operands(a, b, BOOLEAN)
    return dispatch(logical_or, a, b)


def logical_xor(a: Array, b: Array) -> Array:
    """Return where exactly one of a and b holds.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: bool.
    Edge contract: none beyond the truth table.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype.
    """
    check_operands(a, b, BOOLEAN)
    return dispatch(logical_xor, a, b)


def logical_not(x: Array) -> Array:
    """Return where x does not hold.

    Shapes: x any; result as x.
    Dtypes: bool.
    Edge contract: none beyond the truth table.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, BOOLEAN)
    return dispatch(logical_not, x)
