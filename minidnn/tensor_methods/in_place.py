"""Changes in place, refused where they would break a gradient."""

from __future__ import annotations

from typing import Any, Self

from kernels.device import overwrite
from minidnn.modes import MODES, is_grad_enabled
from minidnn.tensor_methods.arithmetic import Arithmetic
from minidnn.tensor_methods.base import TensorBase
from minidnn.tensor_methods.comparison import Comparison
from minidnn.tensor_methods.indexing import Indexing


class InPlace(Arithmetic, Indexing, Comparison):
    """Tensor's changes in place; a name that ends in _ writes into its tensor."""

    def _assign_(self, result: Any) -> Self:
        """Make this tensor hold `result`'s values in its own memory, and take over its history.

        Raises:
            ValueError: a leaf that requires grad, a view of a differentiated tensor, or another shape.
        """
        mine, other = self._array, result._array
        if other.shape != mine.shape:
            raise ValueError(f"an in-place result must keep shape {mine.shape}, it has {other.shape}")
        if other.dtype != mine.dtype:
            raise TypeError(f"an in-place result must keep dtype {mine.dtype}, it has {other.dtype}")
        recorded = is_grad_enabled() and (self._requires_grad or result._requires_grad)
        if recorded and self._edge is None and self._requires_grad:
            raise ValueError("a leaf that requires grad cannot be changed in place; use no_grad()")
        if recorded and self._view_version is not None:
            raise ValueError(
                "a view cannot be changed in place while gradients are recorded; assign to its base: "
                "base[index] = value"
            )
        observer = MODES.get().observer
        if observer is not None:
            observer.assign(mine, other)
        overwrite(mine, other)
        self.mark_changed()
        if recorded:
            moves = self._forget_retained()
            self._requires_grad = True
            self._edge = result._edge
            self._counter.rewritten = True
            if moves:  # `grad` is to be that of the new value
                self.retain_grad()
        return self

    def _forget_retained(self) -> bool:
        """Undo `retain_grad`; return whether it was in force."""
        if self._edge is None:
            return False
        function, output = self._edge
        return function.retained is not None and function.retained.pop(output, None) is not None

    def _old(self, other: Any = None) -> Self:
        """Self to compute from before it is overwritten: a copy where backward may need the old values."""
        others = isinstance(other, TensorBase) and other._requires_grad
        recorded = is_grad_enabled() and (self._requires_grad or others)
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
