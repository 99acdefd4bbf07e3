"""Copies and other dtypes: `clone`, `to` and its short forms."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kernels.array import shown
from minidnn.operators import arithmetic
from minidnn.tensor_methods.base import TensorBase
from minidnn.tensor_methods.promotion import (
    DEFAULT_FLOAT,
)


class Conversion(TensorBase):
    """Tensor's copies and conversions."""

    def clone(self) -> Self:
        """Return a copy with its own memory, part of the graph."""
        return self._apply(arithmetic.Clone(), self)

    def to(self, *targets: Any, dtype: npt.DTypeLike | None = None, device: Any = None) -> Self:
        """Return the tensor in another dtype, or another tensor's dtype; self if that changes nothing.

        Args:
            targets: dtypes, tensors or the device "cpu", in any order.
            dtype: the dtype by name.
            device: the device by name.

        Raises:
            ValueError: a device other than "cpu".
            TypeError: neither a dtype, a tensor nor a device; or a complex tensor to a real dtype.
        """
        wanted = self._array.dtype if dtype is None else _as_dtype(dtype)
        for target in (*targets, *(() if device is None else (device,))):
            if isinstance(target, TensorBase):
                wanted = target._array.dtype
            elif isinstance(target, str) and not hasattr(np, target):
                if target != "cpu":
                    raise ValueError(f"device must be 'cpu', got {target!r}")
            else:
                wanted = _as_dtype(target)
        return self if wanted == self._array.dtype else self._apply(arithmetic.Cast(wanted), self)

    def cpu(self) -> Self:
        """Return self: all tensors live in host memory."""
        return self

    def _floating(self) -> Self:
        """Self, integers and bool as float32."""
        return self if self._array.dtype.kind in "fc" else self.to(DEFAULT_FLOAT)

    def _check_floating(self, what: str) -> None:
        if self._array.dtype.kind not in "fc":
            raise TypeError(f"{what} needs a floating tensor, this one is {self._array.dtype}; use float()")

    def double(self) -> Self:
        """Return the tensor in float64."""
        return self.to(np.float64)

    def long(self) -> Self:
        """Return the tensor in int64."""
        return self.to(np.int64)

    # These three hide the builtins of their names in annotations below them, so they stand last.

    def float(self) -> Self:
        """Return the tensor in float32."""
        return self.to(np.float32)

    def int(self) -> Self:
        """Return the tensor in int32."""
        return self.to(np.int32)

    def bool(self) -> Self:
        """Return where the tensor is not 0."""
        return self.to(np.bool_)


def _as_dtype(value: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be a NumPy dtype or its name, got {shown(value)}") from None
    return dtype
