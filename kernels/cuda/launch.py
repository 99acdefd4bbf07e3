"""What an operation's `gpu.py` works with: the kernels of the `.cu` file beside it, and arrays on the device.

SOURCE = Source(__file__, "activation.cu")

def relu_forward_each(x):
    x = contiguous(x)
    y = empty_beside(x, x.shape, x.dtype)
    SOURCE.launch_each("relu_forward", y.size, (x, y, np.int64(y.size)), {"REAL": c_type(x.dtype)})
    return y

An array's type says where it lies, and so who compiles and runs: CuPy on a GPU, or the emulator. Neither is
imported before an array of its kind exists.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kernels.array import FLOATING
from kernels.device import CPU, device_of

HERE = Path(__file__).parent
# Threads of a block where nothing speaks for another number, and the most blocks of a launch that loops.
THREADS = 256
MOST_BLOCKS = 1 << 16

C_TYPES = {
    np.dtype(np.float32): "float",
    np.dtype(np.float64): "double",
    np.dtype(np.int64): "long long",
    np.dtype(np.int32): "int",
    np.dtype(np.int16): "short",
    np.dtype(np.int8): "signed char",
    np.dtype(np.uint8): "unsigned char",
    np.dtype(np.bool_): "bool",
}


def c_type(dtype: Any) -> str:
    """Return what CUDA C calls a dtype."""
    return C_TYPES[np.dtype(dtype)]


def floating(x: Any, *others: Any) -> bool:
    """Whether the kernels have the array's dtype; for `fits`."""
    return x.dtype in FLOATING


def array_module(array: Any) -> Any:
    """Return the module that made a device array, `cupy` or `kernels.cuda.emulator`: their names are the
    same.

    Raises:
        TypeError: an array in host memory, or no array.
    """
    place = device_of(array)
    if place == CPU:
        raise TypeError(f"an array in device memory is needed, got {type(array).__name__}")
    return place.module


def empty_beside(array: Any, shape: Sequence[int], dtype: Any) -> Any:
    """Return a new array on the device where `array` lies; nothing of it is set."""
    return array_module(array).empty(tuple(shape), dtype)


def contiguous(array: Any) -> Any:
    """Return a device array in row-major order: itself, or a copy. None stays None."""
    if array is None or array.flags.c_contiguous:
        return array
    return array_module(array).ascontiguousarray(array)


@contextmanager
def written_in_place(*arrays: Any) -> Iterator[list[Any]]:
    """Lend device arrays (None stays None) for kernels to write in, in row-major order: themselves, or copies
    that are written back in the end.
    """
    lent = [contiguous(array) for array in arrays]
    yield lent
    for array, copy in zip(arrays, lent, strict=True):
        if copy is not array:
            array_module(array).copyto(array, copy)


class Source:
    """A `.cu` file, compiled once for every set of macros and every module.

    Args:
        beside: the file next to which it stands, `__file__` as a rule.
        name: its name.
    """

    def __init__(self, beside: str, name: str) -> None:
        self.path = Path(beside).parent / name

    @functools.cached_property
    def text(self) -> str:
        """The source with this folder's headers put in: what is compiled does not depend on search paths."""
        return self.with_headers(self.path.read_text())

    def with_headers(self, text: str) -> str:
        """Return a text, in place of the file's, with the headers put in."""
        lines = text.splitlines()
        return "\n".join(
            [f'#line 1 "{self.path.name}"', *(self._included(n, x) for n, x in enumerate(lines, 1))]
        )

    def _included(self, number: int, line: str) -> str:
        header = re.fullmatch(r'#include "(\w+\.cuh)"', line)
        if not header:
            return line
        text = self.header((HERE / header[1]).read_text())
        return f'#line 1 "{header[1]}"\n{text}\n#line {number + 1} "{self.path.name}"'

    @staticmethod
    def header(text: str) -> str:
        """Return a header's text as a source holds it."""
        return text.replace("#pragma once\n", "\n")

    def launch(
        self,
        kernel: str,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        arguments: Sequence[Any],
        macros: Mapping[str, str | int],
        shared_bytes: int = 0,
    ) -> None:
        """Launch a kernel of the file compiled with these macros.

        Raises:
            TypeError: an argument is neither a device array nor a NumPy scalar, or there is no array.
            ValueError: an array that is not contiguous.
        """
        module = array_module(next((argument for argument in arguments if hasattr(argument, "shape")), None))
        for number, argument in enumerate(arguments):
            _check_argument(kernel, number, argument)
        function = _compiled(module, self, kernel, tuple(sorted(macros.items())))
        function(grid, block, tuple(arguments), shared_mem=shared_bytes)

    def launch_each(
        self, kernel: str, count: int, arguments: Sequence[Any], macros: Mapping[str, str | int]
    ) -> None:
        """Launch a kernel that shares `count` elements out with FOR_EACH; nothing happens where there are
        none.
        """
        if count:
            blocks = min(-(-count // THREADS), MOST_BLOCKS)
            self.launch(kernel, (blocks,), (THREADS,), arguments, macros)


@functools.cache
def _compiled(module: Any, source: Source, kernel: str, macros: tuple[tuple[str, str | int], ...]) -> Any:
    return _module(module, source, macros).get_function(kernel)


@functools.cache
def _module(module: Any, source: Source, macros: tuple[tuple[str, str | int], ...]) -> Any:
    options = ("-std=c++17", *(f"-D{name}={value}" for name, value in macros))
    return module.RawModule(code=source.text, options=options)


def _check_argument(kernel: str, number: int, argument: Any) -> None:
    """CuPy would pass a Python number in 64 bits, and the bare pointer of an array of any layout."""
    if argument is None or isinstance(argument, np.generic):
        return
    if not hasattr(argument, "flags"):
        raise TypeError(
            f"argument {number} of {kernel} must be a device array, a NumPy scalar or None, "
            f"got {type(argument).__name__}"
        )
    if not argument.flags.c_contiguous:
        raise ValueError(f"argument {number} of {kernel} must be contiguous, got strides {argument.strides}")
