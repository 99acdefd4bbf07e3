"""What a launch is given, checked against the kernel: sizes, and every argument against its parameter.

Stricter than CUDA and CuPy, which take a pointer for any array, pass a Python int as 64 bits whatever the
kernel expects, and ignore strides.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.cuda.emulator.device_array import DeviceArray
from kernels.cuda.emulator.errors import EmulatorError

MOST_THREADS = 1024
BLOCK_LIMITS = (1024, 1024, 64)
GRID_LIMITS = (2**31 - 1, 65535, 65535)
# Bytes of shared memory that a block may have unless the kernel asks for more, and with that on an sm_80.
SHARED_LIMIT = 48 << 10
SHARED_LIMIT_ON_REQUEST = 163 << 10


def check_sizes(what: str, sizes: Any, limits: Sequence[int]) -> tuple[int, int, int]:
    """Return a grid or block as three numbers, each at least 1 and within its limit (EmulatorError
    otherwise).
    """
    if not isinstance(sizes, tuple) or not 1 <= len(sizes) <= 3:
        raise EmulatorError(f"{what} must be a tuple of one to three numbers, got {sizes!r}")
    x, y, z = (int(size) for size in (*sizes, 1, 1)[:3])
    if any(not 1 <= size <= limit for size, limit in zip((x, y, z), limits, strict=True)):
        raise EmulatorError(f"{what} must be from 1 to {tuple(limits)} along each axis, got {sizes}")
    return x, y, z


def check_threads(block: tuple[int, int, int], most: int) -> None:
    """Require that a block has no more threads than the device and `__launch_bounds__` allow."""
    threads = block[0] * block[1] * block[2]
    if threads > MOST_THREADS:
        raise EmulatorError(f"block {block} has {threads} threads; a block has at most {MOST_THREADS}")
    if threads > most:
        raise EmulatorError(f"block {block} has {threads} threads; __launch_bounds__ allows {most}")


def check_shared(static: int, dynamic: int, limit: int) -> None:
    """Require that shared memory is within the limit; `static` is that of all kernels of the file."""
    allowed = min(limit, SHARED_LIMIT_ON_REQUEST)
    if dynamic < 0 or static + dynamic > allowed:
        raise EmulatorError(
            f"the file's kernels have {static} bytes of static shared memory and the launch asks "
            f"for {dynamic} of dynamic; together at most {allowed} are allowed"
        )


def pack(arguments: Sequence[Any], signature: str) -> list[Any]:
    """Return the arguments as C values in the order of the parameters.

    Raises:
        EmulatorError: another number of arguments, or one that its parameter does not take.
    """
    parameters = [parameter for parameter in signature.split(";") if parameter]
    if len(arguments) != len(parameters):
        raise EmulatorError(f"got {len(arguments)} arguments, the kernel has {len(parameters)} parameters")
    return [
        _pack(number, argument, parameter)
        for number, (argument, parameter) in enumerate(zip(arguments, parameters, strict=True))
    ]


def _pack(number: int, argument: Any, parameter: str) -> Any:
    pointer = parameter.endswith("*")
    if isinstance(argument, DeviceArray):
        _check_array(number, argument, parameter)
        return ctypes.c_void_p(argument.address)
    if argument is None and pointer:
        return ctypes.c_void_p(0)
    if isinstance(argument, np.ndarray):
        raise EmulatorError(f"argument {number} is a NumPy array; kernels take arrays in device memory")
    if not isinstance(argument, np.generic):
        raise EmulatorError(
            f"argument {number} is a {type(argument).__name__}, whose size in the kernel is a guess; "
            f"the parameter is {parameter}: pass a NumPy scalar such as numpy.int64"
        )
    given = f"{argument.dtype.kind}{argument.dtype.itemsize}"
    if given != parameter:
        raise EmulatorError(f"argument {number} is {given}, the parameter is {parameter}")
    return (ctypes.c_char * argument.dtype.itemsize).from_buffer_copy(argument.tobytes())


def _check_array(number: int, array: DeviceArray, parameter: str) -> None:
    if not parameter.endswith("*"):
        raise EmulatorError(f"argument {number} is an array, the parameter is {parameter}")
    wanted = parameter.removeprefix("const ").removesuffix("*")
    given = f"{array.dtype.kind}{array.dtype.itemsize}"
    if wanted not in ("void", given):
        raise EmulatorError(f"argument {number} has elements {given}, the parameter is {parameter}")
    if not array.flags.c_contiguous:
        raise EmulatorError(
            f"argument {number} is not contiguous (shape {array.shape}, strides {array.strides}); "
            "a kernel would read it as if it were"
        )
