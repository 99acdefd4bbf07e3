"""The models by name."""

from __future__ import annotations

import re

import pytest

import models
from models import registry


def test_names_are_sorted_and_public() -> None:
    assert "lenet5" in models.names()
    assert "mask_rcnn_resnet50_fpn" in models.names("detection")
    assert not set(models.names()) & set(models.names("detection"))
    for kind in registry.KINDS:
        assert list(models.names(kind)) == sorted(models.names(kind))
    for name in (*models.names(), *models.names("detection")):
        assert getattr(models, name) is registry.entry(name).builder
        assert registry.entry(name).summary.endswith((".", "maximum."))


def test_every_classifier_takes_classes_and_channels() -> None:
    for name in models.names():
        assert {"num_classes", "in_channels"} <= set(registry.bound_arguments(name)), name


# Whose papers have them.
DROPOUT = re.compile(
    "alexnet|zfnet|nin|vgg|deepface|googlenet(_bn)?$|inception_(v3|v4|resnet)|inceptionnet_with_heads|xception"
    "|densenet|squeezenet|mobilenet|mixnet|efficientnet"
)
HEADS = {"googlenet", "googlenet_bn", "inception_v3", "inceptionnet_with_heads"}


def test_dropout_and_heads_are_arguments_where_the_papers_have_them() -> None:
    for name in models.names():
        arguments = registry.bound_arguments(name)
        assert ("dropout" in arguments) == bool(DROPOUT.match(name)), name
        assert ("aux_logits" in arguments) == (name in HEADS), name


def test_a_model_is_of_one_kind() -> None:
    assert registry.entry_of_kind("yolo_v1", "detection").input_shape == (3, 448, 448)
    with pytest.raises(ValueError, match="yolo_v1 is a model for detection, not for classification"):
        registry.entry_of_kind("yolo_v1", "classification")
    with pytest.raises(ValueError, match="kind must be one of classification, detection, got 'other'"):
        models.names("other")


def test_create_hands_its_arguments_on() -> None:
    assert models.create("lenet5", num_classes=7).output.out_features == 7


def test_bound_arguments_fill_in_the_defaults() -> None:
    assert registry.bound_arguments("lenet5", pooling="max") == {
        "num_classes": 10,
        "in_channels": 1,
        "activation": "tanh",
        "pooling": "max",
        "connections": "full",
    }


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("lenet", {}, ValueError, "unknown model 'lenet'; did you mean lenet5"),
        ("qqq", {}, ValueError, "unknown model 'qqq'; there are: "),
        (
            "lenet5",
            {"depth": 3},
            TypeError,
            "lenet5 has no argument 'depth'; it has: num_classes, in_channels",
        ),
        (
            "lenet5",
            {"activation": "gelu"},
            ValueError,
            "activation must be tanh or scaled_tanh or relu or sigmoid, got 'gelu'",
        ),
        ("lenet5", {"pooling": "min"}, ValueError, "pooling must be average or max or trained, got 'min'"),
    ],
)
def test_refuses(name: str, arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        models.create(name, **arguments)
