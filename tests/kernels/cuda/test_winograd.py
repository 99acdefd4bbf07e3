"""Winograd's convolution on the GPU: stated error bounds, padding, chunks, the choice between tiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import kernels
from kernels import Window, registry
from kernels.conv2d import (
    conv2d_backward_input,
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
    gpu_winograd,
)
from kernels.cuda import emulator
from kernels.device import Device, to_device
from tests.kernels.conv2d.winograd_errors import TILES, bound, relative_error, truth
from tests.kernels.sample import Draw


@pytest.fixture(autouse=True)
def look_closely() -> Iterator[None]:
    with emulator.use_mode("undefined"):
        yield


def forward(m: int, x: np.ndarray, weight: np.ndarray, window: Window, device: Device) -> np.ndarray:
    arrays = to_device(x, device), to_device(weight, device)
    with kernels.use(conv2d_forward=f"winograd_{m}x{m}"):
        return conv2d_forward(*arrays, None, window, 1).get()


def backward(
    m: int, dy: np.ndarray, weight: np.ndarray, x: np.ndarray, window: Window, device: Device
) -> np.ndarray:
    arrays = to_device(dy, device), to_device(weight, device)
    with kernels.use(conv2d_backward_input=f"winograd_{m}x{m}"):
        return conv2d_backward_input(*arrays, x.shape, window, 1).get()


def gradient(dy: np.ndarray, weight: np.ndarray, x: np.ndarray, window: Window) -> np.ndarray:
    with kernels.use(backend="reference", conv2d_backward_input="im2col"):
        return conv2d_backward_input(dy, weight, x.shape, window, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [3, 150])
@pytest.mark.parametrize("m", TILES)
def test_stated_error_bound(m: int, channels: int, dtype: type, device: Device) -> None:
    """On random numbers of both signs, and on positive ones as they come from a ReLU."""
    draw, window = Draw(channels, dtype), Window.of(3, 1, 1)
    x, weight = draw.normal(2, channels, 13, 10), draw.normal(33, channels, 3, 3)
    for values in (x, np.maximum(x, 0)):
        error = relative_error(forward(m, values, weight, window, device), truth(values, weight, window))
        assert error <= bound(m, channels, dtype)


@pytest.mark.parametrize("padding", [0, ((0, 2), (3, 1)), ((5, 0), (0, 4))])
@pytest.mark.parametrize("m", TILES)
def test_any_padding(m: int, padding: object, device: Device) -> None:
    """Also wider than the window, where the input's gradient skips rows and columns of dy."""
    draw, window = Draw(6), Window.of(3, 1, padding)
    x, weight = draw.normal(2, 5, 7, 9), draw.normal(18, 5, 3, 3)
    assert relative_error(forward(m, x, weight, window, device), truth(x, weight, window)) < 1e-13
    dy = draw.normal(2, 18, *window.output_size((7, 9)))
    assert relative_error(backward(m, dy, weight, x, window, device), gradient(dy, weight, x, window)) < 1e-13


@pytest.mark.parametrize("m", TILES)
def test_bits_do_not_depend_on_chunks_and_turns(
    m: int, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on how many tiles are in a chunk nor on how many channels a thread takes one after another."""
    draw, window = Draw(2, np.float32), Window.of(3, 1, 1)
    x, weight = draw.normal(3, 6, 19, 27), draw.normal(5, 6, 3, 3)
    dy = draw.normal(3, 5, 19, 27)
    whole = forward(m, x, weight, window, device), backward(m, dy, weight, x, window, device)
    monkeypatch.setattr(gpu_winograd, "CHUNK_BYTES", 1)
    monkeypatch.setattr(gpu_winograd, "MOST_CHANNELS", 2)
    assert len(list(gpu_winograd._chunks(3 * 5 * 7, gpu_winograd._chunk_tiles(100)))) == 2
    parts = forward(m, x, weight, window, device), backward(m, dy, weight, x, window, device)
    for ours, theirs in zip(parts, whole, strict=True):
        assert np.array_equal(ours, theirs)


def test_a_chunk_fits_into_the_cache() -> None:
    for m in TILES:
        for channels in (64, 512, 2048):
            bytes_of_tile = (m + 2) ** 2 * 2 * channels * 4
            count = gpu_winograd._chunk_tiles(bytes_of_tile)
            assert count == gpu_winograd.TILE or count * bytes_of_tile <= gpu_winograd.CHUNK_BYTES


@pytest.mark.parametrize("m", TILES)
def test_nan_shows(m: int, device: Device) -> None:
    x, weight = np.zeros((1, 3, 9, 9), np.float32), np.ones((4, 3, 3, 3), np.float32)
    x[0, 1, 4, 4] = np.nan
    y = forward(m, x, weight, Window.of(3, 1, 1), device)
    assert np.isnan(y[:, :, 3:6, 3:6]).all()
    assert np.isfinite(y[:, :, 8]).all()


@pytest.mark.parametrize("activation", [None, "relu6", "silu"])
def test_prepared_for_one_size_runs_on_another(activation: str | None, device: Device) -> None:
    draw, window = Draw(7), Window.of(3, 1, 1)
    weight, bias = draw.normal(6, 4, 3, 3), draw.normal(6)
    on_device = to_device(weight, device), to_device(bias, device)
    with kernels.use(conv2d_prepare_weight="winograd_4x4"):
        prepared = conv2d_prepare_weight(on_device[0], (1, 4, 30, 30), window, 1)
    with kernels.use(backend="reference"):
        on_host = conv2d_prepare_weight(weight, (1, 4, 30, 30), window, 1)
    for shape in ((3, 4, 5, 6), (0, 4, 9, 9)):
        x = draw.normal(*shape)
        got = conv2d_forward_prepared(to_device(x, device), prepared, on_device[1], window, 1, activation)
        with kernels.use(backend="reference"):
            want = conv2d_forward_prepared(x, on_host, bias, window, 1, activation)
        np.testing.assert_allclose(got.get(), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "channels", "size", "window", "chosen"),
    [
        (np.float32, 32, 40, Window.of(3, 1, 1), "winograd_4x4"),
        (np.float32, 32, 13, Window.of(3, 1, 1), ""),
        (np.float32, 32, 2, Window.of(3, 1, 1), ""),
        (np.float32, 31, 40, Window.of(3, 1, 1), ""),
        (np.float64, 32, 40, Window.of(3, 1, 1), ""),
        (np.float32, 32, 40, Window.of(3, 2, 1), ""),
        (np.float32, 32, 40, Window.of((3, 1)), ""),
        (np.float32, 32, 40, Window.of(3, 1, 1, 2), ""),
    ],
)
def test_default(dtype: Any, channels: int, size: int, window: Window, chosen: str, device: Device) -> None:
    """float32 with enough channels and tiles; float64 stays with the direct algorithm unless asked."""
    x = device.module.zeros((1, channels, size, size), dtype)
    weight = device.module.zeros((32, channels, *window.kernel), dtype)
    dy = device.module.zeros((1, 32, *window.output_size((size, size))), dtype)
    names = [
        registry.choose(conv2d_prepare_weight, weight, x.shape, window, 1).name,
        registry.choose(conv2d_forward, x, weight, None, window, 1).name,
        registry.choose(conv2d_backward_input, dy, weight, x.shape, window, 1).name,
    ]
    assert [name if name.startswith("winograd") else "" for name in names] == [chosen] * 3


def test_small_planes_take_the_small_tile(device: Device) -> None:
    """Planes of 2 x 2 need one tile either way; F(2x2, 3x3) multiplies less often."""
    x, weight = (
        device.module.zeros((64, 32, 2, 2), np.float32),
        device.module.zeros((32, 32, 3, 3), np.float32),
    )
    assert registry.choose(conv2d_forward, x, weight, None, Window.of(3, 1, 1), 1).name == "winograd_2x2"


def test_a_prepared_weight_stays_on_its_device(device: Device) -> None:
    x, weight, window = Draw(4).normal(1, 2, 5, 5), Draw(5).normal(3, 2, 3, 3), Window.of(3)
    prepared = conv2d_prepare_weight(to_device(weight, device), x.shape, window, 1)
    with pytest.raises(ValueError, match=f"must lie on one device, these lie on cpu and {device}"):
        conv2d_forward_prepared(x, prepared, None, window, 1, None)
