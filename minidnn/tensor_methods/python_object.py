"""A tensor as a Python object: numbers, lists, lengths and truth."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Self

from kernels.device import to_host
from minidnn.tensor_methods.comparison import Comparison
from minidnn.tensor_methods.reduction import Reduction


class PythonObject(Reduction, Comparison):
    """Tensor's behaviour as a Python object."""

    def item(self) -> Any:
        """Return the only element as a Python number (ValueError if there are more or none)."""
        if self._array.size != 1:
            raise ValueError(f"item needs exactly one element, this tensor has shape {self._array.shape}")
        return to_host(self._array).item()

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        return to_host(self._array).tolist()

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("a scalar has no length")
        return int(self._array.shape[0])

    def __iter__(self) -> Iterator[Self]:
        if self._array.ndim == 0:
            raise TypeError("a scalar cannot be iterated over")
        return (self._slice(0, i) for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self._array.shape} is ambiguous; use any() or all()"
            )
        return bool(to_host(self._array).item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self._array.ndim:
            raise TypeError(f"only a scalar can be an index, this tensor has shape {self._array.shape}")
        return int(operator.index(to_host(self._array).item()))

    def __format__(self, specification: str) -> str:
        return format(self.item(), specification) if specification and self._array.ndim == 0 else str(self)

    def dim(self) -> int:
        """Return the number of axes."""
        return self._array.ndim

    def numel(self) -> int:
        """Return the number of elements."""
        return self._array.size

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one axis."""
        return self._array.shape if dim is None else self._array.shape[self._axis("dim", dim)]

    def is_floating_point(self) -> bool:
        """Return whether the dtype is float32 or float64."""
        return self._array.dtype.kind == "f"

    def is_contiguous(self) -> bool:
        """Return whether the elements lie in memory in row-major order."""
        return self._array.flags.c_contiguous

    def contiguous(self) -> Self:
        """Return self if it is contiguous, else a contiguous copy."""
        return self if self.is_contiguous() else self.clone()
