"""CuPy's RawModule and RawKernel for the emulator: compile, look up a kernel, launch it.

module = RawModule(code=source, options=("-DREAL=float",))
kernel = module.get_function("scale")
kernel(grid, block, arguments, shared_mem=bytes)
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

from kernels.cuda.emulator import arguments as checks
from kernels.cuda.emulator.build import Compiled, Entry, compile_kernels
from kernels.cuda.emulator.compiler import source_lines
from kernels.cuda.emulator.counting import Counter
from kernels.cuda.emulator.device_array import DeviceArray
from kernels.cuda.emulator.errors import EmulatorError
from kernels.cuda.emulator.modes import mode

# A launch's order of threads (see runtime.h) and what shared memory holds at first.
_FIRST = (0, 0xFF)
_OTHERS = ((1, 0x00), (2, 0x3C))

_running = threading.Lock()


class _Launch(ctypes.Structure):
    """`emulator::Launch` of runtime.h."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("dynamic_shared_bytes", ctypes.c_uint64),
        ("order", ctypes.c_uint64),
        ("fill", ctypes.c_int),
        ("body", ctypes.c_void_p),
        ("arguments", ctypes.c_void_p),
        ("shared_begin", ctypes.c_void_p),
        ("shared_end", ctypes.c_void_p),
    )


class _Fault(ctypes.Structure):
    """`emulator::Fault` of runtime.h."""

    _fields_ = (
        ("message", ctypes.c_char * 512),
        ("file", ctypes.c_char * 256),
        ("object", ctypes.c_char * 512),
        ("line", ctypes.c_int),
        ("in_thread", ctypes.c_int),
        ("code_offset", ctypes.c_uint64),
        ("data_address", ctypes.c_uint64),
        ("block", ctypes.c_uint * 3),
        ("thread", ctypes.c_uint * 3),
    )


class RawModule:
    """The kernels of a CUDA source, compiled with the host's compiler on the first use in each mode.

    Args:
        code: the source; kernels are `extern "C" __global__ void` functions.
        options: "-DNAME=VALUE" is passed on; "-std=..." and other options of CUDA's compiler are not.
        backend: CuPy's choice of compiler, without meaning here.

    Raises:
        EmulatorError: no compiler, or the source does not compile.
    """

    def __init__(self, *, code: str, options: Sequence[str] = (), backend: str = "nvrtc") -> None:
        self._code = code
        self._definitions = tuple(option for option in options if option.startswith("-D"))
        self.compiled()

    def compiled(self) -> Compiled:
        """Return the code for the mode in force."""
        build = mode()
        return compile_kernels(self._code, self._definitions, "plain" if build == "orders" else build)

    def get_function(self, name: str) -> RawKernel:
        """Return a kernel by its name (EmulatorError: there is none)."""
        names = self.compiled().entries
        if name not in names:
            raise EmulatorError(f"no kernel is called {name!r}; the source has: {', '.join(names)}")
        kernel = RawKernel.__new__(RawKernel)
        kernel._attach(self, name)
        return kernel


class RawKernel:
    """One kernel.

    Args:
        code: the source it stands in.
        name: its name there.
        options: as RawModule's.
        backend: as RawModule's.

    Attributes:
        max_dynamic_shared_size_bytes: how much dynamic shared memory a launch may have; may be raised.
    """

    def __init__(self, code: str, name: str, options: Sequence[str] = (), backend: str = "nvrtc") -> None:
        self._attach(RawModule(code=code, options=options, backend=backend), name)
        self._module.get_function(name)

    def _attach(self, module: RawModule, name: str) -> None:
        self._module = module
        self.name = name
        self.max_dynamic_shared_size_bytes = checks.SHARED_LIMIT

    def __call__(
        self,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        args: Sequence[Any],
        *,
        shared_mem: int = 0,
        stream: None = None,
    ) -> None:
        """Run the kernel and wait for it.

        Raises:
            EmulatorError: the launch exceeds a limit, an argument does not suit its parameter, or a fault was
                met; the message names kernel, source line, block and thread.
        """
        try:
            self._launch(grid, block, args, shared_mem)
        except EmulatorError as error:
            raise EmulatorError(f"kernel {self.name}: {error}") from None

    def _launch(self, grid: Any, block: Any, args: Sequence[Any], shared_mem: int) -> None:
        compiled = self._module.compiled()
        entry = compiled.entries[self.name]
        begin, end = compiled.shared_memory
        sizes = (
            checks.check_sizes("grid", grid, checks.GRID_LIMITS),
            checks.check_sizes("block", block, checks.BLOCK_LIMITS),
        )
        checks.check_threads(sizes[1], entry.most_threads)
        checks.check_shared(end - begin, shared_mem, self.max_dynamic_shared_size_bytes)
        values = checks.pack(args, entry.signature.decode())
        arrays = {i: argument for i, argument in enumerate(args) if isinstance(argument, DeviceArray)}
        run = _Run(compiled, entry, sizes, shared_mem, values, list(arrays.values()))
        with _running:
            if mode() == "orders":
                run.in_all_orders()
            elif mode() == "counting":
                counter = Counter(compiled, self.name, arrays)
                counter.begin()
                run.once(*_FIRST)
                counter.finish(*sizes, shared_mem)
            else:
                run.once(*_FIRST)


class _Run:
    """A launch whose arguments are checked."""

    def __init__(
        self,
        compiled: Compiled,
        entry: Entry,
        sizes: tuple[tuple[int, int, int], tuple[int, int, int]],
        shared_bytes: int,
        values: list[Any],
        arrays: list[DeviceArray],
    ) -> None:
        self._compiled = compiled
        self._entry = entry
        self._sizes = sizes
        self._shared_bytes = shared_bytes
        self._values = values
        self._arrays = arrays

    def once(self, order: int, fill: int) -> None:
        """Run it with threads in this order (EmulatorError: a fault)."""
        slots = (ctypes.c_void_p * max(1, len(self._values)))(*map(ctypes.addressof, self._values))
        launch = _Launch(
            self._sizes[0],
            self._sizes[1],
            self._shared_bytes,
            order,
            fill,
            self._entry.body,
            ctypes.addressof(slots),
            *self._compiled.shared_memory,
        )
        fault = _Fault()
        if self._compiled.scheduler.emulator_launch(ctypes.byref(launch), ctypes.byref(fault)):
            raise EmulatorError(self._described(fault))
        for number, array in enumerate(self._arrays):
            if overwritten := array.allocation.overwritten():
                raise EmulatorError(f"array argument {number}: {overwritten}")

    def in_all_orders(self) -> None:
        """Run it with threads in several orders, each from the same memory (EmulatorError: results
        differ).
        """
        before = [array.get() for array in self._arrays]
        self.once(*_FIRST)
        first = [array.get() for array in self._arrays]
        for order, fill in _OTHERS:
            for array, elements in zip(self._arrays, before, strict=True):
                array.set(elements)
            self.once(order, fill)
            for number, (array, elements) in enumerate(zip(self._arrays, first, strict=True)):
                if array.get().tobytes() != elements.tobytes():
                    raise EmulatorError(
                        f"array argument {number} depends on the order of the threads or on shared memory "
                        "that nobody wrote: a barrier or an atomic is missing"
                    )

    def _described(self, fault: _Fault) -> str:
        """Where the fault stands, who met it, and what it was."""
        place = f"{fault.file.decode()}:{fault.line}" if fault.line else "unknown line"
        if fault.object:
            (place,) = source_lines(fault.object.decode(), [fault.code_offset])
        who = f"block {tuple(fault.block)}"
        if fault.in_thread:
            who += f" thread {tuple(fault.thread)}"
        return f"{place}: {who}: {fault.message.decode()}{self._nearby(fault.data_address)}"

    def _nearby(self, address: int) -> str:
        """The array beside which a forbidden address lies."""
        found = [
            (distance, number, array)
            for number, array in enumerate(self._arrays)
            if address and (distance := array.allocation.distance(address)) is not None
        ]
        if not found:
            return ""
        _, number, array = min(found, key=lambda near: near[0])
        return (
            f" at byte {address - array.allocation.address} of array argument {number}, "
            f"which has {array.allocation.size}"
        )
