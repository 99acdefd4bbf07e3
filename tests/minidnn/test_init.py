"""Initialisation: the distributions' moments and bounds, against the formulas and PyTorch's constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, init

SHAPE = (64, 32, 5, 3)
FAN_IN, FAN_OUT = 32 * 15, 64 * 15


def drawn(function: Callable[..., Tensor], *arguments: Any, **keywords: Any) -> np.ndarray:
    minidnn.manual_seed(0)
    tensor = Tensor(np.zeros(SHAPE, np.float32))
    assert function(tensor, *arguments, **keywords) is tensor
    return tensor.numpy().astype(np.float64)


@pytest.mark.parametrize(
    ("function", "keywords", "limit"),
    [
        (init.uniform_, {"a": -0.5, "b": 0.5}, 0.5),
        (init.xavier_uniform_, {"gain": 2.0}, 2 * math.sqrt(6 / (FAN_IN + FAN_OUT))),
        (init.kaiming_uniform_, {"a": math.sqrt(5)}, 1 / math.sqrt(FAN_IN)),
        (init.kaiming_uniform_, {"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(6 / FAN_OUT)),
    ],
)
def test_uniform_families(function: Any, keywords: dict[str, Any], limit: float) -> None:
    values = drawn(function, **keywords)
    assert np.abs(values).max() <= limit * (1 + 1e-6)
    assert values.std() == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert abs(values.mean()) < 0.02 * limit


@pytest.mark.parametrize(
    ("function", "keywords", "mean", "std"),
    [
        (init.normal_, {"mean": 1.0, "std": 0.1}, 1.0, 0.1),
        (init.xavier_normal_, {}, 0.0, math.sqrt(2 / (FAN_IN + FAN_OUT))),
        (init.kaiming_normal_, {"nonlinearity": "relu"}, 0.0, math.sqrt(2 / FAN_IN)),
    ],
)
def test_normal_families(function: Any, keywords: dict[str, Any], mean: float, std: float) -> None:
    values = drawn(function, **keywords)
    assert values.mean() == pytest.approx(mean, abs=0.02 * std)
    assert values.std() == pytest.approx(std, rel=0.02)


def test_truncated_normal() -> None:
    values = drawn(init.trunc_normal_, std=1.0, a=-1.0, b=2.0)
    assert values.min() >= -1
    assert values.max() <= 2
    # Mean of the standard normal restricted to [-1, 2]: (phi(-1) - phi(2)) / (Phi(2) - Phi(-1)).
    assert values.mean() == pytest.approx(0.2296, abs=0.01)


def test_constants() -> None:
    assert np.all(drawn(init.constant_, 3.5) == 3.5)
    assert np.all(drawn(init.ones_) == 1)
    assert np.all(drawn(init.zeros_) == 0)


@pytest.mark.parametrize(
    ("name", "gain"), [("linear", 1), ("tanh", 5 / 3), ("relu", math.sqrt(2)), ("leaky_relu", 1.41414)]
)
def test_gains(name: str, gain: float) -> None:
    assert init.calculate_gain(name) == pytest.approx(gain, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: init.uniform_(t, 1, 0), "a must not be above b, got a=1, b=0"),
        (lambda t: init.normal_(t, 0, -1), "std must not be negative, got -1"),
        (lambda t: init.trunc_normal_(t, std=0), "std must be positive, got 0"),
        (lambda t: init.trunc_normal_(t, a=50, b=60), "must hold some of the distribution"),
        (lambda t: init.kaiming_normal_(t, mode="fan"), "mode must be 'fan_in' or 'fan_out', got 'fan'"),
        (lambda t: init.kaiming_normal_(t, nonlinearity="x"), "nonlinearity must be one of linear"),
        (lambda t: init.xavier_normal_(Tensor([1.0])), "tensor must have at least 2 dimensions"),
    ],
)
def test_bad_arguments(call: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(Tensor(np.zeros((2, 2))))
