"""CUDA kernels on a machine without a GPU: CuPy's names, checks that a GPU does not make.

from kernels.cuda import emulator

x = emulator.asarray(numpy_array)                        # to "device" memory
module = emulator.RawModule(code=source, options=("-DREAL=float",))
module.get_function("scale")((blocks,), (256,), (x, np.int64(x.size)))
x.get()                                                  # and back

A launch that does something wrong raises EmulatorError, which names kernel, source line, block and thread.
What is found depends on the mode, see `modes.py`.
"""

from kernels import registry
from kernels.cuda.emulator.build import sanitizer_environment
from kernels.cuda.emulator.device_array import (
    DeviceArray,
    asarray,
    ascontiguousarray,
    copyto,
    empty,
    matmul,
    zeros,
)
from kernels.cuda.emulator.errors import EmulatorError
from kernels.cuda.emulator.modes import MODES, mode, use_mode
from kernels.cuda.emulator.module import RawKernel, RawModule

registry.declare_device_type(DeviceArray)

__all__ = [
    "MODES",
    "DeviceArray",
    "EmulatorError",
    "RawKernel",
    "RawModule",
    "asarray",
    "ascontiguousarray",
    "copyto",
    "empty",
    "matmul",
    "mode",
    "sanitizer_environment",
    "use_mode",
    "zeros",
]
