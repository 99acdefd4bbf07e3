"""The models by name."""

from __future__ import annotations

import re

import pytest

import models
from models import registry


def test_names_are_sorted_and_public() -> None:
    assert "lenet5" in models.names()
    assert list(models.names()) == sorted(models.names())
    for name in models.names():
        assert getattr(models, name) is registry.entry(name).builder
        assert registry.entry(name).summary.endswith((".", "maximum."))


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
