"""Element by element in NumPy: a table of scalar formulas run in loops, and NumPy's array operations.

`loops` applies the formula to one element after the other; `ufunc` is the array operation that means the
same. Formulas see NumPy scalars, so that they compute in the operands' dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import elementwise
from kernels.array import Array
from kernels.operands import element_by_element
from kernels.registry import implements


def _maximum(a: Any, b: Any) -> Any:
    """`a != a` is true for NaN only."""
    return a if a != a or a > b else b


def _minimum(a: Any, b: Any) -> Any:
    return a if a != a or a < b else b


def _absolute(x: Any) -> Any:
    """Adding 0 turns -0.0 into 0.0."""
    return -x if x < 0 else x + x.dtype.type(0)


def _sign(x: Any) -> Any:
    return 1 if x > 0 else -1 if x < 0 else 0


def _is_nan(x: Any) -> Any:
    return x != x


def _is_finite(x: Any) -> Any:
    """Only a finite number minus itself is 0."""
    return x.dtype.kind in "iub" or x - x == 0


def _sign_array(x: Array) -> Array:
    positive: Array = (x > 0).astype(x.dtype)
    return positive - (x < 0)


def _floor(x: Any) -> Any:
    """The distance to the floor is the remainder by 1, which infinities do not have."""
    return x - x % 1 if _is_finite(x) else x


# contract, formula for scalars, operation on arrays
ARITHMETIC: list[tuple[Callable[..., Array], Callable[..., Any], Callable[..., Any]]] = [
    (elementwise.add, lambda a, b: a + b, np.add),
    (elementwise.subtract, lambda a, b: a - b, np.subtract),
    (elementwise.multiply, lambda a, b: a * b, np.multiply),
    (elementwise.divide, lambda a, b: a / b, np.divide),
    (elementwise.floor_divide, lambda a, b: a // b, np.floor_divide),
    (elementwise.remainder, lambda a, b: a % b, np.remainder),
    (elementwise.power, lambda a, b: a**b, np.power),
    (elementwise.maximum, _maximum, np.maximum),
    (elementwise.minimum, _minimum, np.minimum),
    (elementwise.negative, lambda x: -x, np.negative),
    (elementwise.absolute, _absolute, np.absolute),
    (elementwise.sign, _sign, _sign_array),
    (elementwise.exponential, lambda x: np.exp(x), np.exp),
    (elementwise.logarithm, lambda x: np.log(x), np.log),
    (elementwise.square_root, lambda x: np.sqrt(x), np.sqrt),
    (elementwise.sine, lambda x: np.sin(x), np.sin),
    (elementwise.cosine, lambda x: np.cos(x), np.cos),
    (elementwise.floor, _floor, np.floor),
    (elementwise.round_half_even, lambda x: round(x) if _is_finite(x) else x, np.rint),
]
TESTS: list[tuple[Callable[..., Array], Callable[..., Any], Callable[..., Any]]] = [
    (elementwise.is_nan, _is_nan, np.isnan),
    (elementwise.is_finite, _is_finite, np.isfinite),
]


def _loops(formula: Callable[..., Any], dtype: Any = None) -> Callable[..., Array]:
    """The formula over all elements; the result's dtype is the operands' unless given."""

    def loops(*operands: Array) -> Array:
        return element_by_element(formula, dtype or operands[0].dtype, operands)

    return loops


def _arrays(operation: Callable[..., Any]) -> Callable[..., Array]:
    """The array operation, with an array also where NumPy would return a scalar."""

    def ufunc(*operands: Array) -> Array:
        return np.asarray(operation(*operands))

    return ufunc


for _contract, _formula, _operation in ARITHMETIC:
    implements(_contract, "loops", "the formula, one element after the other", backend="reference")(
        _loops(_formula)
    )
    implements(_contract, "ufunc", "NumPy's operation on whole arrays", backend="reference")(
        _arrays(_operation)
    )
for _contract, _formula, _operation in TESTS:
    implements(_contract, "loops", "the question, one element after the other", backend="reference")(
        _loops(_formula, np.bool_)
    )
    implements(_contract, "ufunc", "NumPy's question to whole arrays", backend="reference")(
        _arrays(_operation)
    )


def _is_two(a: Array, b: Array) -> bool:
    return b.ndim == 0 and bool(b == 2)


@implements(elementwise.power, "square", "a scalar exponent 2 is one multiplication", fits=_is_two)
def power_square(a: Array, b: Array) -> Array:
    """a a."""
    return np.asarray(a * a)


@implements(elementwise.clip, "loops", "the formula, one element after the other")
def clip_loops(x: Array, low: float | None, high: float | None) -> Array:
    """min(max(x, low), high), where NaN is neither below nor above."""

    def formula(element: Any) -> Any:
        if low is not None and element < low:
            element = low
        return high if high is not None and element > high else element

    low, high = _bounds(x, low, high)
    return element_by_element(formula, x.dtype, [x])


@implements(elementwise.clip, "ufunc", "NumPy's maximum and minimum on whole arrays")
def clip_ufunc(x: Array, low: float | None, high: float | None) -> Array:
    """min(max(x, low), high)."""
    low, high = _bounds(x, low, high)
    result = x if low is None else np.maximum(x, low)
    if high is not None:
        result = np.minimum(result, high)
    return np.array(result) if result is x else np.asarray(result)


def _bounds(x: Array, low: float | None, high: float | None) -> tuple[Any, Any]:
    """The bounds in x's dtype; beyond an integer dtype's range they mean its ends."""

    def fit(bound: float | None) -> Any:
        if bound is None:
            return None
        if x.dtype.kind in "iu":
            info = np.iinfo(x.dtype)
            bound = max(info.min, min(info.max, bound))
        return x.dtype.type(bound)

    return fit(low), fit(high)


@implements(elementwise.where, "loops", "the choice, one element after the other")
def where_loops(condition: Array, a: Array, b: Array) -> Array:
    """a if condition else b."""
    return element_by_element(lambda c, x, y: x if c else y, a.dtype, [condition, a, b])


@implements(elementwise.where, "ufunc", "NumPy's choice on whole arrays")
def where_ufunc(condition: Array, a: Array, b: Array) -> Array:
    """np.where keeps the dtype because both choices have it."""
    return np.asarray(np.where(condition, a, b))


@implements(elementwise.cast, "loops", "the conversion, one element after the other")
def cast_loops(x: Array, dtype: Any) -> Array:
    """dtype(x)."""
    return element_by_element(lambda element: element.astype(dtype), dtype, [x])


@implements(elementwise.cast, "ufunc", "NumPy's conversion of whole arrays")
def cast_ufunc(x: Array, dtype: Any) -> Array:
    """A copy in the new dtype."""
    return x.astype(dtype, order="C")


@implements(elementwise.copy, "loops", "one element after the other")
def copy_loops(x: Array) -> Array:
    """x itself, in new memory."""
    return element_by_element(lambda element: element, x.dtype, [x])


@implements(elementwise.copy, "ufunc", "NumPy's copy of whole arrays")
def copy_ufunc(x: Array) -> Array:
    """Row-major whatever x's layout is."""
    return x.copy(order="C")
