"""The machine: its name, its versions, and its peak in multiply-adds and in bytes per second.

The peak is measured, by kernels that do nothing else: chains of multiply-adds in vector registers, as many as
hide the latency, and loops that copy an array or read it. Bandwidth depends on where the array lives, so it
is measured for several sizes; a call is held to that of the largest size no larger than its own (smaller ones
are faster).
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import Array
from kernels.cpu.compilation import parallel
from kernels.cpu.simd import INDEX, REGISTERS, VECTOR_BYTES, VectorBuilder, lanes_of
from kernels.threads import get_num_threads

# Multiply-adds in flight: enough for two units of latency four, and still in registers.
CHAINS = 24 if REGISTERS == 32 else 12
TURNS = 100_000
# Vectors that a loop over memory moves at a time.
BLOCK = 8
SIZES = tuple(2**exponent for exponent in (14, 17, 20, 22, 24, 26, 28))
BYTES_PER_TRIAL = 2**27
TRIALS = 9
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "torchvision", "onnxruntime")


@dataclass(frozen=True)
class Peak:
    """What the machine can do on one thread count.

    Attributes:
        threads: how many.
        flops: float32 operations per second, a multiply-add counted as two.
        bandwidth: bytes per second by size of the working set, the better of copying and reading.
        copy: bytes per second of copying alone, read and written both counted.
    """

    threads: int
    flops: float
    bandwidth: dict[int, float]
    copy: dict[int, float]

    def bandwidth_at(self, size: int) -> float:
        """The bandwidth that a working set of `size` bytes is held to."""
        fitting = [known for known in self.bandwidth if known <= size]
        return self.bandwidth[max(fitting) if fitting else min(self.bandwidth)]

    def seconds(self, flops: float, size: int) -> float:
        """The least time for this many operations on this many bytes: the roofline."""
        return max(flops / self.flops, size / self.bandwidth_at(size))

    def best_with(self, other: Peak) -> Peak:
        """The better of two measurements of one machine, figure by figure."""
        bandwidth = {size: max(rate, other.bandwidth[size]) for size, rate in self.bandwidth.items()}
        copy = {size: max(rate, other.copy[size]) for size, rate in self.copy.items()}
        return Peak(self.threads, max(self.flops, other.flops), bandwidth, copy)

    def to_json(self) -> dict[str, Any]:
        """As results carry it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Peak:
        """Read what `to_json` gave, from a file in which sizes have become strings."""
        sizes = {name: {int(k): v for k, v in stored[name].items()} for name in ("bandwidth", "copy")}
        return cls(stored["threads"], stored["flops"], **sizes)


def measure_peak() -> Peak:
    """Measure on as many threads as the kernels are set to use; takes a few seconds."""
    threads = get_num_threads()
    copy = {size: _best(_copying(size, threads)) for size in SIZES}
    read = {size: _best(_reading(size, threads)) for size in SIZES}
    bandwidth = {size: max(copy[size], read[size]) for size in SIZES}
    return Peak(threads, _best(_multiplying(threads)), _falling(bandwidth), _falling(copy))


def _falling(rates: dict[int, float]) -> dict[int, float]:
    """A smaller working set is at least as fast: what a launch costs is not the memory's fault."""
    sizes = sorted(rates)
    return {size: max(rates[other] for other in sizes if other >= size) for size in sizes}


@intrinsic  # type: ignore[untyped-decorator]
def _multiply_add_chains(typing_context: Any, turns: Any, out: Any, at: Any) -> Any:
    """CHAINS independent chains of `turns` multiply-adds; their sum goes to out[at:]: none is left out."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        simd = VectorBuilder(context, builder, signature.args[1])
        address = simd.address(signature.args[1], arguments[1], arguments[2])
        start = simd.load(address)
        factor, term = simd.constant(0.999), simd.constant(0.001)

        def turn(i: Any, chains: list[Any]) -> list[Any]:
            return [simd.multiply_add(chain, factor, term) for chain in chains]

        total, *others = simd.loop(arguments[0], [start] * CHAINS, turn)
        for chain in others:
            total = builder.fadd(total, chain)
        simd.store(total, address)
        return context.get_dummy_value()

    return types.void(types.intp, out, types.intp), emit


@intrinsic  # type: ignore[untyped-decorator]
def _copy_blocks(typing_context: Any, blocks: Any, x: Any, y: Any, at: Any) -> Any:
    """Copy `blocks` blocks of BLOCK vectors from x[at:] to y[at:]."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        simd = VectorBuilder(context, builder, signature.args[1])
        source = simd.address(signature.args[1], arguments[1], arguments[3])
        target = simd.address(signature.args[2], arguments[2], arguments[3])

        def turn(i: Any, nothing: list[Any]) -> list[Any]:
            first = builder.mul(i, INDEX(BLOCK * simd.lanes))
            places = [builder.add(first, INDEX(k * simd.lanes)) for k in range(BLOCK)]
            vectors = [simd.load(simd.after(source, place)) for place in places]
            for vector, place in zip(vectors, places, strict=True):
                simd.store(vector, simd.after(target, place))
            return []

        simd.loop(arguments[0], [], turn)
        return context.get_dummy_value()

    return types.void(types.intp, x, y, types.intp), emit


@intrinsic  # type: ignore[untyped-decorator]
def _sum_blocks(typing_context: Any, blocks: Any, x: Any, at: Any, out: Any, out_at: Any) -> Any:
    """Add up `blocks` blocks of BLOCK vectors from x[at:], a sum per vector of a block, into out[out_at:]."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        simd = VectorBuilder(context, builder, signature.args[1])
        source = simd.address(signature.args[1], arguments[1], arguments[2])
        address = simd.address(signature.args[3], arguments[3], arguments[4])

        def turn(i: Any, sums: list[Any]) -> list[Any]:
            first = builder.mul(i, INDEX(BLOCK * simd.lanes))
            places = [builder.add(first, INDEX(k * simd.lanes)) for k in range(BLOCK)]
            vectors = [simd.load(simd.after(source, place)) for place in places]
            return [builder.fadd(old, vector) for old, vector in zip(sums, vectors, strict=True)]

        total, *others = simd.loop(arguments[0], [simd.load(address)] * BLOCK, turn)
        for other in others:
            total = builder.fadd(total, other)
        simd.store(total, address)
        return context.get_dummy_value()

    return types.void(types.intp, x, types.intp, out, types.intp), emit


@parallel
def _multiply(task: int, tasks: int, turns: int, out: Array) -> None:
    _multiply_add_chains(turns, out, task * (out.size // tasks))


@parallel
def _copy(task: int, tasks: int, repeats: int, blocks: int, x: Array, y: Array) -> None:
    for _ in range(repeats):
        _copy_blocks(blocks, x, y, task * (x.size // tasks))


@parallel
def _read(task: int, tasks: int, repeats: int, blocks: int, x: Array, out: Array) -> None:
    for _ in range(repeats):
        _sum_blocks(blocks, x, task * (x.size // tasks), out, task * (out.size // tasks))


Trial = Callable[[], float]  # does some work and returns how much: operations or bytes


def _multiplying(threads: int) -> Trial:
    lanes = lanes_of(np.float32)
    out = np.ones(64 * threads, np.float32)

    def trial() -> float:
        _multiply(threads, np.intp(TURNS), out)
        return 2.0 * TURNS * CHAINS * lanes * threads

    return trial


def _copying(size: int, threads: int) -> Trial:
    blocks = _blocks(size // 2, threads)  # two arrays of half the working set
    x, y = (_zeros(blocks, threads) for _ in range(2))
    repeats = max(BYTES_PER_TRIAL // size, 1)

    def trial() -> float:
        _copy(threads, np.intp(repeats), np.intp(blocks), x, y)
        return float(repeats * (x.nbytes + y.nbytes))

    return trial


def _reading(size: int, threads: int) -> Trial:
    blocks = _blocks(size, threads)
    x, out = _zeros(blocks, threads), np.zeros(64 * threads, np.float32)
    repeats = max(BYTES_PER_TRIAL // size, 1)

    def trial() -> float:
        _read(threads, np.intp(repeats), np.intp(blocks), x, out)
        return float(repeats * x.nbytes)

    return trial


def _blocks(size: int, threads: int) -> int:
    """How many blocks every thread gets of an array of `size` bytes."""
    return max(size // (BLOCK * VECTOR_BYTES * threads), 1)


def _zeros(blocks: int, threads: int) -> Array:
    """An array of that many blocks per thread, its pages present."""
    return np.full(blocks * threads * BLOCK * lanes_of(np.float32), 0, np.float32)


def _best(trial: Trial) -> float:
    """Work per second in the fastest of several trials, after two that do not count."""
    best = 0.0
    for i in range(TRIALS + 2):
        start = time.perf_counter()
        work = trial()
        seconds = time.perf_counter() - start
        best = max(best, work / seconds) if i >= 2 else best
    return best


def cpu_name() -> str:
    """The processor's name, as the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = re.search(r"model name\s*:\s*(.+)", information.read_text())
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """What results are labelled with."""
    return {
        "cpu": cpu_name(),
        "vector_bits": lanes_of(np.float32) * 32,
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def slug(threads: int) -> str:
    """A folder's name for this machine and thread count."""
    words = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
    return f"{words}-avx512-{threads}-threads" if lanes_of(np.float32) == 16 else f"{words}-{threads}-threads"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
