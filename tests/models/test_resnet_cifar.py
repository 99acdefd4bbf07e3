"""The CIFAR ResNets: the paper's table, the shortcuts without parameters, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import models
from minidnn import Tensor
from models.resnet_cifar import CifarResNet, PaddedShortcut
from tests.models.shapes import output_shapes


def test_stages_are_the_tables() -> None:
    for model in (models.resnet20(), models.plain20()):
        shapes = output_shapes(model, (1, 3, 32, 24))
        assert [shapes[f"layer{stage}"] for stage in (1, 2, 3)] == [(16, 32, 24), (32, 16, 12), (64, 8, 6)]
        assert shapes[""] == (10,)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_layers_with_weights_give_the_name(depth: int) -> None:
    model = models.create(f"resnet{depth}")
    weights = [path for path, parameter in model.named_parameters() if parameter.ndim > 1]
    assert len(weights) == depth


@pytest.mark.parametrize("depth", [20, 56])
def test_the_plain_twin_has_the_same_parameters(depth: int) -> None:
    """So that what the shortcuts do is all that differs: see examples/degradation.py."""
    residual, plain = (models.create(f"{kind}{depth}") for kind in ("resnet", "plain"))
    shapes = [
        [(name, tensor.shape) for name, tensor in model.state_dict().items()] for model in (residual, plain)
    ]
    assert shapes[0] == shapes[1]


def test_padded_shortcut_keeps_every_second_position_and_adds_zeros() -> None:
    x = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    y = PaddedShortcut(new_channels=3, stride=2)(Tensor(x)).data
    assert y.shape == (1, 5, 2, 2)
    np.testing.assert_array_equal(y[0, :2], [[[0, 2], [8, 10]], [[12, 14], [20, 22]]])
    np.testing.assert_array_equal(y[0, 2:], 0)
    assert repr(PaddedShortcut(3, 2)) == "PaddedShortcut(new_channels=3, stride=2)"


def test_other_classes_and_channels() -> None:
    for builder in (models.resnet20, models.plain20):
        assert output_shapes(builder(num_classes=3, in_channels=1), (2, 1, 9, 8))[""] == (3,)


@pytest.mark.parametrize("depth", [2, 7, 21])
def test_depths_that_do_not_make_three_stages_are_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth must be 6n \\+ 2 for an n above 0, got {depth}"):
        CifarResNet(depth)
