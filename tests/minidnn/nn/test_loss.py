"""The losses as modules: looks, state and bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, nn

NAMES = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "L1Loss",
    "MSELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "SmoothL1Loss",
]


@pytest.mark.parametrize("name", NAMES)
def test_looks_and_state_without_weights(name: str) -> None:
    module = getattr(nn, name)()
    assert repr(module) == f"{name}()"
    assert not module.state_dict()
    assert module.reduction == "mean"


@pytest.mark.parametrize("name", NAMES)
def test_bad_reduction(name: str) -> None:
    with pytest.raises(ValueError, match='reduction must be "none", "mean" or "sum", got \'avg\''):
        getattr(nn, name)(reduction="avg")


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"])
def test_weights_are_state(name: str) -> None:
    weight = np.array([1.0, 2.0, 4.0], np.float32)
    module = getattr(nn, name)(weight=Tensor(weight))
    assert list(module.state_dict()) == ["weight"]
    assert not list(module.parameters())
    x, target = np.eye(3)[:2], np.array([0, 2])
    with pytest.raises(TypeError, match="weight has dtype float32 but x has float64"):
        module(x, target)
    doubled = module.double()(x, target).item()
    assert doubled == getattr(nn, name)(weight=weight.astype(np.float64))(x, target).item()


def test_bad_parameters() -> None:
    with pytest.raises(ValueError, match="beta must be at least 0, got -0.5"):
        nn.SmoothL1Loss(beta=-0.5)
    with pytest.raises(TypeError, match="margin must be a number, got '1'"):
        nn.MultiMarginLoss(margin="1")
    with pytest.raises(ValueError, match="p must be 1 or 2, got 3"):
        nn.MultiMarginLoss(3)(np.ones((2, 3)), np.array([0, 1]))
