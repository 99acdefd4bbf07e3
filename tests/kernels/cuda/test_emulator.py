"""The emulator as CuPy's stand-in: what launches it refuses, what its arrays refuse, what kernels may use."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from kernels.cuda import emulator
from kernels.cuda.emulator import EmulatorError, compiler

SOURCE = """
extern "C" __global__ void scale(const float* x, float* y, int n, float factor)
{ int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] = factor * x[i]; }

extern "C" __global__ void __launch_bounds__(WIDTH * 2) bounded(float* y)
{
    extern __shared__ float s[];
    s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void places(long long* y)
{
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    y[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = 1000 * block + thread;
}

extern "C" __global__ void warp_sums(const int* x, int* sums, unsigned* ballots)
{
    int v = x[threadIdx.x];
    ballots[threadIdx.x] = __ballot_sync(0xffffffffu, v % 2);
    for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o);
    if (threadIdx.x % 32 == 0) atomicAdd(sums, v);
}

extern "C" __global__ void optional(const float* x, float* y) { y[0] = x ? x[0] : -1.0f; }
"""


@pytest.fixture(scope="module")
def module() -> emulator.RawModule:
    return emulator.RawModule(code=SOURCE, options=("-std=c++17", "-DWIDTH=32"))


def arrays(count: int = 4) -> tuple[emulator.DeviceArray, emulator.DeviceArray]:
    return emulator.asarray(np.arange(count, dtype=np.float32)), emulator.empty(count, np.float32)


def test_a_launch(module: emulator.RawModule) -> None:
    x, y = arrays(100)
    module.get_function("scale")((4,), (32,), (x, y, np.int32(100), np.float32(3)))
    assert np.array_equal(y.get(), 3 * np.arange(100))


def test_a_kernel_on_its_own() -> None:
    x, y = arrays()
    emulator.RawKernel(SOURCE, "scale", ("-DWIDTH=32",))((1,), (32,), (x, y, np.int32(4), np.float32(2)))
    assert np.array_equal(y.get(), [0, 2, 4, 6])


def test_indices_in_three_dimensions(module: emulator.RawModule) -> None:
    grid, block = (2, 3, 4), (5, 2, 3)
    y = emulator.empty(24 * 30, np.int64)
    module.get_function("places")(grid, block, (y,))
    want = 1000 * np.arange(24)[:, None] + np.arange(30)
    assert np.array_equal(y.get(), want.reshape(-1))


@pytest.mark.parametrize("mode", ["plain", "orders", "undefined"])
def test_warp_operations_and_atomics(module: emulator.RawModule, mode: str) -> None:
    numbers = np.random.default_rng(3).integers(-9, 9, 96).astype(np.int32)
    x, sums, ballots = emulator.asarray(numbers), emulator.zeros(1, np.int32), emulator.zeros(96, np.uint32)
    with emulator.use_mode(mode):
        module.get_function("warp_sums")((1,), (96,), (x, sums, ballots))
    assert sums.get()[0] == numbers.sum()
    odd = numbers.reshape(3, 32) % 2 != 0
    want = [sum(1 << lane for lane in range(32) if row[lane]) for row in odd]
    assert np.array_equal(ballots.get().reshape(3, 32), np.repeat(want, 32).reshape(3, 32))


def test_none_is_a_null_pointer(module: emulator.RawModule) -> None:
    y = emulator.empty(1, np.float32)
    module.get_function("optional")((1,), (1,), (None, y))
    assert y.get() == -1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.int32(4),), "got 3 arguments, the kernel has 4 parameters"),
        ((np.int64(4), np.float32(2)), "argument 2 is i8, the parameter is i4"),
        ((4, np.float32(2)), "argument 2 is a int, whose size in the kernel is a guess"),
        ((np.int32(4), 2.0), "argument 3 is a float, whose size in the kernel is a guess"),
        ((np.int32(4), emulator.zeros(1, np.float32)), "argument 3 is an array, the parameter is f4"),
    ],
)
def test_scalars_must_suit(module: emulator.RawModule, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(EmulatorError, match=f"kernel scale: {message}"):
        module.get_function("scale")((1,), (32,), (*arrays(), *arguments))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (emulator.zeros(4, np.float64), r"argument 0 has elements f8, the parameter is const f4\*"),
        (emulator.zeros((4, 4), np.float32).T, "argument 0 is not contiguous"),
        (np.zeros(4, np.float32), "argument 0 is a NumPy array"),
    ],
)
def test_arrays_must_suit(module: emulator.RawModule, x: Any, message: str) -> None:
    with pytest.raises(EmulatorError, match=f"kernel scale: {message}"):
        module.get_function("scale")((1,), (32,), (x, arrays()[1], np.int32(4), np.float32(2)))


@pytest.mark.parametrize(
    ("grid", "block", "shared", "message"),
    [
        ((0,), (32,), 0, "grid must be from 1 to"),
        ((1, 65536), (32,), 0, "grid must be from 1 to"),
        (1, (32,), 0, "grid must be a tuple"),
        ((1,), (1, 1, 65), 0, "block must be from 1 to"),
        ((1,), (64, 32), 0, r"block \(64, 32, 1\) has 2048 threads; a block has at most 1024"),
        ((1,), (65,), 0, r"block \(65, 1, 1\) has 65 threads; __launch_bounds__ allows 64"),
        ((1,), (32,), 49153, "0 bytes of static shared memory and the launch asks for 49153"),
    ],
)
def test_launch_limits(module: emulator.RawModule, grid: Any, block: Any, shared: int, message: str) -> None:
    with pytest.raises(EmulatorError, match=message):
        module.get_function("bounded")(grid, block, (arrays(64)[1],), shared_mem=shared)


def test_more_shared_memory_on_request(module: emulator.RawModule) -> None:
    kernel = module.get_function("bounded")
    kernel.max_dynamic_shared_size_bytes = 100 << 10
    y = emulator.empty(64, np.float32)
    kernel((1,), (64,), (y,), shared_mem=64 << 10)
    assert np.array_equal(y.get(), np.arange(64))


def test_unknown_names_and_broken_sources() -> None:
    with pytest.raises(EmulatorError, match="no kernel is called 'scales'; the source has: scale, bounded"):
        emulator.RawModule(code=SOURCE, options=("-DWIDTH=32",)).get_function("scales")
    with pytest.raises(EmulatorError, match="the source holds no kernel"):
        emulator.RawModule(code="int x;")
    with pytest.raises(EmulatorError, match=r"kernel.cu:1:.*'?y'?"):
        emulator.RawModule(code='extern "C" __global__ void f(int* x) { y = 1; }')


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiler.find_compiler.cache_clear()
    try:
        with pytest.raises(EmulatorError, match="'no-such-compiler' was not found: install g"):
            compiler.find_compiler()
    finally:
        compiler.find_compiler.cache_clear()


def test_a_compiled_file_is_kept() -> None:
    text = 'extern "C" int answer() { return 42; }'
    first = compiler.compile_shared("test", text, ("-O0",))
    written = first.stat().st_mtime_ns
    assert compiler.compile_shared("test", text, ("-O0",)) == first
    assert first.stat().st_mtime_ns == written
    assert compiler.compile_shared("test", text, ("-O1",)) != first


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.sum,
        lambda x: np.zeros(3) + x,
        lambda x: x + np.zeros(3),
        lambda x: np.add(x, 1),
        bool,
        list,
        float,
    ],
)
def test_arrays_do_not_become_numpys_silently(convert: Any) -> None:
    with pytest.raises(TypeError):
        convert(emulator.zeros(3))


def test_arrays_have_views() -> None:
    host = np.arange(24).reshape(2, 3, 4)
    x = emulator.asarray(host)
    for view, want in (
        (x.reshape(6, 4), host.reshape(6, 4)),
        (x.T, host.T),
        (x.transpose(1, 0, 2), host.transpose(1, 0, 2)),
        (x[1, :, ::2], host[1, :, ::2]),
        (x[1, 2, 3], host[1, 2, 3]),
        (x[..., None, 0], host[..., None, 0]),
        (emulator.ascontiguousarray(x.T), host.T),
    ):
        assert view.shape == want.shape
        assert np.array_equal(view.get(), want)
    x[0].set(np.zeros((3, 4), np.int64))
    assert not x.get()[0].any()
    with pytest.raises(TypeError, match="takes slices, integers"):
        x[host > 3]
    with pytest.raises(
        ValueError, match=r"array must be int64 of shape \(3, 4\), got float64 of shape \(2,\)"
    ):
        x[0].set(np.zeros(2))


def test_new_memory_is_nothing_useful() -> None:
    assert np.isnan(emulator.empty((2, 3), np.float32).get()).all()
    assert not emulator.zeros((2, 3), np.float32).get().any()


def test_modes_are_checked() -> None:
    with pytest.raises(ValueError, match="mode must be one of plain, orders"), emulator.use_mode("fast"):
        pass
    with pytest.raises(RuntimeError, match=r"needs libasan.so loaded before"), emulator.use_mode("address"):
        pass


def test_the_gpu_backend_needs_no_cupy() -> None:
    """Nor does listing it import the emulator."""
    program = (
        "import sys; from kernels import registry; registry.table(); "
        "print([n for n in ('cupy', 'kernels.cuda.emulator') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
