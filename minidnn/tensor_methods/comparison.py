"""Comparison and logic: bool tensors without history."""

from __future__ import annotations

from typing import Any, Self

from kernels import comparison, elementwise
from minidnn.tensor_methods.base import TensorBase
from minidnn.tensor_methods.promotion import (
    is_operand,
    meet,
    raw,
)


class Comparison(TensorBase):
    """Tensor's comparisons."""

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        if not is_operand(other):
            return NotImplemented
        return self._compare(comparison.equal, other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        if not is_operand(other):
            return NotImplemented
        return self._compare(comparison.not_equal, other)

    __hash__ = object.__hash__  # a class that defines __eq__ has none otherwise

    def __lt__(self, other: Any) -> Self:
        return self._compare(comparison.less, other)

    def __le__(self, other: Any) -> Self:
        return self._compare(comparison.less_equal, other)

    def __gt__(self, other: Any) -> Self:
        return self._compare(comparison.greater, other)

    def __ge__(self, other: Any) -> Self:
        return self._compare(comparison.greater_equal, other)

    def __and__(self, other: Any) -> Self:
        return self._compare(comparison.logical_and, other)

    def __rand__(self, other: Any) -> Self:
        return self._compare(comparison.logical_and, other)

    def __or__(self, other: Any) -> Self:
        return self._compare(comparison.logical_or, other)

    def __ror__(self, other: Any) -> Self:
        return self._compare(comparison.logical_or, other)

    def __xor__(self, other: Any) -> Self:
        return self._compare(comparison.logical_xor, other)

    def __rxor__(self, other: Any) -> Self:
        return self._compare(comparison.logical_xor, other)

    def __invert__(self) -> Self:
        return self._plain(comparison.logical_not(self._array))

    def _compare(self, question: Any, other: Any) -> Self:
        a, b = meet(self, other)
        return self._plain(question(raw(a), raw(b)))

    def eq(self, other: Any) -> Self:
        """Return where self = other."""
        return self._compare(comparison.equal, other)

    def ne(self, other: Any) -> Self:
        """Return where self differs from other."""
        return self._compare(comparison.not_equal, other)

    def lt(self, other: Any) -> Self:
        """Return where self < other."""
        return self.__lt__(other)

    def le(self, other: Any) -> Self:
        """Return where self <= other."""
        return self.__le__(other)

    def gt(self, other: Any) -> Self:
        """Return where self > other."""
        return self.__gt__(other)

    def ge(self, other: Any) -> Self:
        """Return where self >= other."""
        return self.__ge__(other)

    def logical_not(self) -> Self:
        """Return where self does not hold (bool)."""
        return ~self

    def isnan(self) -> Self:
        """Return where self is NaN."""
        return self._plain(elementwise.is_nan(self._array))

    def isfinite(self) -> Self:
        """Return where self is neither infinite nor NaN."""
        return self._plain(elementwise.is_finite(self._array))
