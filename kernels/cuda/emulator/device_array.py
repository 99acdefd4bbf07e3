"""The emulator's array: what CuPy's offers, on memory that NumPy is kept from.

On a GPU an array's elements are out of the host's reach. Here they are not, so a forgotten transfer would go
unnoticed if NumPy could look inside: every silent conversion is refused, as CuPy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from kernels.cuda.emulator.counting import LibraryCall, record
from kernels.cuda.emulator.memory import Allocation

_DLPACK_EXTENSION = 12  # DLPack's kDLExtDev: a device that is none of those it knows


class DeviceArray:
    """An array in the emulated device's memory; `asarray`, `empty` and `zeros` make one.

    Attributes:
        shape, dtype, ndim, size, nbytes, strides, flags: as NumPy's.
    """

    __array_ufunc__ = None  # NumPy's operators then give up, with a TypeError

    def __init__(self, elements: npt.NDArray[Any], allocation: Allocation) -> None:
        self._elements = elements
        self._allocation = allocation
        self.shape, self.dtype = elements.shape, elements.dtype
        self.ndim, self.size, self.nbytes = elements.ndim, elements.size, elements.nbytes
        self.strides, self.flags = elements.strides, elements.flags

    @property
    def address(self) -> int:
        """Where the first element lies."""
        return self._elements.ctypes.data

    @property
    def allocation(self) -> Allocation:
        """The memory that it is a view of."""
        return self._allocation

    def get(self) -> npt.NDArray[Any]:
        """Return a copy in host memory."""
        return self._elements.copy(order="C")

    def set(self, array: npt.NDArray[Any]) -> None:
        """Overwrite the elements from host memory (ValueError: another shape or dtype)."""
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(
                f"array must be {self.dtype} of shape {self.shape}, got {array.dtype} of shape {array.shape}"
            )
        self._elements[...] = array

    def copy(self) -> DeviceArray:
        """Return a copy in row-major order."""
        return asarray(self._elements)

    def reshape(self, *shape: Any) -> DeviceArray:
        """Return the elements in another shape, without a copy where that is possible."""
        return self._like(self._elements.reshape(*shape))

    def transpose(self, *axes: Any) -> DeviceArray:
        """Return a view with permuted axes."""
        return self._like(self._elements.transpose(*axes))

    def swapaxes(self, axis1: int, axis2: int) -> DeviceArray:
        """Return a view with two axes swapped."""
        return self._like(self._elements.swapaxes(axis1, axis2))

    def squeeze(self, axis: int) -> DeviceArray:
        """Return a view without an axis, which must have length 1."""
        return self._like(self._elements.squeeze(axis))

    @property
    def T(self) -> DeviceArray:  # noqa: N802 - NumPy's name
        """A view with the axes reversed."""
        return self.transpose()

    @property
    def real(self) -> DeviceArray:
        """The real part: a real array as it is."""
        return self._like(self._elements.real)

    def __getitem__(self, index: Any) -> DeviceArray:
        """Return a view of slices, integers, None and ...; anything else is refused."""
        parts = index if isinstance(index, tuple) else (index,)
        if not all(part is None or part is ... or isinstance(part, slice | int) for part in parts):
            raise TypeError("a device array takes slices, integers, None and ... as indices")
        # With ... in the index NumPy returns a view for a single element too.
        return self._like(self._elements[index if ... in parts else (*parts, ...)])

    def _like(self, elements: npt.NDArray[Any]) -> DeviceArray:
        if elements.size and not np.may_share_memory(elements, self._elements):
            return asarray(elements)
        return DeviceArray(elements, self._allocation)

    def __dlpack_device__(self) -> tuple[int, int]:
        return _DLPACK_EXTENSION, 0

    def __dlpack__(self, **_: Any) -> NoReturn:
        raise BufferError("the emulator's memory is for its own arrays: use .get() to copy it to the host")

    def __len__(self) -> int:
        return len(self._elements)

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype})"

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("implicit conversion of a device array to NumPy: use .get() to copy it to the host")

    def __array_function__(self, function: Any, *_: Any) -> NoReturn:
        raise TypeError(f"numpy.{function.__name__} cannot work on a device array: use .get() first")

    def __iter__(self) -> NoReturn:
        raise TypeError("iteration over a device array: use .get() to copy it to the host")

    def __bool__(self) -> NoReturn:
        raise TypeError("the truth of a device array: use .get() to copy it to the host")


def empty(shape: int | Sequence[int], dtype: npt.DTypeLike = np.float64) -> DeviceArray:
    """Return an array of which nothing is set: floating elements are NaN, others have all bits set."""
    kind = np.dtype(dtype)
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    count = int(np.prod(lengths, dtype=np.int64))
    allocation = Allocation(count * kind.itemsize)
    return DeviceArray(np.asarray(allocation).view(kind).reshape(lengths), allocation)


def zeros(shape: int | Sequence[int], dtype: npt.DTypeLike = np.float64) -> DeviceArray:
    """Return an array of zeros."""
    result = empty(shape, dtype)
    result._elements[...] = 0
    return result


def asarray(array: npt.ArrayLike | DeviceArray, dtype: npt.DTypeLike | None = None) -> DeviceArray:
    """Return a host array's copy in device memory; a device array as it is."""
    if isinstance(array, DeviceArray):
        return array
    host = np.asarray(array, dtype)
    result = empty(host.shape, host.dtype)
    result._elements[...] = host
    return result


def matmul(a: DeviceArray, b: DeviceArray) -> DeviceArray:
    """Return the matrix products a @ b over broadcast leading axes: what a GPU's library computes."""
    record(LibraryCall("matmul", (a.shape, b.shape)))
    return asarray(np.matmul(a._elements, b._elements))


def ascontiguousarray(array: DeviceArray) -> DeviceArray:
    """Return the array in row-major order: itself, or a copy."""
    return array if array.flags.c_contiguous else asarray(array._elements)


def broadcast_to(array: DeviceArray, shape: Sequence[int]) -> DeviceArray:
    """Return a view of the array stretched to a shape."""
    return array._like(np.broadcast_to(array._elements, tuple(shape)))


def may_share_memory(a: DeviceArray, b: DeviceArray) -> bool:
    """Whether the bounds of two arrays' memory overlap."""
    return np.may_share_memory(a._elements, b._elements)


def from_dlpack(array: Any) -> DeviceArray:
    """Return an array of the emulator's (TypeError for any other): it is the same, its memory is shared."""
    if not isinstance(array, DeviceArray):
        raise TypeError(f"array must be a DeviceArray, got {type(array).__name__}")
    return array


def copyto(destination: DeviceArray, source: DeviceArray) -> None:
    """Overwrite the elements of an array by those of another one, which broadcasts to its shape."""
    destination._elements[...] = source._elements
