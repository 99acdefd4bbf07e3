"""The GPU of this machine through CuPy: whether it can be used, what is missing if not; copies ahead."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from kernels.array import Array
from kernels.device import DEVICE_TYPES, GPU, declare_array_type

_PROBE = 'extern "C" __global__ void nothing() {}'


@functools.cache
def require() -> None:
    """Require CuPy, a driver with a GPU, and CUDA's run-time compiler.

    Raises:
        ValueError: one of them is missing; the message says which and how to get it.
    """
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError as missing:
        raise _unusable(
            f"CuPy is not installed (no module {missing.name!r})",
            "pip install 'minidnn[gpu]', or the CuPy package for your version of CUDA",
        ) from None
    except ImportError as error:
        raise _unusable(f"CuPy cannot be imported ({_line(error)})", "install CuPy again") from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise _unusable(
            f"there is no working NVIDIA driver ({_line(error)})",
            "install the driver for your card, and look with nvidia-smi whether it sees it",
        ) from None
    if count == 0:
        raise _unusable("the driver sees no NVIDIA GPU", "look with nvidia-smi and at CUDA_VISIBLE_DEVICES")
    try:
        cupy.RawModule(code=_PROBE, options=("-std=c++17",)).get_function("nothing")
    except Exception as error:  # each way in which CUDA's libraries can be missing has a class of its own
        raise _unusable(
            f"CUDA's toolkit does not compile a kernel ({_line(error)})",
            "install the CUDA toolkit, or CuPy together with it: pip install 'cupy-cuda12x[ctk]'",
        ) from None
    declare_array_type(cupy.ndarray, GPU)


def synchronize() -> None:
    """Wait for all work on the GPU; nothing happens where nobody has asked for it."""
    if GPU in DEVICE_TYPES.values():
        importlib.import_module("cupy").cuda.Device().synchronize()


class Upload:
    """A host array on its way to the GPU: through page-locked memory, on a stream of its own.

    The copy begins when all has been done that was queued on the current stream when it was asked for: the
    memory that it is given may have been let go of by work that is still running. What is queued afterwards
    runs beside the copy.
    """

    def __init__(self, array: Array) -> None:
        cupy, cupyx = (importlib.import_module(name) for name in ("cupy", "cupyx"))
        self._source: Any = cupyx.empty_pinned(array.shape, array.dtype)
        self._source[...] = array
        self._target: Any = cupy.empty(array.shape, array.dtype)
        stream = _copying()
        stream.wait_event(cupy.cuda.get_current_stream().record())
        self._target.set(self._source, stream)
        self._end: Any = stream.record()

    def arrived(self) -> Any:
        """Wait for the copy and return the array on the GPU."""
        self._end.synchronize()  # not only on the stream: the page-locked memory is then let go of
        return self._target


@functools.cache
def _copying() -> Any:
    """The stream for copies."""
    return importlib.import_module("cupy").cuda.Stream(non_blocking=True)


def _unusable(what: str, remedy: str) -> ValueError:
    return ValueError(f"device 'gpu' cannot be used: {what}; {remedy}")


def _line(error: Exception) -> str:
    """What an error says, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" =-")]
    return lines[0] if lines else type(error).__name__
