"""MixNet and ShuffleNet beyond their references: how channels are shared out and shuffled."""

from __future__ import annotations

import numpy as np
import pytest

import models
from minidnn import Tensor, no_grad
from models.mixnet import MixedConv2d, shares, timm_key
from models.shufflenet import channel_shuffle


@pytest.mark.parametrize(
    ("channels", "parts", "expected"),
    [(6, 1, [6]), (6, 3, [2, 2, 2]), (240, 3, [80] * 3), (11, 4, [5, 2, 2, 2])],
)
def test_shares(channels: int, parts: int, expected: list[int]) -> None:
    assert shares(channels, parts) == expected


def test_a_depthwise_mixed_convolution_keeps_its_parts_apart() -> None:
    layer = MixedConv2d(5, 5, (3, 5), stride=2, depthwise=True)
    assert [tuple(parameter.shape) for parameter in layer.parameters()] == [(3, 1, 3, 3), (2, 1, 5, 5)]
    x = np.zeros((1, 5, 7, 6), np.float32)
    x[:, 3] = 1
    with no_grad():
        y = layer(Tensor(x)).numpy()
    assert y.shape == (1, 5, 4, 3)
    assert [channel for channel in range(5) if y[0, channel].any()] == [3]


def test_timm_key_renames_squeeze_and_excitation_only() -> None:
    assert timm_key("blocks.2.1.se.conv_reduce.weight") == "blocks.2.1.se.fc1.weight"
    assert timm_key("blocks.2.1.se.conv_expand.bias") == "blocks.2.1.se.fc2.bias"
    assert timm_key("blocks.2.1.conv_pw.0.weight") == "blocks.2.1.conv_pw.0.weight"


def test_channel_shuffle_deals_the_parts_out() -> None:
    x = Tensor(np.arange(6.0).reshape(1, 6, 1, 1))
    assert channel_shuffle(x, 2).numpy().ravel().tolist() == [0, 3, 1, 4, 2, 5]
    assert channel_shuffle(x, 3).numpy().ravel().tolist() == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("name", ["mixnet_s", "shufflenet_v2_x1_0"])
def test_grey_images_of_any_size(name: str) -> None:
    model = models.create(name, num_classes=3, in_channels=1).eval()
    with no_grad():
        assert model(Tensor(np.zeros((2, 1, 33, 47), np.float32))).shape == (2, 3)
