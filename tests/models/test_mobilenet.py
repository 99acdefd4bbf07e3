"""The MobileNets beyond their references: multipliers, Keras's weights, what a separable block costs."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn import Tensor, no_grad
from minidnn.nn import Conv2d, Module
from models.mobilenet_v1 import SeparableBlock, from_keras
from models.summary import summarize
from models.weights import load_model


def count(model: Module) -> int:
    return sum(parameter.data.size for parameter in model.parameters())


@pytest.mark.parametrize(
    ("width", "parameters"), [(1.0, 4_231_976), (0.75, 2_585_560), (0.5, 1_331_592), (0.25, 470_072)]
)
def test_width_multiplier_gives_the_published_parameters(width: float, parameters: int) -> None:
    assert count(models.mobilenet_v1(width_mult=width)) == parameters


def test_v1_has_thirteen_separable_blocks() -> None:
    model = models.mobilenet_v1(width_mult=0.25)
    blocks = [module for module in model.modules() if isinstance(module, SeparableBlock)]
    assert len(blocks) == 13


def test_v2_has_seventeen_bottlenecks() -> None:
    model = models.mobilenet_v2(width_mult=0.25)
    blocks = [module for module in model.modules() if type(module).__name__ == "InvertedResidual"]
    assert len(blocks) == 17


def test_separable_convolution_costs_1_over_n_plus_1_over_f_squared() -> None:
    separable = summarize(SeparableBlock(512, 512, 1), (512, 14, 14)).total("mult_adds")
    plain = summarize(Conv2d(512, 512, 3, padding=1, bias=False), (512, 14, 14)).total("mult_adds")
    assert plain == 14 * 14 * 512 * 512 * 9
    assert Fraction(separable, plain) == Fraction(1, 512) + Fraction(1, 9)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mobilenet_v1", {"width_mult": 0.25, "resolution": 128}),
        ("mobilenet_v2", {"width_mult": 0.25}),
        ("mobilenet_v3_small", {"width_mult": 0.25}),
        ("mobilenet_v3_large", {"width_mult": 0.25}),
    ],
)
def test_thin_models_take_grey_images_of_any_size(name: str, arguments: dict[str, Any]) -> None:
    model = models.create(name, num_classes=3, in_channels=1, dropout=0.5, **arguments).eval()
    with no_grad():
        assert model(Tensor(np.zeros((2, 1, 33, 47), np.float32))).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("mobilenet_v1", {"width_mult": 0.03}, ValueError, "width_mult must be at least 1/32, got 0.03"),
        ("mobilenet_v1", {"width_mult": "1"}, TypeError, "width_mult must be a number, got '1'"),
        (
            "mobilenet_v1",
            {"resolution": 200},
            ValueError,
            "resolution must be 128, 160, 192 or 224, got 200",
        ),
        ("mobilenet_v1", {"resolution": 128.0}, TypeError, "resolution must be an integer, got 128.0"),
        ("mobilenet_v2", {"width_mult": 0}, ValueError, "width_mult must be above 0, got 0"),
        ("mobilenet_v3_small", {"width_mult": -1}, ValueError, "width_mult must be above 0, got -1"),
        ("mobilenet_v2", {"dropout": 2}, ValueError, "p must be at most 1, got 2"),
    ],
)
def test_refuses(name: str, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        models.create(name, **arguments)


@pytest.mark.parametrize("name", ["conv2/kernel", "conv_dw_1/momentum", "conv_dw_x/kernel"])
def test_from_keras_refuses_other_variables(name: str) -> None:
    with pytest.raises(ValueError, match=f"be that of a variable of Keras's MobileNet, got '{name}'"):
        from_keras(name, np.zeros(1))


@pytest.mark.reference
@pytest.mark.filterwarnings("ignore")
def test_keras_model_and_weights_give_the_same_logits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras was imported with another backend")
    # Keras pads ((0, 1), (0, 1)) whatever the size, which is TensorFlow's rule for even maps only.
    theirs = keras.applications.MobileNet(
        input_shape=(64, 96, 3), alpha=0.25, weights=None, classes=11, classifier_activation=None
    )
    generator = np.random.default_rng(0)
    weights = {}
    for layer in theirs.layers:
        for variable in layer.weights:
            values = 1 + 0.3 * generator.standard_normal(variable.shape)
            if variable.name in ("kernel", "depthwise_kernel"):
                taps = variable.shape[:2] if "_dw_" in layer.name else variable.shape[:3]
                values = generator.standard_normal(variable.shape) * np.sqrt(2 / np.prod(taps))
            weights[f"{layer.name}/{variable.name}"] = np.abs(values) if "var" in variable.name else values
            variable.assign(weights[f"{layer.name}/{variable.name}"])
    images = generator.standard_normal((2, 64, 96, 3)).astype(np.float32)
    with torch.no_grad():
        wanted = theirs(images, training=False).cpu().numpy()
    minidnn.save(weights, tmp_path / "keras.safetensors")
    ours = load_model("mobilenet_v1", tmp_path / "keras.safetensors", width_mult=0.25).network
    with no_grad():
        scores = ours(Tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))).numpy()
    assert np.abs(scores - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert np.abs(wanted).max() > 0.1
