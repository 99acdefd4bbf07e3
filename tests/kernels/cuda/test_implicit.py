"""The convolution on register tiles: tiles of every size, arrays that lie askew, and the phases' sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.conv2d import (
    conv2d_backward_input,
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
)
from kernels.conv2d.gpu_implicit import backward_axes
from kernels.cuda import emulator, register_tiles
from kernels.window import Window
from tests.kernels import tables
from tests.kernels.sample import Draw

TILINGS = {200: register_tiles.LARGE, 70: register_tiles.LARGE, 30: register_tiles.WIDE}
WINDOWS = [Window.of((3, 2), (2, 1), ((0, 2), (3, 1)), (1, 2)), Window.of(1)]


@pytest.fixture(autouse=True)
def look_closely() -> Iterator[None]:
    with emulator.use_mode("undefined"):
        yield


def bound(terms: int) -> float:
    return 8 * float(np.sqrt(terms)) * float(np.finfo(np.float32).eps)


@pytest.mark.parametrize("window", WINDOWS, ids=["patches", "planes"])
@pytest.mark.parametrize("outputs", TILINGS)
def test_large_tiles(outputs: int, window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a GPU gets for large products only; also with what ends the kernel."""
    monkeypatch.setattr(register_tiles, "ENOUGH_BLOCKS", 1)
    assert register_tiles.choose_tiling(outputs, 1, np.dtype(np.float32)) == TILINGS[outputs]
    draw = Draw(outputs, np.float32)
    x, weight, bias = draw.normal(3, 10, 12, 9), draw.normal(outputs, 5, *window.kernel), draw.normal(outputs)
    weight = np.concatenate([weight, draw.normal(*weight.shape)])  # a second group
    bias = np.concatenate([bias, draw.normal(outputs)])
    with kernels.use(backend="reference"):
        prepared = conv2d_prepare_weight(weight.astype(float), x.shape, window, 2)
        want = conv2d_forward_prepared(x.astype(float), prepared, bias.astype(float), window, 2, "silu")
    with kernels.use(conv2d_prepare_weight="implicit"):
        prepared = conv2d_prepare_weight(emulator.asarray(weight), x.shape, window, 2)
        got = conv2d_forward_prepared(
            emulator.asarray(x), prepared, emulator.asarray(bias), window, 2, "silu"
        )
    assert tables.worst_error([got.get()], [want]) <= bound(31)
    gradient = draw.normal(*want.shape)
    with kernels.use(backend="reference"):
        want = conv2d_backward_input(gradient.astype(float), weight.astype(float), x.shape, window, 2)
    with kernels.use(conv2d_backward_input="implicit"):
        got = conv2d_backward_input(emulator.asarray(gradient), emulator.asarray(weight), x.shape, window, 2)
    assert tables.worst_error([got.get()], [want]) <= bound(6 * outputs)


def askew(array: np.ndarray) -> Any:
    """The array in memory that begins between two vectors."""
    flat = emulator.asarray(np.concatenate([[0], array.reshape(-1)]).astype(array.dtype))
    return flat[1:].reshape(array.shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_that_begin_between_two_vectors(dtype: Any) -> None:
    draw = Draw(7, dtype)
    x, weight = draw.normal(2, 8, 4, 5), draw.normal(9, 8, 1, 1)
    with kernels.use(backend="reference"):
        want = conv2d_forward(x, weight, None, Window.of(1), 1)
    with kernels.use(conv2d_forward="implicit"):
        got = conv2d_forward(askew(x), askew(weight), None, Window.of(1), 1)
    np.testing.assert_allclose(got.get(), want, rtol=0, atol=64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", [(0, 0), (2, 1)])
def test_phases_gather_what_the_forward_spreads(stride: int, dilation: int, padding: tuple[int, int]) -> None:
    """Every pair of an output and a tap that meets an input, once."""
    window, size = Window.of(3, stride, (padding, padding), dilation), (13, 13)
    outputs = window.output_size(size)[0]
    wanted = Counter(
        (h, i, t)
        for i in range(outputs)
        for t in range(3)
        if 0 <= (h := i * stride + t * dilation - padding[0]) < 13
    )
    found = Counter(
        (axis.first_result + a * axis.result_step, i, taps.first + t * taps.step)
        for axis, taps in backward_axes(window, size, 0)
        for a in range(axis.results)
        for t in range(axis.taps)
        if 0 <= (i := axis.first + a * axis.step + t * axis.tap_step) < axis.source
    )
    assert found == wanted
