"""Operations element by element: arithmetic, roots and waves, choice and conversion. Forward only.

Their derivatives are composed of each other in `minidnn/operators`. Everywhere NumPy's broadcasting rule
holds (axes aligned at the end, lengths 1 stretched), two operands need one and the same dtype, and a result
is a new array also for 0-d operands. NaN and infinities propagate silently as IEEE 754 defines them.

"numbers" below are uint8, int8, int16, int32, int64, float32, float64, complex128; "real" leaves out
complex128, "floating" means float32 and float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import ANALYTIC, FLOATING, HALF, SINGLE, Array, shown
from kernels.operands import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBERS,
    REAL,
    REAL_NUMBERS,
    check_broadcast,
    check_operand,
    check_operands,
)
from kernels.registry import dispatch

__all__ = [
    "absolute",
    "add",
    "cast",
    "clip",
    "copy",
    "cosine",
    "divide",
    "exponential",
    "floor",
    "floor_divide",
    "is_finite",
    "is_nan",
    "logarithm",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "power",
    "remainder",
    "round_half_even",
    "sign",
    "sine",
    "square_root",
    "subtract",
    "where",
]


def add(a: Array, b: Array) -> Array:
    """Return a + b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: numbers or bool, the same for both and the result; for bool the sum is "or".
    Edge contract: integers wrap around.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, ANYTHING)
    return dispatch(add, a, b)


def subtract(a: Array, b: Array) -> Array:
    """Return a - b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: numbers, the same for both and the result.
    Edge contract: integers wrap around.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype (bool has no difference), or two dtypes.
    """
    check_operands(a, b, NUMBERS)
    return dispatch(subtract, a, b)


def multiply(a: Array, b: Array) -> Array:
    """Return a b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: numbers or bool, the same for both and the result; for bool the product is "and".
    Edge contract: integers wrap around.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, ANYTHING)
    return dispatch(multiply, a, b)


def divide(a: Array, b: Array) -> Array:
    """Return a / b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: floating or complex128, the same for both and the result.
    Edge contract: x / 0 is an infinity of x's sign, 0 / 0 is NaN.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, ANALYTIC)
    return dispatch(divide, a, b)


def floor_divide(a: Array, b: Array) -> Array:
    """Return floor(a / b), so that a = b floor_divide(a, b) + remainder(a, b).

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: integers or floating, the same for both and the result.
    Edge contract: rounds towards minus infinity for either sign; floating x / 0 is an infinity, 0 / 0 NaN.

    Raises:
        ValueError: shapes that do not broadcast, or an integer divisor 0.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL_NUMBERS)
    _check_divisor(b)
    return dispatch(floor_divide, a, b)


def remainder(a: Array, b: Array) -> Array:
    """Return a - b floor(a / b).

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: integers or floating, the same for both and the result.
    Edge contract: the result has the divisor's sign, as Python's %; a floating remainder by 0 is NaN.

    Raises:
        ValueError: shapes that do not broadcast, or an integer divisor 0.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL_NUMBERS)
    _check_divisor(b)
    return dispatch(remainder, a, b)


def _check_divisor(b: Array) -> None:
    if b.dtype in INTEGER and not b.all():
        raise ValueError("b holds a 0, but integers can be divided by other numbers only")


def power(a: Array, b: Array) -> Array:
    """Return a^b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: numbers, the same for both and the result.
    Edge contract: 0^0 = 1; a negative base with a broken exponent is NaN; 0^b for b < 0 is infinite.
        Integers wrap around.

    Raises:
        ValueError: shapes that do not broadcast, or a negative exponent of integers.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, NUMBERS)
    if b.dtype in INTEGER and (b < 0).any():
        raise ValueError("b holds a negative exponent, but integers need exponents of at least 0")
    return dispatch(power, a, b)


def maximum(a: Array, b: Array) -> Array:
    """Return the larger of a and b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: real or bool, the same for both and the result.
    Edge contract: NaN if either is NaN.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL)
    return dispatch(maximum, a, b)


def minimum(a: Array, b: Array) -> Array:
    """Return the smaller of a and b.

    Shapes: any two that broadcast; result: the broadcast shape.
    Dtypes: real or bool, the same for both and the result.
    Edge contract: NaN if either is NaN.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operands(a, b, REAL)
    return dispatch(minimum, a, b)


def negative(x: Array) -> Array:
    """Return -x.

    Shapes: x any; result as x.
    Dtypes: numbers; the result's too.
    Edge contract: integers wrap around; -(0.0) is -0.0.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, NUMBERS)
    return dispatch(negative, x)


def absolute(x: Array) -> Array:
    """Return |x|: x where x >= 0, else -x.

    Shapes: x any; result as x.
    Dtypes: real; the result's too.
    Edge contract: |-0.0| = 0.0; the most negative integer wraps around to itself.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, REAL_NUMBERS)
    return dispatch(absolute, x)


def sign(x: Array) -> Array:
    """Return 1 where x > 0, -1 where x < 0, else 0.

    Shapes: x any; result as x.
    Dtypes: real; the result's too.
    Edge contract: 0 for NaN, as PyTorch.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, REAL_NUMBERS)
    return dispatch(sign, x)


def exponential(x: Array) -> Array:
    """Return e^x.

    Shapes: x any; result as x.
    Dtypes: floating or complex128; the result's too.
    Edge contract: overflow is infinite, e^(-inf) = 0.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANALYTIC)
    return dispatch(exponential, x)


def logarithm(x: Array) -> Array:
    """Return the natural logarithm ln x.

    Shapes: x any; result as x.
    Dtypes: floating or complex128; the result's too.
    Edge contract: ln 0 = -inf, NaN for negative x; complex: the principal branch.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANALYTIC)
    return dispatch(logarithm, x)


def square_root(x: Array) -> Array:
    """Return the square root of x.

    Shapes: x any; result as x.
    Dtypes: floating or complex128; the result's too.
    Edge contract: NaN for negative x, -0.0 for -0.0; complex: the principal branch.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANALYTIC)
    return dispatch(square_root, x)


def sine(x: Array) -> Array:
    """Return sin x, x in radians.

    Shapes: x any; result as x.
    Dtypes: floating or complex128; the result's too.
    Edge contract: NaN for an infinity.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANALYTIC)
    return dispatch(sine, x)


def cosine(x: Array) -> Array:
    """Return cos x, x in radians.

    Shapes: x any; result as x.
    Dtypes: floating or complex128; the result's too.
    Edge contract: NaN for an infinity.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANALYTIC)
    return dispatch(cosine, x)


def floor(x: Array) -> Array:
    """Return the largest whole number that is not above x.

    Shapes: x any; result as x.
    Dtypes: floating; the result's too.
    Edge contract: infinities and NaN stay.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, FLOATING)
    return dispatch(floor, x)


def round_half_even(x: Array) -> Array:
    """Return the nearest whole number; of two equally near ones the even.

    Shapes: x any; result as x.
    Dtypes: floating; the result's too.
    Edge contract: 0.5 becomes 0, 1.5 becomes 2 (IEEE 754's default rounding); infinities and NaN stay.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, FLOATING)
    return dispatch(round_half_even, x)


def clip(x: Array, low: float | None, high: float | None) -> Array:
    """Return min(max(x, low), high).

    Shapes: x any; result as x.
    Dtypes: real; the result's too.
    Edge contract: None leaves that side open; low > high gives high everywhere; NaN stays NaN.

    Raises:
        TypeError: another dtype, a bound that is not a real number, or a broken bound for integers.
    """
    check_operand(x, REAL_NUMBERS)
    for name, bound in (("low", low), ("high", high)):
        if bound is None:
            continue
        if isinstance(bound, bool) or not isinstance(bound, int | float | np.integer | np.floating):
            raise TypeError(f"{name} must be a real number or None, got {shown(bound)}")
        if x.dtype in INTEGER and not isinstance(bound, int | np.integer):
            raise TypeError(f"{name} must be an integer because x is {x.dtype}, got {shown(bound)}")
    return dispatch(clip, x, low, high)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Return a where the condition holds, else b.

    Shapes: any three that broadcast; result: the broadcast shape.
    Dtypes: condition bool; a and b numbers or bool, the same for both and the result.
    Edge contract: what is not chosen has no influence, NaN included.

    Raises:
        ValueError: shapes that do not broadcast.
        TypeError: another dtype, or two dtypes.
    """
    check_operand(condition, BOOLEAN, "condition")
    check_operands(a, b, ANYTHING)
    check_broadcast(condition=condition, a=a, b=b)
    return dispatch(where, condition, a, b)


def cast(x: Array, dtype: Any) -> Array:
    """Return x's values in another dtype.

    Shapes: x any; result as x.
    Dtypes: x and `dtype` numbers or bool; float16 from and to float32 only.
    Edge contract: floating to integer drops the fraction (what does not fit is arbitrary), anything but
        0 becomes True, integers wrap around. The result is a copy also when the dtype stays.

    Raises:
        TypeError: another dtype or pair of them, or complex128 to a real dtype.
    """
    wanted = np.dtype(dtype)
    if HALF in (getattr(x, "dtype", None), wanted):
        if SINGLE not in (x.dtype, wanted):
            raise TypeError(
                f"x must be float32 to become float16, and the reverse, got {x.dtype} for {wanted}"
            )
        return dispatch(cast, x, wanted)
    check_operand(x, ANYTHING)
    if wanted not in ANYTHING:
        raise TypeError(f"dtype must be one of {', '.join(sorted(map(str, ANYTHING)))}, got {wanted}")
    if x.dtype.kind == "c" and wanted.kind not in "cb":
        raise TypeError(f"x has dtype {x.dtype}, whose imaginary part would be lost in {wanted}")
    return dispatch(cast, x, wanted)


def copy(x: Array) -> Array:
    """Return x's values in new memory, in row-major order.

    Shapes: x any; result as x.
    Dtypes: numbers or bool; the result's too.
    Edge contract: the result is contiguous and writable whatever x is.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANYTHING)
    return dispatch(copy, x)


def is_nan(x: Array) -> Array:
    """Return where x is NaN.

    Shapes: x any; result as x.
    Dtypes: numbers or bool; result bool.
    Edge contract: integers and bool are never NaN; a complex number is if either part is.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANYTHING)
    return dispatch(is_nan, x)


def is_finite(x: Array) -> Array:
    """Return where x is neither infinite nor NaN.

    Shapes: x any; result as x.
    Dtypes: numbers or bool; result bool.
    Edge contract: integers and bool are always finite; a complex number is if both parts are.

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANYTHING)
    return dispatch(is_finite, x)
