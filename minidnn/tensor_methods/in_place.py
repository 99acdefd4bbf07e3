"""Changes in place, refused where they would break a gradient (see `Tensor._assign_`)."""

from __future__ import annotations

from typing import Any, Self

from minidnn import autograd
from minidnn.tensor_methods.arithmetic import Arithmetic
from minidnn.tensor_methods.base import TensorBase
from minidnn.tensor_methods.comparison import Comparison
from minidnn.tensor_methods.indexing import Indexing


class InPlace(Arithmetic, Indexing, Comparison):
    """Tensor's changes in place; a name that ends in _ writes into its tensor."""

    def _old(self, other: Any = None) -> Self:
        """Self to compute from before it is overwritten: a copy where backward may need the old values."""
        others = isinstance(other, TensorBase) and other._requires_grad
        recorded = autograd.is_grad_enabled() and (self._requires_grad or others)
        return self.clone() if recorded else self

    def __iadd__(self, other: Any) -> Self:
        return self._assign_(self + other)

    def __isub__(self, other: Any) -> Self:
        return self._assign_(self - other)

    def __imul__(self, other: Any) -> Self:
        return self._assign_(self._old(other) * other)

    def __itruediv__(self, other: Any) -> Self:
        return self._assign_(self._old(other) / other)

    def __ifloordiv__(self, other: Any) -> Self:
        return self._assign_(self._old(other) // other)

    def __imod__(self, other: Any) -> Self:
        return self._assign_(self._old(other) % other)

    def __ipow__(self, other: Any) -> Self:
        return self._assign_(self._old(other) ** other)

    def __iand__(self, other: Any) -> Self:
        return self._assign_(self & other)

    def __ior__(self, other: Any) -> Self:
        return self._assign_(self | other)

    def __ixor__(self, other: Any) -> Self:
        return self._assign_(self ^ other)

    def add_(self, other: Any, alpha: float = 1) -> Self:
        """Add alpha other in place."""
        return self._assign_(self.add(other, alpha))

    def sub_(self, other: Any, alpha: float = 1) -> Self:
        """Subtract alpha other in place."""
        return self._assign_(self.sub(other, alpha))

    def mul_(self, other: Any) -> Self:
        """Multiply in place."""
        return self._assign_(self._old(other) * other)

    def div_(self, other: Any) -> Self:
        """Divide in place."""
        return self._assign_(self._old(other) / other)

    def pow_(self, exponent: Any) -> Self:
        """Raise to a power in place."""
        return self._assign_(self._old(exponent) ** exponent)

    def neg_(self) -> Self:
        """Negate in place."""
        return self._assign_(-self)

    def abs_(self) -> Self:
        """Take absolute values in place."""
        return self._assign_(self._old().abs())

    def exp_(self) -> Self:
        """Replace x by e^x in place."""
        return self._assign_(self.exp())

    def log_(self) -> Self:
        """Replace x by ln x in place."""
        return self._assign_(self._old().log())

    def sqrt_(self) -> Self:
        """Replace x by its square root in place."""
        return self._assign_(self.sqrt())

    def clamp_(self, min: float | None = None, max: float | None = None) -> Self:
        """Clamp in place."""
        return self._assign_(self._old().clamp(min, max))

    def masked_fill_(self, mask: Any, value: Any) -> Self:
        """Write `value` where the mask (bool) holds."""
        return self._assign_(self.masked_fill(mask, value))

    def zero_(self) -> Self:
        """Write 0 everywhere."""
        return self.fill_(0)

    def fill_(self, value: Any) -> Self:
        """Write `value` (a number) everywhere."""
        self[...] = value
        return self

    def copy_(self, source: Any) -> Self:
        """Write the source's values, converted to this dtype; it must broadcast to this shape."""
        self[...] = source
        return self
