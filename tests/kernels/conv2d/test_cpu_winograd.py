"""Winograd's convolution: matrices, stated error bounds, splits into tasks, the choice of the tile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import kernels
from kernels import Window, registry
from kernels.conv2d import (
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
    cpu_winograd_weight,
)
from kernels.conv2d.cpu_winograd import best_tile_cold
from kernels.conv2d.cpu_winograd_matrices import data_matrix, filter_matrix, output_matrix
from kernels.conv2d.cpu_winograd_plan import plan_for
from kernels.conv2d.winograd import best_tile
from tests.kernels.conv2d.winograd_errors import TILES, bound, relative_error, truth
from tests.kernels.sample import Draw


@pytest.fixture
def threads() -> Iterator[None]:
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)


def forward(m: int, x: np.ndarray, weight: np.ndarray, window: Window, groups: int = 1) -> np.ndarray:
    with kernels.use(backend="cpu", conv2d_forward=f"winograd_{m}x{m}"):
        return conv2d_forward(x, weight, None, window, groups)


def backward(
    m: int, dy: np.ndarray, weight: np.ndarray, shape: tuple[int, ...], window: Window
) -> np.ndarray:
    with kernels.use(backend="cpu", conv2d_backward_input=f"winograd_{m}x{m}"):
        return conv2d_backward_input(dy, weight, shape, window, 1)


def backward_weight(dy: np.ndarray, x: np.ndarray, window: Window, groups: int = 1) -> np.ndarray:
    with kernels.use(backend="cpu", conv2d_backward_weight="winograd_4x4"):
        return conv2d_backward_weight(dy, x, window, groups)


@pytest.mark.parametrize("m", TILES)
def test_matrices_give_the_convolution(m: int) -> None:
    draw = Draw(1)
    d, g = draw.normal(m + 2), draw.normal(3)
    y = output_matrix(m) @ ((filter_matrix(m) @ g) * (data_matrix(m) @ d))
    np.testing.assert_allclose(y, np.correlate(d, g, "valid"), rtol=1e-13)


@pytest.mark.parametrize("m", TILES)
def test_matrices_of_data_and_products_are_exact_in_float32(m: int) -> None:
    for matrix in (data_matrix(m), output_matrix(m)):
        assert np.array_equal(matrix, matrix.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [3, 40, 300])
@pytest.mark.parametrize("m", TILES)
def test_stated_error_bound(m: int, channels: int, dtype: type) -> None:
    """On random numbers of both signs, and on positive ones as they come from a ReLU."""
    draw = Draw(channels, dtype)
    weight = draw.normal(33, channels, 3, 3)
    x = draw.normal(2, channels, 13, 18)
    for values in (x, np.maximum(x, 0)):
        want = truth(values, weight, Window.of(3, 1, 1))
        error = relative_error(forward(m, values, weight, Window.of(3, 1, 1)), want)
        assert error <= bound(m, channels, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("batch", "size"), [(1, (3, 5)), (3, (13, 18)), (8, (40, 33))])
def test_stated_error_bound_of_the_weight_gradient(batch: int, size: tuple[int, int], dtype: type) -> None:
    """2 sqrt(N OH OW) eps max |dw|."""
    draw, window = Draw(batch, dtype), Window.of(3, 1, 1)
    x, dy = draw.normal(batch, 19, *size), draw.normal(batch, 34, *size)
    bound = 2 * np.sqrt(batch * size[0] * size[1]) * np.finfo(dtype).eps
    for values in (x, np.maximum(x, 0)):
        with kernels.use(backend="reference", conv2d_backward_weight="im2col"):
            want = conv2d_backward_weight(dy.astype(np.float64), values.astype(np.float64), window, 1)
        assert relative_error(backward_weight(dy, values, window), want) <= bound


@pytest.mark.parametrize("padding", [0, ((0, 2), (3, 1)), ((5, 0), (0, 4))])
@pytest.mark.parametrize("m", TILES)
def test_any_padding(m: int, padding: object) -> None:
    """Also wider than the window, where the input's gradient skips rows and columns of dy."""
    draw, window = Draw(6), Window.of(3, 1, padding)
    x, weight = draw.normal(2, 5, 7, 9), draw.normal(18, 5, 3, 3)
    assert relative_error(forward(m, x, weight, window), truth(x, weight, window)) < 1e-13
    dy = draw.normal(2, 18, *window.output_size((7, 9)))
    with kernels.use(backend="reference", conv2d_backward_input="im2col"):
        want = conv2d_backward_input(dy, weight, x.shape, window, 1)
    assert relative_error(backward(m, dy, weight, x.shape, window), want) < 1e-13
    with kernels.use(backend="reference", conv2d_backward_weight="im2col"):
        want = conv2d_backward_weight(dy, x, window, 1)
    assert relative_error(backward_weight(dy, x, window), want) < 1e-13


@pytest.mark.parametrize(
    ("batch", "channels", "outputs", "size"),
    [(1, 40, 160, (9, 8)), (4, 40, 36, (29, 25)), (2, 64, 64, (60, 50))],
    ids=["split by outputs", "split by tiles", "several chunks"],
)
@pytest.mark.parametrize("m", TILES)
def test_bits_do_not_depend_on_the_number_of_tasks(
    m: int, batch: int, channels: int, outputs: int, size: tuple[int, int], threads: None
) -> None:
    draw, window = Draw(2, np.float32), Window.of(3, 1, 1)
    x, weight = draw.normal(batch, channels, *size), draw.normal(outputs, channels, 3, 3)
    dy = draw.normal(batch, outputs, *size)
    results, splits = [], set()
    for number in (1, 2, 3):
        kernels.set_num_threads(number)
        results.append((forward(m, x, weight, window), backward(m, dy, weight, x.shape, window)))
        plan, _, tasks = plan_for(x.shape, x.dtype, m, 1, outputs, (1, 1), size, number)
        assert tasks == number
        splits.add((plan.chunks, plan.parts))
    assert len(splits) > 1
    for y, dx in results[1:]:
        assert np.array_equal(y, results[0][0])
        assert np.array_equal(dx, results[0][1])


def test_bits_of_the_weight_gradient_depend_on_nothing(
    monkeypatch: pytest.MonkeyPatch, threads: None
) -> None:
    """Neither on the number of tasks nor on the slices of Z and the chunks of tiles."""
    draw, window = Draw(8, np.float32), Window.of(3, 1, 1)
    x, dy = draw.normal(2, 20, 22, 21), draw.normal(2, 70, 22, 21)
    results = []
    for slice_bytes, chunk_bytes in ((2**22, 2**23), (2**18, 2**19)):
        monkeypatch.setattr(cpu_winograd_weight, "SLICE_BYTES", slice_bytes)
        monkeypatch.setattr(cpu_winograd_weight, "CHUNK_BYTES", chunk_bytes)
        cpu_winograd_weight.plan_for.cache_clear()
        plan, _, outputs = cpu_winograd_weight.plan_for(x.shape, x.dtype, 1, dy.shape, (1, 1))
        assert (plan.chunks > 1) == (outputs < 70) == (slice_bytes < 2**22)
        for number in (1, 2, 3):
            kernels.set_num_threads(number)
            results.append(backward_weight(dy, x, window))
    cpu_winograd_weight.plan_for.cache_clear()
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("m", TILES)
def test_nan_shows(m: int) -> None:
    x, weight = np.zeros((1, 3, 9, 9), np.float32), np.ones((4, 3, 3, 3), np.float32)
    x[0, 1, 4, 4] = np.nan
    y = forward(m, x, weight, Window.of(3, 1, 1))
    assert np.isnan(y[:, :, 3:6, 3:6]).all()
    assert np.isfinite(y[:, :, 8]).all()


@pytest.mark.parametrize("activation", [None, "relu", "relu6", "sigmoid"])
def test_prepared_for_one_size_runs_on_another(activation: str | None) -> None:
    draw, window = Draw(7), Window.of(3, 1, 1)
    weight, bias = draw.normal(6, 4, 3, 3), draw.normal(6)
    with kernels.use(backend="cpu", conv2d_prepare_weight="winograd_4x4"):
        prepared = conv2d_prepare_weight(weight, (1, 4, 30, 30), window, 1)
    for shape in ((3, 4, 5, 6), (0, 4, 9, 9)):
        x = draw.normal(*shape)
        with kernels.use(backend="reference"):
            want = conv2d_forward_prepared(x, prepared, bias, window, 1, activation)
        got = conv2d_forward_prepared(x, prepared, bias, window, 1, activation)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", [1, 2, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scratch_is_bounded(number: int, dtype: type) -> None:
    """V and M of all tasks stay under 16 MiB, whatever the layer."""
    for m in TILES:
        for batch, channels, size in ((1, 2048, 64), (64, 512, 14), (8, 64, 224), (1, 3, 600)):
            shape = (batch, channels, size, size)
            plan, _, tasks = plan_for(shape, np.dtype(dtype), m, 1, channels, (1, 1), shape[2:], number)
            scratch = tasks * (m + 2) ** 2 * (plan.v_step + plan.m_step) * np.dtype(dtype).itemsize
            assert scratch < 16 * 2**20


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scratch_of_the_weight_gradient_is_bounded(dtype: type) -> None:
    for batch, channels, size in ((1, 2048, 64), (64, 512, 14), (8, 64, 224), (1, 3, 600)):
        shape = (batch, channels, size, size)
        plan, _, _ = cpu_winograd_weight.plan_for(shape, np.dtype(dtype), 1, shape, (1, 1))
        steps = plan.v_step + plan.m_step + plan.u_step
        assert 36 * steps * np.dtype(dtype).itemsize < 16 * 2**20


def test_the_tile_with_fewer_multiplications_is_chosen() -> None:
    assert [best_tile((n, n)) for n in (1, 2, 3, 4, 5, 7, 9, 10, 14)] == [2, 2, 4, 4, 4, 4, 4, 4, 4]
    assert best_tile_cold(1, (7, 7)) == 2
    assert best_tile_cold(8, (7, 7)) == 4


@pytest.mark.parametrize(
    ("dtype", "channels", "window", "chosen"),
    [
        (np.float32, 32, Window.of(3, 1, 1), True),
        (np.float32, 8, Window.of(3, 1, 1), False),
        (np.float64, 32, Window.of(3, 1, 1), False),
        (np.float32, 32, Window.of(3, 2, 1), False),
        (np.float32, 32, Window.of((3, 1)), False),
        (np.float32, 32, Window.of(3, 1, 1, 2), False),
    ],
)
def test_default(dtype: type, channels: int, window: Window, chosen: bool) -> None:
    """float32 with enough channels; float64 stays with the direct algorithm unless asked."""
    draw = Draw(3, dtype)
    x, weight = draw.normal(1, channels, 40, 40), draw.normal(16, channels, *window.kernel)
    dy = draw.normal(1, 16, *window.output_size((40, 40)))
    names = {
        registry.choose(conv2d_prepare_weight, weight, x.shape, window, 1).name,
        registry.choose(conv2d_forward, x, weight, None, window, 1).name,
        registry.choose(conv2d_backward_input, dy, weight, x.shape, window, 1).name,
        registry.choose(conv2d_backward_weight, dy, x, window, 1).name,
    }
    assert (
        all(name.startswith("winograd") for name in names)
        if chosen
        else not any(name.startswith("winograd") for name in names)
    )
