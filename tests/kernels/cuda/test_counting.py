"""Counted accesses against what a person counts: sectors, bank conflicts, lanes, barriers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.conv2d import conv2d_forward
from kernels.cuda import emulator
from kernels.cuda.emulator import Access, Launch, LibraryCall, compiler
from kernels.window import Window

SOURCE = """
extern "C" __global__ void copy(const REAL* from, REAL* to, int step, int shift)
{
    const int i = threadIdx.x;
    to[i] = from[i * step + shift];
}

#define SIDE 32
extern "C" __global__ void transpose(const REAL* from, REAL* to)
{
    __shared__ REAL tile[SIDE][SIDE + PAD];
    for (int row = 0; row < SIDE; ++row)
        tile[row][threadIdx.x] = from[row * SIDE + threadIdx.x];
    __syncthreads();
    for (int row = 0; row < SIDE; ++row)
        to[row * SIDE + threadIdx.x] = tile[threadIdx.x][row];
}

extern "C" __global__ void vectors(const float* from, float* to)
{
    extern __shared__ float buffer[];
    float4 v = reinterpret_cast<const float4*>(from)[threadIdx.x];
    reinterpret_cast<float4*>(buffer)[threadIdx.x] = v;
    __syncthreads();
    __syncthreads();
    v = reinterpret_cast<float4*>(buffer)[threadIdx.x];
    reinterpret_cast<float4*>(to)[threadIdx.x] = make_float4(v.w, v.z, v.y, v.x);
}

extern "C" __global__ void some_lanes(const REAL* from, REAL* to)
{
    REAL sum = 0;
    for (int k = 0; k < threadIdx.x % 4; ++k) sum += from[k];
    if (threadIdx.x % 2) to[threadIdx.x] = sum;
}

extern "C" __global__ void histogram(const int* from, unsigned* to)
{
    __shared__ unsigned own[8];
    if (threadIdx.x < 8) own[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(&own[from[threadIdx.x]], 1);
    __syncthreads();
    if (threadIdx.x < 8) atomicAdd(to + threadIdx.x, own[threadIdx.x]);
}
"""


def launch(
    kernel: str,
    *arguments: Any,
    block: int = 32,
    grid: int = 1,
    shared: int = 0,
    real: str = "float",
    pad: int = 0,
) -> Launch:
    module = emulator.RawModule(code=SOURCE, options=(f"-DREAL={real}", f"-DPAD={pad}"))
    with emulator.count_accesses() as launches:
        module.get_function(kernel)((grid,), (block,), arguments, shared_mem=shared)
    (only,) = launches
    assert isinstance(only, Launch)
    return only


def arrays(count: int, dtype: Any = np.float32) -> tuple[emulator.DeviceArray, emulator.DeviceArray]:
    return emulator.zeros(count, dtype), emulator.zeros(count, dtype)


def one(found: Launch, array: str, kind: str) -> Access:
    (access,) = [access for access in found.accesses if (access.array, access.kind) == (array, kind)]
    return access


@pytest.mark.parametrize(
    ("step", "shift", "sectors", "use"),
    [(1, 0, 4, 1.0), (2, 0, 8, 0.5), (8, 0, 32, 1 / 8), (0, 5, 1, 1 / 8), (1, 1, 5, 0.8), (-1, 31, 4, 1.0)],
)
def test_sectors_of_a_copy_in_float32(step: int, shift: int, sectors: int, use: float) -> None:
    found = launch("copy", *arrays(300), np.int32(step), np.int32(shift))
    load, store = one(found, "from", "load"), one(found, "to", "store")
    assert (load.line, load.shared, load.bytes) == ("kernel.cu:5", False, 4)
    assert (load.accesses, load.requests, load.lanes) == (32, 1, 32)
    assert load.sectors == load.sectors_per_request == sectors
    assert load.use == use
    assert (store.sectors, store.use) == (4, 1.0)


def test_sectors_of_a_copy_in_float64() -> None:
    found = launch("copy", *arrays(64, np.float64), np.int32(1), np.int32(0), real="double")
    assert one(found, "from", "load").sectors == 8


def test_sectors_count_from_the_arrays_beginning() -> None:
    """As on a GPU, whose arrays begin at a sector; the emulator's may not."""
    for count in range(32, 40):
        found = launch("copy", *arrays(count), np.int32(1), np.int32(0))
        assert one(found, "from", "load").sectors == 4


def test_warps_and_blocks_add_up() -> None:
    """80 threads are three warps, the last one of 16 lanes, which fetch two sectors."""
    found = launch("copy", *arrays(80), np.int32(1), np.int32(0), block=80, grid=3)
    load = one(found, "from", "load")
    assert (found.grid, found.block) == ((3, 1, 1), (80, 1, 1))
    assert (load.accesses, load.requests, load.sectors) == (240, 9, 3 * (4 + 4 + 2))


@pytest.mark.parametrize(
    ("real", "pad", "ways"), [("float", 0, 32), ("float", 1, 1), ("double", 0, 16), ("double", 1, 1)]
)
def test_bank_conflicts_of_a_transposed_tile(real: str, pad: int, ways: int) -> None:
    """Columns of a tile lie in one bank, or in one after the other where rows are an element longer.

    Elements of 8 bytes are served to half a warp at a time.
    """
    dtype = {"float": np.float32, "double": np.float64}[real]
    found = launch("transpose", *arrays(32 * 32, dtype), real=real, pad=pad)
    size = np.dtype(dtype).itemsize
    assert (found.static_shared, found.dynamic_shared) == (32 * (32 + pad) * size, 0)
    assert found.barriers == 1
    store, load = one(found, "tile", "store"), one(found, "tile", "load")
    assert (store.line, load.line) == ("kernel.cu:13", "kernel.cu:16")
    assert store.shared
    assert (store.requests, store.passes, store.ways) == (32, 32 * size // 4, 1)
    assert (load.requests, load.passes, load.ways) == (32, ways * 32 * size // 4, ways)
    assert found.total("sectors", shared=False, kind="load") == 32 * size


def test_vectors_are_one_access_and_a_quarter_of_a_warp_at_a_time() -> None:
    found = launch("vectors", *arrays(256), block=64, shared=1024)
    assert (found.static_shared, found.dynamic_shared, found.barriers) == (0, 1024, 2)
    for array, kind in (("from", "load"), ("to", "store")):
        access = one(found, array, kind)
        assert (access.bytes, access.accesses, access.requests, access.sectors) == (16, 64, 2, 32)
    for kind in ("load", "store"):
        access = one(found, "dynamic shared memory", kind)
        assert (access.bytes, access.accesses, access.passes, access.fewest_passes) == (16, 64, 8, 8)


def test_lanes_that_take_no_part() -> None:
    """Of four lanes three read the first number, two the second and one the third."""
    found = launch("some_lanes", *arrays(32))
    load, store = one(found, "from", "load"), one(found, "to", "store")
    assert (load.accesses, load.requests, load.sectors) == (8 * (3 + 2 + 1), 3, 3)
    assert load.lanes == 16
    assert (store.accesses, store.lanes, store.sectors, store.use) == (16, 16, 4, 0.5)


def test_atomics() -> None:
    numbers = np.random.default_rng(1).integers(0, 8, 96).astype(np.int32)
    counts = emulator.zeros(8, np.uint32)
    found = launch("histogram", emulator.asarray(numbers), counts, block=96)
    assert np.array_equal(counts.get(), np.bincount(numbers, minlength=8))
    own, to = one(found, "own", "atomic"), one(found, "to", "atomic")
    assert (own.shared, own.accesses, own.requests) == (True, 96, 3)
    assert (to.shared, to.accesses, to.requests, to.sectors) == (False, 8, 1, 1)


def test_the_ladder_of_the_convolution() -> None:
    """A 1x1 window at one image of 2 channels of 4x8 and 3 filters: every number by hand."""
    generator = np.random.default_rng(2)
    x = emulator.asarray(generator.standard_normal((1, 2, 4, 8), np.float32))
    weight = emulator.asarray(generator.standard_normal((3, 2, 1, 1), np.float32))
    loads, stores = {}, {}
    for version in ("direct", "im2col", "im2col_tiled"):
        with kernels.use(conv2d_forward=version), emulator.count_accesses() as steps:
            conv2d_forward(x, weight, None, Window.of(1), 1)
        launches = [step for step in steps if isinstance(step, Launch)]
        libraries = [step for step in steps if isinstance(step, LibraryCall)]
        assert [library.name for library in libraries] == ["matmul"] * (version == "im2col")
        loads[version] = sum(step.total("accesses", shared=False, kind="load") for step in launches)
        stores[version] = sum(step.total("accesses", shared=False, kind="store") for step in launches)
    # 96 outputs, each from 2 elements and 2 weights
    assert (loads["direct"], stores["direct"]) == (96 * (2 + 2), 96)
    # 64 elements become columns; the library's product is its own affair
    assert (loads["im2col"], stores["im2col"]) == (64, 64)
    # and two tiles of 16 columns fetch 6 weights each and 64 elements together
    assert (loads["im2col_tiled"], stores["im2col_tiled"]) == (64 + 2 * 6 + 64, 64 + 96)


def test_counting_does_not_outlast_its_context() -> None:
    launch("copy", *arrays(32), np.int32(1), np.int32(0))
    assert emulator.mode() != "counting"
    with emulator.count_accesses() as launches:
        pass
    x, y = arrays(32)
    module = emulator.RawModule(code=SOURCE, options=("-DREAL=float", "-DPAD=0"))
    module.get_function("copy")((1,), (32,), (x, y, np.int32(1), np.int32(0)))
    assert launches == []


def test_without_the_tools_that_know_lines_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert compiler.source_lines("some.so", [1, 2]) == ["unknown line"] * 2
    assert compiler.symbols("some.so") == {}
    monkeypatch.undo()
    monkeypatch.setattr(emulator.counting, "symbols", lambda path: {})
    found = launch("transpose", *arrays(32 * 32))
    assert one(found, "static shared memory", "load").ways == 32
