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
    conv2d_backward_weight,
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
)
from kernels.conv2d.gpu_implicit import backward_axes
from kernels.conv2d.gpu_implicit_weight import part_length
from kernels.cuda import emulator, tiles
from kernels.window import Window
from tests.kernels import tables
from tests.kernels.cuda.transfer import askew_to_device
from tests.kernels.sample import Draw

TILINGS = {200: tiles.LARGE, 70: tiles.LARGE, 30: tiles.WIDE}
WINDOWS = [Window.of((3, 2), (2, 1), ((0, 2), (3, 1)), (1, 2)), Window.of(1)]


@pytest.fixture(autouse=True)
def look_closely() -> Iterator[None]:
    with emulator.use_mode("undefined"):
        yield


def large_case(outputs: int, window: Window, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, ...]:
    """x, weight, bias and the gradient of the output in two groups, for which the tiles are the largest."""
    monkeypatch.setattr(tiles, "ENOUGH_BLOCKS", 1)
    assert tiles.choose_tiling(outputs, 1, np.dtype(np.float32)) == TILINGS[outputs]
    draw = Draw(outputs, np.float32)
    x, weight, bias = (
        draw.normal(3, 10, 12, 9),
        draw.normal(2 * outputs, 5, *window.kernel),
        draw.normal(2 * outputs),
    )
    return x, weight, bias, draw.normal(3, 2 * outputs, *window.output_size((12, 9)))


def check(version: dict[str, str], call: Any, arrays: list[np.ndarray], terms: int) -> None:
    """What a version makes of arrays is what the reference makes of them, within rounding."""
    with kernels.use(backend="reference"):
        want = call(*(array.astype(np.float64) for array in arrays))
    with kernels.use(**version):
        got = call(*map(emulator.asarray, arrays))
    bound = 8 * float(np.sqrt(terms)) * float(np.finfo(np.float32).eps)
    assert tables.worst_error([got.get()], [want]) <= bound


@pytest.mark.parametrize("window", WINDOWS, ids=["patches", "planes"])
@pytest.mark.parametrize("outputs", TILINGS)
def test_large_tiles_forward(outputs: int, window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a GPU gets for large products only; also with what ends the kernel."""
    x, weight, bias, _ = large_case(outputs, window, monkeypatch)

    def run(x: Any, weight: Any, bias: Any) -> Any:
        prepared = conv2d_prepare_weight(weight, x.shape, window, 2)
        return conv2d_forward_prepared(x, prepared, bias, window, 2, "silu")

    check({"conv2d_prepare_weight": "implicit"}, run, [x, weight, bias], terms=31)


@pytest.mark.parametrize("window", WINDOWS, ids=["patches", "planes"])
@pytest.mark.parametrize("outputs", TILINGS)
def test_large_tiles_backward(outputs: int, window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, _, gradient = large_case(outputs, window, monkeypatch)
    check(
        {"conv2d_backward_input": "implicit"},
        lambda dy, w: conv2d_backward_input(dy, w, x.shape, window, 2),
        [gradient, weight],
        terms=6 * outputs,
    )
    check(
        {"conv2d_backward_weight": "implicit"},
        lambda dy, x: conv2d_backward_weight(dy, x, window, 2),
        [gradient, x],
        terms=324,
    )


@pytest.mark.parametrize(
    ("places", "blocks"), [(1, 1), (255, 3), (4097, 1), (100_000, 7), (0, 1), (10**7, 10**6)]
)
def test_parts_cover_all_places(places: int, blocks: int) -> None:
    """Whole tiles, of which none is without a place, and no more than were asked for."""
    most = max(places // 256, 1)
    length = part_length(places, blocks, most)
    number = -(-places // length)
    assert length % 16 == 0
    assert number <= most
    assert number * length >= places > (number - 1) * length or places == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_that_begin_between_two_vectors(dtype: Any) -> None:
    draw = Draw(7, dtype)
    x, weight = draw.normal(2, 8, 4, 5), draw.normal(9, 8, 1, 1)
    with kernels.use(backend="reference"):
        want = conv2d_forward(x, weight, None, Window.of(1), 1)
    with kernels.use(conv2d_forward="implicit"):
        got = conv2d_forward(askew_to_device(x), askew_to_device(weight), None, Window.of(1), 1)
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
