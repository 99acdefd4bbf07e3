"""How many accesses a launch makes, line by line: what makes one kernel faster than another, without a GPU.

with count_accesses() as launches:
    conv2d_forward(...)  # on device arrays
launches[0].accesses     # of the first kernel that was launched

A warp's 32 threads access memory together, in a request. Of global memory it fetches sectors of 32 bytes: 4
for 32 neighbouring float32, 32 if every thread reads from somewhere else. Shared memory has 32 banks of 4
bytes, and threads that want different words of one bank are served one after the other, in passes. Nothing
is said of caches.

A request is made of the n-th execution of an instruction by each thread of the warp, so threads that skip a
turn of a loop are counted with later turns of the others. Accesses are those that the host's compiler
leaves: what it keeps in registers, such as a number that a loop does not change, is read once. What tensor
cores load and store is counted as the emulator's stand-in for them does it, thread by thread.

Source: NVIDIA, CUDA C++ Programming Guide, "Global Memory" and "Shared Memory" of compute capability 5.x and
later.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any

from kernels.cuda.emulator.build import Compiled
from kernels.cuda.emulator.compiler import source_lines, symbols
from kernels.cuda.emulator.modes import use_mode

SECTOR_BYTES = 32
KINDS = ("load", "store", "atomic")
_DYNAMIC = "dynamic shared memory"
_STATIC = "static shared memory"


@dataclass(frozen=True)
class Access:
    """What a line of source does with an array, in all threads of a launch.

    Attributes:
        line: file and line.
        array: the kernel's parameter, or the array in shared memory.
        shared: whether it lies there.
        kind: load, store or atomic.
        bytes: how many one thread accesses at once.
        accesses: how many threads make, all executions together.
        requests: how many warps make.
        sectors: that global memory gives or takes.
        distinct_bytes: of them those that are asked for, each once in a request.
        passes: that shared memory takes.
        fewest_passes: that it would take without a conflict.
    """

    line: str
    array: str
    shared: bool
    kind: str
    bytes: int
    accesses: int
    requests: int
    sectors: int
    distinct_bytes: int
    passes: int
    fewest_passes: int

    @property
    def lanes(self) -> float:
        """Threads that take part in a request, of 32."""
        return self.accesses / self.requests

    @property
    def sectors_per_request(self) -> float:
        """4 is what a warp needs for 32 different numbers of 4 bytes."""
        return self.sectors / self.requests

    @property
    def use(self) -> float:
        """The share of the sectors' bytes that somebody asked for."""
        return self.distinct_bytes / (SECTOR_BYTES * self.sectors)

    @property
    def ways(self) -> float:
        """How many times longer shared memory takes than without bank conflicts."""
        return self.passes / self.fewest_passes


@dataclass(frozen=True)
class Launch:
    """A launch and what it accessed.

    Attributes:
        kernel: its name.
        grid: how many blocks.
        block: how many threads in each.
        static_shared: bytes of a block's shared memory that the source says, of arrays that were accessed.
        dynamic_shared: bytes that the launch asked for.
        barriers: that a block meets, on average.
        accesses: line by line.
    """

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    static_shared: int
    dynamic_shared: int
    barriers: float
    accesses: tuple[Access, ...]

    def total(self, field: str, *, shared: bool, kind: str) -> int:
        """The sum of one of Access's numbers over the accesses of a kind."""
        chosen = [access for access in self.accesses if access.shared is shared and access.kind == kind]
        return sum(getattr(access, field) for access in chosen)


@dataclass(frozen=True)
class LibraryCall:
    """What a GPU's library computes, in which nothing can be counted; `shapes` are the operands'."""

    name: str
    shapes: tuple[tuple[int, ...], ...]


Recording = list[Launch | LibraryCall]
_recording: ContextVar[Recording | None] = ContextVar("emulator_recording", default=None)


@contextmanager
def count_accesses() -> Iterator[Recording]:
    """Count the accesses of every launch while the context lasts; what it gives grows with each."""
    recording: Recording = []
    token = _recording.set(recording)
    try:
        with use_mode("counting"):
            yield recording
    finally:
        _recording.reset(token)


def record(item: Launch | LibraryCall) -> None:
    """Note a launch, if anybody counts."""
    recording = _recording.get()
    if recording is not None:
        recording.append(item)


# ---- between Python and counting.h ------------------------------------------------------------------


class _Memory(ctypes.Structure):
    """`emulator::Memory`."""

    _fields_ = (("begin", ctypes.c_uint64), ("end", ctypes.c_uint64))


class _Count(ctypes.Structure):
    """`emulator::AccessCount`."""

    _fields_ = (
        ("code_offset", ctypes.c_uint64),
        *((name, ctypes.c_int32) for name in ("array", "kind", "bytes", "padding")),
        *(
            (name, ctypes.c_uint64)
            for name in ("accesses", "requests", "sectors", "distinct_bytes", "passes", "fewest_passes")
        ),
    )


class Counter:
    """Counts one launch.

    Args:
        compiled: the kernel's file.
        kernel: its name.
        arrays: the arrays among its arguments, by position.
    """

    def __init__(self, compiled: Compiled, kernel: str, arrays: dict[int, Any]) -> None:
        self._compiled = compiled
        self._kernel = kernel
        parameters = compiled.parameters[kernel]
        self._global = [(parameters[position], _extent(array)) for position, array in arrays.items()]
        self._shared = [*_static_arrays(compiled), (_DYNAMIC, (0, 0))]

    def begin(self) -> None:
        """Start at zero."""
        extents = [extent for _, extent in (*self._global, *self._shared)]
        memories = (_Memory * len(extents))(*(_Memory(*extent) for extent in extents))
        self._compiled.scheduler.emulator_begin_counting(memories, len(extents), len(self._global))

    def finish(self, grid: tuple[int, int, int], block: tuple[int, int, int], dynamic_shared: int) -> None:
        """Record what was counted."""
        barriers = ctypes.c_uint64()
        count = self._compiled.scheduler.emulator_counts
        room = count(None, 0, ctypes.byref(barriers))
        rows = (_Count * room)()
        count(rows, room, ctypes.byref(barriers))
        touched = {row.array - len(self._global) for row in rows}
        static = [extent for i, (_, extent) in enumerate(self._shared[:-1]) if i in touched]
        blocks = grid[0] * grid[1] * grid[2]
        record(
            Launch(
                self._kernel,
                grid,
                block,
                sum(end - begin for begin, end in static),
                dynamic_shared,
                barriers.value / blocks,
                self._merged(list(rows)),
            )
        )

    def _merged(self, rows: Sequence[_Count]) -> tuple[Access, ...]:
        """One row for all instructions of a line that do the same; in the order of the source."""
        lines = source_lines(str(self._compiled.path), [row.code_offset for row in rows])
        names = [name for name, _ in (*self._global, *self._shared)]
        merged: dict[tuple[Any, ...], list[int]] = {}
        numbers = [field.name for field in fields(Access)][5:]
        for line, row in zip(lines, rows, strict=True):
            shared = row.array >= len(self._global)
            sums = merged.setdefault((line, names[row.array], shared, KINDS[row.kind], row.bytes), [0] * 6)
            sums[:] = [total + getattr(row, name) for total, name in zip(sums, numbers, strict=True)]
        ordered = sorted(merged.items(), key=lambda item: _place(item[0][0]))
        return tuple(Access(*key, *sums) for key, sums in ordered)


def _place(line: str) -> tuple[str, int]:
    """What lines are ordered by: the file, then the number."""
    file, _, number = line.partition(":")
    return file, int(number or 0)


def _extent(array: Any) -> tuple[int, int]:
    return array.allocation.address, array.allocation.address + array.allocation.size


def _static_arrays(compiled: Compiled) -> list[tuple[str, tuple[int, int]]]:
    """The file's arrays in static shared memory and where they lie; as one where the tool that knows is
    missing.
    """
    begin, end = compiled.shared_memory
    found = symbols(str(compiled.path))
    if "__start_shared_memory" not in found:
        return [(_STATIC, (begin, end))] if end > begin else []
    first, last = found["__start_shared_memory"][0], found["__stop_shared_memory"][0]
    return [
        (name.rpartition("::")[2], (begin + address - first, begin + address - first + length))
        for name, (address, length) in found.items()
        if first <= address < last and length
    ]
