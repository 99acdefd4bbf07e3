"""CUDA kernels on a machine without a GPU: CuPy's names, checks that a GPU does not make.

from kernels.cuda import emulator

x = emulator.asarray(numpy_array)                        # to "device" memory
module = emulator.RawModule(code=source, options=("-DREAL=float",))
module.get_function("scale")((blocks,), (256,), (x, np.int64(x.size)))
x.get()                                                  # and back

A launch that does something wrong raises EmulatorError, which names kernel, source line, block and thread.
What is found depends on the mode, see `modes.py`.
"""

from kernels.cuda.emulator import compiler
from kernels.cuda.emulator.build import sanitizer_environment
from kernels.cuda.emulator.counting import Access, Launch, LibraryCall, count_accesses
from kernels.cuda.emulator.device_array import (
    DeviceArray,
    asarray,
    ascontiguousarray,
    broadcast_to,
    copyto,
    empty,
    from_dlpack,
    matmul,
    may_share_memory,
    zeros,
)
from kernels.cuda.emulator.errors import EmulatorError
from kernels.cuda.emulator.modes import MODES, mode, use_mode
from kernels.cuda.emulator.module import RawKernel, RawModule
from kernels.device import EMULATOR, declare_array_type

declare_array_type(DeviceArray, EMULATOR)

__all__ = [
    "MODES",
    "Access",
    "DeviceArray",
    "EmulatorError",
    "Launch",
    "LibraryCall",
    "RawKernel",
    "RawModule",
    "asarray",
    "ascontiguousarray",
    "broadcast_to",
    "copyto",
    "count_accesses",
    "empty",
    "from_dlpack",
    "matmul",
    "may_share_memory",
    "mode",
    "require",
    "sanitizer_environment",
    "use_mode",
    "zeros",
]


def require() -> None:
    """Require what the emulator needs of this machine, a C++ compiler (ValueError: there is none)."""
    try:
        compiler.find_compiler()
    except EmulatorError as missing:
        raise ValueError(f"device 'emulator' cannot be used: {missing}") from None
