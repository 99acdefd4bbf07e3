"""Tensor's arithmetic: operators, powers, roots and waves, choice between operands."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np

from kernels.array import shown
from minidnn.operators import arithmetic
from minidnn.tensor_methods.base import TensorBase
from minidnn.tensor_methods.conversion import Conversion
from minidnn.tensor_methods.promotion import (
    as_floating,
    meet,
    raw,
    swapped,
)

_REAL = int | float | np.integer | np.floating


class Arithmetic(Conversion):
    """Tensor's arithmetic, element by element."""

    def __add__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Add(), meet(self, other))

    def __radd__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Add(), swapped(self, other))

    def __sub__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Subtract(), meet(self, other))

    def __rsub__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Subtract(), swapped(self, other))

    def __mul__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Multiply(), meet(self, other))

    def __rmul__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Multiply(), swapped(self, other))

    def __truediv__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Divide(), as_floating(*meet(self, other)))

    def __rtruediv__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Divide(), as_floating(*swapped(self, other)))

    def __floordiv__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.FloorDivide(), meet(self, other))

    def __rfloordiv__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.FloorDivide(), swapped(self, other))

    def __mod__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Remainder(), meet(self, other))

    def __rmod__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Remainder(), swapped(self, other))

    def __pow__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Power(), meet(self, other))

    def __rpow__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.Power(), swapped(self, other))

    def __matmul__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.MatMul(), meet(self, other))

    def __rmatmul__(self, other: Any) -> Self:
        return self._apply_to(arithmetic.MatMul(), swapped(self, other))

    def __neg__(self) -> Self:
        return self._apply(arithmetic.Negative(), self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self._apply(arithmetic.Absolute(), self)

    def add(self, other: Any, alpha: float = 1) -> Self:
        """Return self + alpha other."""
        return self + (other if alpha == 1 else self._tensor(other) * alpha)

    def sub(self, other: Any, alpha: float = 1) -> Self:
        """Return self - alpha other."""
        return self - (other if alpha == 1 else self._tensor(other) * alpha)

    def _tensor(self, other: Any) -> Self:
        """An operand as a tensor that this one can meet."""
        if isinstance(other, TensorBase):
            return cast("Self", other)
        return self._plain(raw(meet(self, other)[1]))

    def mul(self, other: Any) -> Self:
        """Return self other, element by element."""
        return self.__mul__(other)

    def div(self, other: Any) -> Self:
        """Return self / other, element by element; integers are divided in float32."""
        return self.__truediv__(other)

    def remainder(self, other: Any) -> Self:
        """Return self - other floor(self / other), with the divisor's sign."""
        return self.__mod__(other)

    def floor_divide(self, other: Any) -> Self:
        """Return floor(self / other)."""
        return self.__floordiv__(other)

    def pow(self, exponent: Any) -> Self:
        """Return self^exponent, element by element."""
        return self.__pow__(exponent)

    def matmul(self, other: Any) -> Self:
        """Return the matrix product; vectors count as a row (self) or a column (other), stacks broadcast."""
        return self.__matmul__(other)

    def neg(self) -> Self:
        """Return -self."""
        return -self

    def abs(self) -> Self:
        """Return |self|; the gradient at 0 is 0."""
        return self._apply(arithmetic.Absolute(), self)

    def exp(self) -> Self:
        """Return e^self."""
        return self._apply(arithmetic.Exponential(), self._floating())

    def log(self) -> Self:
        """Return the natural logarithm."""
        return self._apply(arithmetic.Logarithm(), self._floating())

    def sqrt(self) -> Self:
        """Return the square root."""
        return self._apply(arithmetic.SquareRoot(), self._floating())

    def sin(self) -> Self:
        """Return the sine (radians)."""
        return self._apply(arithmetic.Sine(), self._floating())

    def cos(self) -> Self:
        """Return the cosine (radians)."""
        return self._apply(arithmetic.Cosine(), self._floating())

    def sign(self) -> Self:
        """Return 1, 0 or -1; its gradient is 0."""
        return self._apply(arithmetic.Sign(), self)

    def floor(self) -> Self:
        """Return the largest whole number not above; its gradient is 0."""
        return self if self._array.dtype.kind in "iu" else self._apply(arithmetic.Floor(), self)

    def round(self) -> Self:
        """Return the nearest whole number, of two the even; its gradient is 0."""
        return self if self._array.dtype.kind in "iu" else self._apply(arithmetic.Round(), self)

    def square(self) -> Self:
        """Return self^2."""
        return self**2

    def clamp(self, min: float | None = None, max: float | None = None) -> Self:
        """Return min(max(self, min), max); None leaves a side open.

        Raises:
            ValueError: both bounds are None.
            TypeError: a bound that is not a real number.
        """
        if min is None and max is None:
            raise ValueError("clamp needs min or max, got None for both")
        for name, bound in (("min", min), ("max", max)):
            if isinstance(bound, bool) or not isinstance(bound, None | _REAL):
                raise TypeError(f"{name} must be a real number or None, got {shown(bound)}")
        broken = any(isinstance(bound, float | np.floating) for bound in (min, max))
        return self._apply(arithmetic.Clip(min, max), self._floating() if broken else self)

    def clip(self, min: float | None = None, max: float | None = None) -> Self:
        """Return `clamp(min, max)`."""
        return self.clamp(min, max)

    def maximum(self, other: Any) -> Self:
        """Return the larger of the two, element by element; equals share the gradient."""
        return self._apply_to(arithmetic.Maximum(), meet(self, other))

    def minimum(self, other: Any) -> Self:
        """Return the smaller of the two, element by element; equals share the gradient."""
        return self._apply_to(arithmetic.Minimum(), meet(self, other))

    def where(self, condition: Any, other: Any) -> Self:
        """Return self where the condition (bool) holds, else other."""
        return self._apply(arithmetic.Where(), condition, *meet(self, other))

    def masked_fill(self, mask: Any, value: Any) -> Self:
        """Return self with `value` (a number) where the mask (bool) holds."""
        return self._apply(arithmetic.Where(), mask, *swapped(self, value))
