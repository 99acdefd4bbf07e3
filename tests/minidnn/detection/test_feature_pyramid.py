"""The feature pyramid: by hand, its parameters' names, its gradients."""

from __future__ import annotations

import numpy as np
import pytest

import minidnn
from minidnn import Tensor
from minidnn.detection import FeaturePyramidNetwork, LastLevelMaxPool
from tests.kernels.sample import Draw


def test_by_hand() -> None:
    """With unit weights a level is its own map plus the deeper one, each pixel repeated."""
    pyramid = FeaturePyramidNetwork([1, 1], 1, LastLevelMaxPool())
    for block in pyramid.inner_blocks:
        block[0].weight.data[...] = 1
    for block in pyramid.layer_blocks:
        block[0].weight.data[...] = 0
        block[0].weight.data[0, 0, 1, 1] = 2
    fine = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    deep = np.array([[[[100, 200]]]], np.float32)
    levels = pyramid({"fine": Tensor(fine), "deep": Tensor(deep)})
    assert list(levels) == ["fine", "deep", "pool"]
    np.testing.assert_array_equal(levels["deep"].numpy(), 2 * deep)
    np.testing.assert_array_equal(levels["fine"].numpy(), 2 * (fine + np.repeat(deep, 2, axis=3)))
    np.testing.assert_array_equal(levels["pool"].numpy(), 2 * deep[..., ::2])


def test_names_of_the_parameters() -> None:
    names = list(FeaturePyramidNetwork([3, 4], 5).state_dict())
    assert names[0] == "inner_blocks.0.0.weight"
    assert names[-1] == "layer_blocks.1.0.bias"


def test_gradients() -> None:
    minidnn.manual_seed(1)
    pyramid, draw = FeaturePyramidNetwork([2, 3], 2).double(), Draw(2)
    maps = [
        Tensor(draw.normal(1, 2, 4, 5), requires_grad=True),
        Tensor(draw.normal(1, 3, 2, 3), requires_grad=True),
    ]
    inputs = (*maps, *pyramid.parameters())
    assert minidnn.gradcheck(lambda a, b, *_: tuple(pyramid({"a": a, "b": b}).values()), inputs)


def test_another_number_of_maps_is_refused() -> None:
    with pytest.raises(ValueError, match="x must have 2 feature maps, got 1"):
        FeaturePyramidNetwork([2, 3], 2)({"a": Tensor(np.zeros((1, 2, 4, 4)))})
