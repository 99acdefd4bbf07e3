"""The emulator's tensor cores: exactly rounded factors, and what a warp must not do with them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from kernels.cuda import emulator

SOURCE = """
#include <mma.h>
using namespace nvcuda;

template <class T, int K, class Layout, class X, class Round>
__device__ void multiply(const X* a, const X* b, float* c, int depth, Round round) {
    wmma::fragment<wmma::matrix_a, 16, 16, K, T, Layout> left;
    wmma::fragment<wmma::matrix_b, 16, 16, K, T, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, K, float> sums;
    wmma::fill_fragment(sums, 0.5f);
    for (int k = 0; k < depth; k += K) {
        const bool rows = std::is_same<Layout, wmma::row_major>::value;
        wmma::load_matrix_sync(left, rows ? a + k : a + 16 * k, rows ? depth : 16);
        wmma::load_matrix_sync(right, b + 16 * k, 16);
        for (int i = 0; i < left.num_elements; ++i) left.x[i] = round(left.x[i]);
        for (int i = 0; i < right.num_elements; ++i) right.x[i] = round(right.x[i]);
        wmma::mma_sync(sums, left, right, sums);
    }
    wmma::store_matrix_sync(c, sums, 16, wmma::mem_row_major);
}
extern "C" __global__ void rounded(const float* a, const float* b, float* c, int depth) {
    auto round = [](float x) { return wmma::__float_to_tf32(x); };
    multiply<wmma::precision::tf32, 8, wmma::row_major>(a, b, c, depth, round);
}
extern "C" __global__ void cut(const float* a, const float* b, float* c, int depth) {
    multiply<wmma::precision::tf32, 8, wmma::col_major>(a, b, c, depth, [](float x) { return x; });
}
extern "C" __global__ void halves(const __half* a, const __half* b, float* c, int depth) {
    multiply<__half, 16, wmma::row_major>(a, b, c, depth, [](__half x) { return x; });
}
extern "C" __global__ void half_a_warp(float* c) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
    wmma::fill_fragment(sums, 0.0f);
    if (threadIdx.x >= 16) return;
    wmma::store_matrix_sync(c, sums, 16, wmma::mem_row_major);
}
extern "C" __global__ void apart(float* c) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
    wmma::fill_fragment(sums, 0.0f);
    wmma::store_matrix_sync(c + threadIdx.x / 16 * 256, sums, 16, wmma::mem_row_major);
}
extern "C" __global__ void steps_apart(float* c) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
    wmma::fill_fragment(sums, 0.0f);
    wmma::store_matrix_sync(c, sums, threadIdx.x < 16 ? 16 : 32, wmma::mem_row_major);
}
extern "C" __global__ void askew(float* c) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
    wmma::fill_fragment(sums, 0.0f);
    wmma::store_matrix_sync(c + 4, sums, 16, wmma::mem_row_major);
}
extern "C" __global__ void two_places(float* c) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;
    wmma::fill_fragment(sums, 0.0f);
    if (threadIdx.x < 16) wmma::store_matrix_sync(c, sums, 16, wmma::mem_row_major);
    else wmma::store_matrix_sync(c, sums, 16, wmma::mem_row_major);
}
extern "C" __global__ void convert(const float* x, __half* y) { y[threadIdx.x] = __half(x[threadIdx.x]); }
"""
DEPTH = 32


@pytest.fixture(params=["plain", "undefined", "orders"], autouse=True)
def mode(request: pytest.FixtureRequest) -> Iterator[None]:
    with emulator.use_mode(request.param):
        yield


def launch(name: str, *arguments: object) -> None:
    emulator.RawModule(code=SOURCE).get_function(name)((1,), (32,), arguments)


def tf32(x: np.ndarray) -> np.ndarray:
    """Significands of 11 bits: the nearest, and of two as near the larger, by arithmetic and not by bits."""
    significand, exponent = np.frexp(x.astype(np.float64))
    scaled = significand * 2**11
    return np.ldexp(np.sign(scaled) * np.floor(np.abs(scaled) + 0.5), exponent - 11)


def test_tf32_is_rounded_to_ten_bits() -> None:
    generator = np.random.default_rng(2)
    a, b = (generator.standard_normal(shape).astype(np.float32) for shape in ((16, DEPTH), (DEPTH, 16)))
    a[0, :4] = [1 + 2**-11, -1 - 2**-11, 1 + 2**-12, 2**20 + 2**9]  # ties, and just less than one
    c = emulator.empty((16, 16), np.float32)
    launch("rounded", emulator.asarray(a), emulator.asarray(b), c, np.int32(DEPTH))
    want = 0.5 + tf32(a) @ tf32(b)
    assert np.abs(c.get() - want).max() <= 4 * np.finfo(np.float32).eps * np.abs(want).max()
    assert np.abs(c.get() - (0.5 + a.astype(float) @ b)).max() > 1e-4


def test_what_is_not_rounded_is_cut() -> None:
    a = np.full((DEPTH, 16), 1 + 2**-10 + 2**-11 + 2**-12, np.float32)  # columns of it lie together
    b = np.zeros((DEPTH, 16), np.float32)
    b[3] = -2.0 - 2**-9 - 2**-10
    c = emulator.empty((16, 16), np.float32)
    launch("cut", emulator.asarray(a), emulator.asarray(b), c, np.int32(DEPTH))
    assert np.array_equal(c.get(), np.full((16, 16), 0.5 + (1 + 2**-10) * (-2.0 - 2**-9)))


def test_halves_are_multiplied_exactly() -> None:
    generator = np.random.default_rng(3)
    a, b = (generator.standard_normal(shape).astype(np.float16) for shape in ((16, DEPTH), (DEPTH, 16)))
    c = emulator.empty((16, 16), np.float32)
    launch("halves", emulator.asarray(a), emulator.asarray(b), c, np.int32(DEPTH))
    want = 0.5 + a.astype(float) @ b.astype(float)
    assert np.abs(c.get() - want).max() <= 4 * np.finfo(np.float32).eps * np.abs(want).max()


def test_halves_are_rounded_as_numpy_rounds_them() -> None:
    x = np.array([1 + 2**-11, 1 + 3 * 2**-11, 65519, 65520, 2**-25, 3 * 2**-26, -0.0, np.inf] * 4, np.float32)
    y = emulator.empty(32, np.float16)
    launch("convert", emulator.asarray(x), y)
    with np.errstate(over="ignore"):
        assert y.get().tobytes() == x.astype(np.float16).tobytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("half_a_warp", "needs all 32 threads of a warp; some have returned"),
        ("apart", "give a tensor core's operation different addresses or steps"),
        ("steps_apart", "give a tensor core's operation different addresses or steps"),
        ("askew", "must begin at a multiple of 32 bytes"),
        ("two_places", "divergent warp"),
    ],
)
def test_a_warp_acts_together(name: str, message: str) -> None:
    with pytest.raises(emulator.EmulatorError, match=rf"kernel {name}: kernel.cu:\d+: .*{message}"):
        launch(name, emulator.empty((2, 16, 16), np.float32))
