"""Copies and other dtypes: `clone`, `to` and its short forms."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kernels.array import shown
from kernels.device import CPU, Device, device_of
from minidnn.device import device as device_named
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
        """Return the tensor in another dtype, on another device; self if that changes nothing.

        Args:
            targets: dtypes, devices, or tensors whose dtype and device to take, in any order.
            dtype: the dtype by name.
            device: the device by name, see `minidnn.device`.

        Raises:
            ValueError: an unknown device, or one that this machine does not have.
            TypeError: neither a dtype, a tensor nor a device; or a complex tensor to a real dtype.
        """
        wanted, place = read_targets(targets, dtype, device)
        result = self
        if wanted is not None and wanted != self._array.dtype:
            result = self._apply(arithmetic.Cast(wanted), result)
        if place is not None and place != device_of(self._array):
            result = self._apply(arithmetic.Transfer(place), result)
        return result

    def cpu(self) -> Self:
        """Return the tensor in host memory: self if it lies there."""
        return self.to(CPU)

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


def read_targets(
    targets: tuple[Any, ...], dtype: Any, device: Any
) -> tuple[np.dtype[Any] | None, Device | None]:
    """Return the dtype and the device that the arguments of `to` name; None for what they do not."""
    wanted = None if dtype is None else _as_dtype(dtype)
    place = None if device is None else device_named(device)
    for target in targets:
        if isinstance(target, TensorBase):
            wanted, place = target._array.dtype, device_of(target._array)
        elif isinstance(target, Device) or (isinstance(target, str) and not hasattr(np, target)):
            place = device_named(target)
        else:
            wanted = _as_dtype(target)
    return wanted, place


def _as_dtype(value: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be a NumPy dtype or its name, got {shown(value)}") from None
    return dtype
