"""The activation layers: looks, in-place forms, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, nn


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.ReLU(), "ReLU()"),
        (nn.ReLU(inplace=True), "ReLU(inplace=True)"),
        (nn.ReLU6(True), "ReLU6(inplace=True)"),
        (nn.LeakyReLU(), "LeakyReLU(negative_slope=0.01)"),
        (nn.LeakyReLU(0.2, inplace=True), "LeakyReLU(negative_slope=0.2, inplace=True)"),
        (nn.Sigmoid(), "Sigmoid()"),
        (nn.Tanh(), "Tanh()"),
        (nn.Hardsigmoid(), "Hardsigmoid()"),
        (nn.Hardswish(), "Hardswish()"),
        (nn.SiLU(inplace=True), "SiLU(inplace=True)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.Softmax(dim=1), "Softmax(dim=1)"),
        (nn.LogSoftmax(-1), "LogSoftmax(dim=-1)"),
    ],
)
def test_repr(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text
    assert not layer.state_dict()


@pytest.mark.parametrize("name", ["ReLU", "ReLU6", "LeakyReLU", "Hardsigmoid", "Hardswish", "SiLU"])
def test_inplace(name: str) -> None:
    values = np.linspace(-7, 7, 10)
    x = Tensor(values.copy())
    assert getattr(nn, name)(inplace=True)(x) is x
    assert np.array_equal(x.numpy(), getattr(nn, name)()(values).numpy())


def test_bad_slope() -> None:
    with pytest.raises(ValueError, match="negative_slope must be finite, got inf"):
        nn.LeakyReLU(np.inf)
    with pytest.raises(TypeError, match="negative_slope must be a number, got '1'"):
        nn.LeakyReLU("1")
