"""The direct convolutions in Numba where samples are too small to reach: blocks, tasks, panels, endings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

import kernels
from kernels import registry
from kernels.conv2d import (
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
    cpu_direct,
    cpu_fused,
)
from kernels.conv2d.cpu_fused import BLOCK_DEPTH
from kernels.prepared import ACTIVATIONS
from kernels.window import Window
from tests.kernels.sample import Draw

VERSIONS = ("loops", "im2col", "fused_im2col", "pointwise", "direct")


@dataclass(frozen=True)
class Layer:
    """A convolution: its input's shape, its outputs, how it slides."""

    x: tuple[int, int, int, int]
    outputs: int
    window: Window
    groups: int = 1

    @property
    def weight(self) -> tuple[int, ...]:
        return self.outputs, self.x[1] // self.groups, *self.window.kernel


LAYERS = {
    "deep": Layer((1, 130, 9, 11), 19, Window.of(3, 1, 1)),  # two blocks of the depth, the second tile cut
    "deep-batch": Layer((3, 800, 7, 7), 21, Window.of(1)),  # and panels that lie in two images
    "wide": Layer((1, 5, 13, 71), 9, Window.of((3, 5), 1, ((0, 1), (2, 3)))),
    "stride-2": Layer((2, 3, 31, 45), 10, Window.of(7, 2, 3)),
    "stride-1": Layer((1, 2, 7, 31), 18, Window.of((2, 3))),
    "stride-3": Layer((2, 4, 20, 29), 8, Window.of((2, 3), 3, 1)),
    "stride-4": Layer((1, 3, 39, 75), 24, Window.of(11, 4, 2)),
    "dilated": Layer((2, 6, 17, 19), 5, Window.of(3, (2, 1), 4, (2, 3))),
    "groups": Layer((2, 24, 8, 9), 36, Window.of(3, 1, 1), groups=4),
    "pixels": Layer((5, 33, 1, 1), 40, Window.of(1)),
    "far-padding": Layer((1, 2, 3, 4), 3, Window.of(2, 1, 9)),  # windows that see nothing at all
}


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small work, too, is cut into as many tasks as there are threads."""
    before = kernels.get_num_threads()
    plans = cpu_fused.make_plan, cpu_direct.make_plan
    for module, plan in zip((cpu_fused, cpu_direct), plans, strict=True):
        monkeypatch.setattr(module, "SMALLEST_TASK", 1)
        plan.cache_clear()
    yield
    for plan in plans:
        plan.cache_clear()
    kernels.set_num_threads(before)


def run(
    layer: Layer,
    version: str,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None = None,
    backend: str = "cpu",
) -> np.ndarray:
    with kernels.use(backend=backend, conv2d_prepare_weight=version):
        prepared = conv2d_prepare_weight(weight, x.shape, layer.window, layer.groups)
        return conv2d_forward_prepared(x, prepared, bias, layer.window, layer.groups, activation)


def arguments(layer: Layer, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs of about unit size, so that an activation does not hide errors."""
    draw = Draw(6, dtype)
    weight = draw.normal(*layer.weight)
    return draw.normal(*layer.x), weight / dtype(weight[0].size ** 0.5), draw.normal(layer.outputs)


def fitting(layer: Layer) -> list[str]:
    left_out = set()
    if layer.window.kernel != (1, 1):
        left_out.add("pointwise")
    if layer.groups > 1:
        left_out.add("direct")
    return [name for name in VERSIONS if name not in left_out]


@pytest.mark.parametrize("name", LAYERS)
def test_error_bound(name: str) -> None:
    layer = LAYERS[name]
    x, weight, bias = arguments(layer)
    wide = [array.astype(np.float64) for array in (x, weight, bias)]
    with kernels.use(backend="reference"):
        prepared = conv2d_prepare_weight(wide[1], x.shape, layer.window, layer.groups)
        want = conv2d_forward_prepared(wide[0], prepared, wide[2], layer.window, layer.groups, None)
    bound = 2 * np.sqrt(weight[0].size) * np.finfo(np.float32).eps * np.abs(want).max()
    for version in fitting(layer):
        assert np.abs(run(layer, version, x, weight, bias) - want).max() <= bound, version


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", LAYERS)
def test_the_same_bits_on_any_number_of_threads(name: str) -> None:
    layer = LAYERS[name]
    x, weight, bias = arguments(layer)
    for version in fitting(layer):
        results = []
        for number in (1, 2, 3, 4):
            kernels.set_num_threads(number)
            results.append(run(layer, version, x, weight, bias))
        for other in results[1:]:
            np.testing.assert_array_equal(results[0], other, err_msg=version)


def test_tiles_and_loops_add_in_the_same_order() -> None:
    """Over several blocks of the depth: the bias first, then every product in turn, each rounded once."""
    layer = LAYERS["deep"]
    assert layer.weight[1] * 9 > BLOCK_DEPTH
    x, weight, bias = arguments(layer)
    fused = run(layer, "fused_im2col", x, weight, bias)
    np.testing.assert_array_equal(run(layer, "im2col", x, weight, bias), fused)
    np.testing.assert_array_equal(run(layer, "direct", x, weight, bias), fused)


@pytest.mark.parametrize(
    ("channels", "outputs", "kernel", "width", "direct"),
    [
        (3, 64, 3, 112, True),
        (1, 16, 2, 224, True),
        (3, 64, 3, 64, False),  # would be computed as 84
        (3, 6, 3, 112, False),
        (5, 16, 3, 112, False),
        (3, 16, 1, 112, False),
    ],
)
def test_few_channels_that_fill_tiles_are_convolved_directly(
    channels: int, outputs: int, kernel: int, width: int, direct: bool
) -> None:
    layer = Layer((1, channels, 9, 2 * width - 2 + kernel), outputs, Window.of(kernel, 2))
    x, weight, bias = arguments(layer)
    for chosen in (
        registry.choose(conv2d_prepare_weight, weight, x.shape, layer.window, 1),
        registry.choose(conv2d_forward, x, weight, bias, layer.window, 1),
    ):
        assert (chosen.name == "direct") == direct


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["stride-4", "deep", "deep-batch", "groups"])
def test_activations_end_the_run(name: str, activation: str) -> None:
    layer = LAYERS[name]
    x, weight, bias = arguments(layer)
    with kernels.use(backend="reference"):
        want = ACTIVATIONS[activation](run(layer, "loops", x, weight, bias))
    for version in fitting(layer):
        got = run(layer, version, x, weight, bias, activation)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, err_msg=version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("activation", [None, "relu", "relu6", "hardswish"])
def test_nan_and_infinity_show(version: str, activation: str | None) -> None:
    """Padding is zero, not a neighbour: only outputs whose windows see the NaN or the infinity have it."""
    layer = Layer((1, 2, 6, 7), 3, Window.of(1) if version == "pointwise" else Window.of(3, 1, 1))
    x, weight, _ = arguments(layer)
    x[0, 1, 2, 3], x[0, 0, 5, 6] = np.nan, np.inf
    got = run(layer, version, x, weight, None, activation)
    want = run(layer, "loops", x, weight, None, activation, backend="reference")
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("batch", [0, 1, 3, 8, 21])
def test_one_position_is_a_fully_connected_layer(batch: int, activation: str | None) -> None:
    """Dot products up to eight images, tiles for more; with and without a bias."""
    layer = Layer((batch, 45, 1, 1), 23, Window.of(1))
    x, weight, bias = arguments(layer)
    for offsets in (bias, None):
        want = run(layer, "loops", x, weight, offsets, activation, backend="reference")
        got = run(layer, "one_position", x, weight, offsets, activation)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_weight_prepared_for_one_position_runs_on_planes() -> None:
    layer = Layer((2, 20, 5, 7), 9, Window.of(1, 2))
    x, weight, bias = arguments(layer)
    with kernels.use(backend="cpu", conv2d_prepare_weight="one_position"):
        prepared = conv2d_prepare_weight(weight, (2, 20, 1, 1), layer.window, 1)
    got = conv2d_forward_prepared(x, prepared, bias, layer.window, 1, "relu")
    np.testing.assert_array_equal(got, run(layer, "fused_im2col", x, weight, bias, "relu"))


@pytest.mark.parametrize(
    ("tasks", "blocks", "columns", "across"),
    [
        (2, 32, 196, 1),  # 13 vectors do not come out even, 32 blocks do
        (2, 8, 12544, 2),  # columns come out even, and are gathered once
        (2, 1, 4096, 2),
        (4, 2, 3136, 4),
        (3, 64, 1, 1),
    ],
)
def test_work_is_cut_where_it_comes_out_even(tasks: int, blocks: int, columns: int, across: int) -> None:
    assert cpu_fused.split(tasks, blocks, columns, 16) == across
