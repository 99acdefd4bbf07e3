"""EfficientNet beyond its references: scaling, TensorFlow's padding, stochastic depth."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import models
from kernels.window import strided_same_padding
from minidnn import Tensor, manual_seed, no_grad
from minidnn.nn import BatchNorm2d
from models.efficient_blocks import SameConv2d, StochasticDepth, make_divisible
from models.efficientnet import SCALINGS, EfficientNet, compound_scaling
from tests.reference import bounds, digest
from tests.reference.catalogue import references, variants
from tests.reference.make import load


def test_compound_scaling_doubles_the_work_and_starts_at_b0() -> None:
    assert compound_scaling(0) == SCALINGS["b0"]
    one = compound_scaling(1)
    assert one == (1.2, 1.1, 258)
    assert one.depth * one.width**2 * (one.resolution / 224) ** 2 == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(("variant", "coefficient"), [("b1", 0.5), ("b2", 1), ("b3", 2)])
def test_the_authors_numbers_are_the_formulas_rounded(variant: str, coefficient: float) -> None:
    for published, formula in zip(SCALINGS[variant], compound_scaling(coefficient), strict=True):
        assert published == pytest.approx(formula, rel=0.05)


@pytest.mark.parametrize("variant", SCALINGS)
def test_each_variant_knows_its_resolution(variant: str) -> None:
    resolution = SCALINGS[variant].resolution
    assert models.registry.entry(f"efficientnet_{variant}").input_shape == (3, resolution, resolution)


def test_a_network_between_the_published_ones() -> None:
    model = EfficientNet(compound_scaling(0.25), num_classes=3, in_channels=1).eval()
    assert model.resolution == 232
    with no_grad():
        assert model(Tensor(np.zeros((2, 1, 33, 47), np.float32))).shape == (2, 3)


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(1, 8), (8.5, 8), (11, 16), (12, 16), (32 * 1.1, 32), (40 * 1.2, 48), (18, 24), (19, 24)],
)
def test_make_divisible(channels: float, rounded: int) -> None:
    assert make_divisible(channels) == rounded


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_strided_same_padding_is_the_least_for_its_output(
    length: int, kernel: int, stride: int, dilation: int
) -> None:
    (before, after), other = strided_same_padding((length, 7), (kernel, 1), (stride, 1), (dilation, 1))
    assert other == (0, 0)
    assert after - before in (0, 1)
    outputs = math.ceil(length / stride)
    needed = (outputs - 1) * stride + dilation * (kernel - 1) + 1
    assert before + after == max(needed - length, 0)


def test_same_convolution_at_stride_2_starts_at_the_first_pixel_of_an_even_map() -> None:
    layer = SameConv2d(1, 1, 3, stride=2)
    layer.weight.data[...] = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    image = np.zeros((1, 1, 4, 5), np.float32)
    image[0, 0, 0, 0] = 1
    with no_grad():
        # Rows: even, no padding before, so the pixel meets tap 0; columns: odd, one before, tap 1.
        assert layer(Tensor(image)).numpy()[0, 0, 0, 0] == 1
    assert "padding=tensorflow same" in repr(layer)


def test_padding_must_be_known() -> None:
    message = "padding must be torch or tensorflow, got 'same'"
    with pytest.raises(ValueError, match=re.escape(message)):
        models.efficientnet_b0(padding="same")


@pytest.mark.parametrize(
    ("name", "padding", "eps"),
    [("b0", "torch", 1e-5), ("b0", "tensorflow", 1e-3), ("b5", "torch", 1e-3)],
)
def test_batch_norms_constant(name: str, padding: str, eps: float) -> None:
    model = models.create(f"efficientnet_{name}", padding=padding)
    assert {module.eps for module in model.modules() if isinstance(module, BatchNorm2d)} == {eps}


@pytest.mark.parametrize(
    ("name", "padding"), [("efficientnet_b0", "tensorflow"), ("efficientnet_b0_tensorflow", "torch")]
)
def test_the_other_convention_is_noticed(name: str, padding: str) -> None:
    reference = (references() | variants())[name]
    want, _ = load(reference)
    our = digest.ours(reference, padding=padding)
    got = digest.digest(our, reference, reference.shape, reference.training_shape)
    assert bounds.complaints(bounds.errors(got, want), our.names())


def test_stochastic_depth_drops_whole_images() -> None:
    manual_seed(0)
    layer = StochasticDepth(0.25)
    x = np.random.default_rng(0).standard_normal((400, 2, 3, 2))
    y = layer(Tensor(x)).numpy()
    dropped = (y == 0).all(axis=(1, 2, 3))
    assert 60 < dropped.sum() < 140
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.75, rtol=1e-12)
    np.testing.assert_array_equal(layer.eval()(Tensor(x)).numpy(), x)
    assert repr(layer) == "StochasticDepth(p=0.25)"


def test_stochastic_depth_with_certainty_leaves_nothing() -> None:
    assert not StochasticDepth(1.0)(Tensor(np.ones((3, 2)))).numpy().any()


def test_stochastic_depth_grows_with_the_blocks() -> None:
    model = models.efficientnet_b0(stochastic_depth=0.32)
    drops = [module.p for module in model.modules() if isinstance(module, StochasticDepth)]
    np.testing.assert_allclose(drops, 0.32 * np.arange(16) / 16)


@pytest.mark.parametrize(("p", "message"), [(1.5, "p must be at most 1"), (-0.1, "p must be at least 0")])
def test_stochastic_depth_refuses(p: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StochasticDepth(p)
