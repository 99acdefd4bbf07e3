"""Arrays that are views of a file: the operating system reads a page when an element of it is used."""

from __future__ import annotations

import math
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kernels.array import Array


class MappedFile:
    """A file, mapped into memory privately: writing into its arrays changes a copy of the page, not the file.

    The arrays live longer than this object. A file that another program makes shorter in the meantime
    takes their pages away; one that is replaced by a new file of the same name does not.

    Args:
        path: a regular file.

    Attributes:
        path: as given.
        size: the number of bytes.
        content: all of the file; it is read like a file too.
        stream: the open file, until the `with` statement ends.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is empty, or no regular file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise IsADirectoryError(f"{path} is a folder, a file is needed")
        if self.path.exists() and not self.path.is_file():
            raise ValueError(f"{path} is no regular file")
        self.stream = self.path.open("rb")
        try:
            self.size = os.fstat(self.stream.fileno()).st_size
            if not self.size:
                raise ValueError(f"{path} is empty: a file of weights is needed")
            self.content = mmap.mmap(self.stream.fileno(), 0, access=mmap.ACCESS_COPY)
        except BaseException:
            self.stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()

    def array(
        self, offset: int, shape: tuple[int, ...], dtype: npt.DTypeLike, alignment: int | None = None
    ) -> Array:
        """Return the elements from byte `offset` on: a view, or where they are not aligned, a copy.

        Args:
            offset: where they begin.
            shape: how many there are, in row-major order.
            dtype: their type.
            alignment: what the address must be a multiple of, that which the type needs by default.

        Raises:
            ValueError: the bytes go past the end of the file.
        """
        dtype = np.dtype(dtype)
        count = math.prod(shape)
        if offset < 0 or count < 0 or offset + count * dtype.itemsize > self.size:
            raise ValueError(f"{count} elements of {dtype} at byte {offset} go past the end of the file")
        if count == 0:
            return np.empty(shape, dtype)
        if offset % (alignment or dtype.alignment):
            # Read past the mapping, whose pages would stay in memory beside the copy.
            self.stream.seek(offset)
            return np.fromfile(self.stream, dtype, count).reshape(shape)
        return np.ndarray(shape, dtype, self.content, offset)


def widen_bfloat16(bits: Array) -> Array:
    """Return float32 for bfloat16, which is its upper half: `bits` is uint16, of any shape."""
    widened: Array = bits.astype(np.uint32)
    widened <<= 16
    return widened.view(np.float32)


def in_byte_order(array: Array, stored: Any) -> Array:
    """Return `array` in this machine's byte order, given the order ("little" or "big") of its bytes."""
    native = array.dtype.newbyteorder("<" if stored == "little" else ">")
    return array.view(native).astype(array.dtype, copy=False)
