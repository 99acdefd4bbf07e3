"""What the samples do not ask of the gpu versions: exact masks, labels that are no class, limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels import registry
from kernels.cross_entropy import cross_entropy_backward, cross_entropy_forward
from kernels.depthwise_conv2d import (
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
    depthwise_conv2d_forward,
    gpu,
)
from kernels.device import Device
from kernels.dropout import dropout_forward
from kernels.elementwise import absolute
from kernels.interpolation import interpolate_bilinear_forward, interpolate_nearest_forward
from kernels.matmul import matmul
from kernels.multi_margin_loss import multi_margin_loss_backward, multi_margin_loss_forward
from kernels.nll_loss import nll_loss_backward, nll_loss_forward
from kernels.window import Window

GENERATOR = np.random.default_rng(8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_draws_the_hosts_mask_bit_for_bit(dtype: Any, device: Device) -> None:
    x = GENERATOR.standard_normal((3, 5, 211)).astype(dtype)
    wanted = dropout_forward(x, 0.3, seed=2**63 + 5)
    got = dropout_forward(device.module.asarray(x), 0.3, seed=2**63 + 5)
    assert got.get().tobytes() == wanted.tobytes()


def test_resizing_beyond_the_input_repeats_its_last_element(device: Device) -> None:
    """A size and a scale factor that do not belong together."""
    x, wanted = device.module.asarray(np.arange(4.0).reshape(1, 1, 1, 4)), [0, 1, 2, 3, 3, 3]
    copied = interpolate_nearest_forward(x, (1, 6), (1.0, 1.0)).get()
    mixed = interpolate_bilinear_forward(x, (1, 6), False, (1.0, 1.0)).get()
    assert np.array_equal(copied[0, 0, 0], wanted)
    assert np.array_equal(mixed[0, 0, 0], wanted)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_an_absolute_value_has_no_sign(zero: float, device: Device) -> None:
    assert not np.signbit(absolute(device.module.asarray(np.array([zero]))).get()[0])


@pytest.mark.parametrize("wrong", [-3, 4])
@pytest.mark.parametrize("version", ["threads", "warps"])
def test_a_label_that_is_no_class_gives_nan(wrong: int, version: str, device: Device) -> None:
    """The host does not look at labels in device memory; the other samples keep their values."""
    x = device.module.asarray(GENERATOR.standard_normal((3, 4)))
    target, fine = np.array([1, wrong, -1]), np.array([True, False, True])
    labels, grad = device.module.asarray(target), device.module.asarray(np.ones(3))
    with kernels.use(cross_entropy_forward=version, cross_entropy_backward=version):
        results = [
            cross_entropy_forward(x, labels, None, -1, 0.1, "none"),
            cross_entropy_backward(grad, x, labels, None, -1, 0.1, "none"),
            nll_loss_forward(x, labels, None, -1, "none"),
            nll_loss_backward(grad, labels, 4, None, -1, "none"),
        ]
    for result in results:
        finite = np.isfinite(result.get().reshape(3, -1)).all(axis=1)
        assert np.array_equal(finite, fine)


@pytest.mark.parametrize("wrong", [-3, 4])
def test_a_label_that_is_no_class_has_no_score(wrong: int, device: Device) -> None:
    """Nothing is read or written in its place, beside the array or in another sample's row."""
    x, target = GENERATOR.standard_normal((3, 4)), np.array([wrong, 1, wrong])
    scores, labels, grad = (device.module.asarray(array) for array in (x, target, np.ones(3)))
    losses = multi_margin_loss_forward(scores, labels, 2, 1.0, None, "none").get()
    gradient = multi_margin_loss_backward(grad, scores, labels, 2, 1.0, None, "none").get()
    middle = slice(1, 2)
    with kernels.use(backend="reference"):
        loss = multi_margin_loss_forward(x[middle], target[middle], 2, 1.0, None, "none")
        pushed = multi_margin_loss_backward(np.ones(1), x[middle], target[middle], 2, 1.0, None, "none")
    assert np.array_equal(np.isnan(losses), [True, False, True])
    assert np.isnan(gradient[[0, 2]]).all()
    assert np.allclose(losses[middle], loss)
    assert np.allclose(gradient[middle], pushed)


def test_a_patch_beyond_shared_memory_is_left_to_the_direct_version(device: Device) -> None:
    x, weight = device.module.zeros((1, 1, 300, 301)), device.module.zeros((1, 1, 2, 2))
    near, far = Window.of(2, dilation=40), Window.of(2, dilation=200)
    chosen = [registry.choose(depthwise_conv2d_forward, x, weight, None, window) for window in (near, far)]
    assert [version.name for version in chosen] == ["tiles", "direct"]


def test_depthwise_blocks_walk_over_planes_and_tiles(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more of them than a grid has blocks."""
    monkeypatch.setattr(gpu, "MOST_BLOCKS", 2)
    monkeypatch.setattr(gpu, "BLOCKS", 5)
    window = Window.of((3, 2), (1, 2), 1)
    x, weight = GENERATOR.standard_normal((5, 5, 40, 9)), GENERATOR.standard_normal((5, 1, 3, 2))
    grad_output = GENERATOR.standard_normal((5, 5, *window.output_size((40, 9))))
    on_device = device.module.asarray
    calls: list[tuple[Any, ...]] = [
        (depthwise_conv2d_forward, (x, weight), (None, window)),
        (depthwise_conv2d_backward_input, (grad_output, weight), (x.shape, window)),
        (depthwise_conv2d_backward_weight, (grad_output, x), (window,)),
    ]
    for contract, arrays, others in calls:
        with kernels.use(backend="reference"):
            wanted = contract(*arrays, *others)
        with kernels.use(**{contract.__name__: "tiles"}):
            got = contract(*map(on_device, arrays), *others).get()
        assert np.allclose(got, wanted, rtol=1e-12, atol=1e-12), contract.__name__


def test_depthwise_what_no_window_reaches_does_not_count(device: Device) -> None:
    """Rows and columns at the end of x, in a tile that goes beyond the last window."""
    window = Window.of(2, 3)
    x, grad_output = GENERATOR.standard_normal((1, 1, 100, 10)), GENERATOR.standard_normal((1, 1, 33, 3))
    with kernels.use(backend="reference"):
        wanted = depthwise_conv2d_backward_weight(grad_output, x, window)
    x[:, :, 99], x[:, :, :, 9] = np.nan, np.nan
    with kernels.use(depthwise_conv2d_backward_weight="tiles"):
        got = depthwise_conv2d_backward_weight(*map(device.module.asarray, (grad_output, x)), window).get()
    assert np.allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tap", [(0, 0), (0, 2), (2, 0), (2, 2)])
def test_depthwise_windows_that_do_not_exist_have_no_gradient(tap: tuple[int, int], device: Device) -> None:
    """An infinite weight shows where a window has it, not where one further on would; several tiles."""
    window, weight = Window.of(3, 2), GENERATOR.standard_normal((1, 1, 3, 3))
    weight[0, 0, *tap] = np.inf
    grad_output = 1 + GENERATOR.random((1, 1, 19, 18))
    with kernels.use(backend="reference"):
        wanted = depthwise_conv2d_backward_input(grad_output, weight, (1, 1, 40, 37), window)
    with kernels.use(depthwise_conv2d_backward_input="tiles"):
        arrays = map(device.module.asarray, (grad_output, weight))
        got = depthwise_conv2d_backward_input(*arrays, (1, 1, 40, 37), window).get()
    assert np.allclose(got, wanted, rtol=1e-12, atol=1e-12)


def test_a_product_over_many_repeated_axes_is_left_to_the_library(device: Device) -> None:
    """Five axes of which no two neighbours repeat alike."""
    a = GENERATOR.standard_normal((2, 1, 2, 1, 2, 3, 4))
    b = GENERATOR.standard_normal((1, 2, 1, 2, 1, 4, 5))
    x, y = device.module.asarray(a), device.module.asarray(b)
    assert np.allclose(matmul(x, y).get(), a @ b)
    with kernels.use(matmul="tiled"), pytest.raises(ValueError, match="that takes these arguments"):
        matmul(x, y)


def test_means_far_from_zero_cost_no_digits(device: Device) -> None:
    """Batch norm's moments in one pass, over several parts of a channel."""
    x = (1e4 + GENERATOR.standard_normal((2, 2, 70, 65))).astype(np.float32)
    contract = registry.contract("batch_norm_forward_training")
    _, mean, inverse_std = contract(device.module.asarray(x), None, None, None, None, 0.1, 1e-5)
    wide = x.astype(np.float64)
    assert np.allclose(mean.get(), wide.mean((0, 2, 3)), rtol=1e-7)
    assert np.allclose(inverse_std.get(), 1 / np.sqrt(wide.var((0, 2, 3)) + 1e-5), rtol=2e-7)
