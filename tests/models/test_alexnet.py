"""The AlexNets and ZFNet against their papers' numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import models
from tests.models.shapes import output_shapes

pytestmark = pytest.mark.slow  # sixty million numbers to draw per model


@pytest.fixture(scope="module")
def published() -> models.AlexNetPaper:
    return models.alexnet_paper()


def test_neurons_and_weights_are_the_papers(published: models.AlexNetPaper) -> None:
    shapes = output_shapes(published, (1, 3, 227, 227))
    layers = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]
    neurons = [math.prod(shapes[name]) for name in layers]
    assert neurons == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    weights = [getattr(published, name).weight.data.size for name in layers]
    assert weights[:5] == [34_848, 307_200, 884_736, 663_552, 442_368]
    assert [weight // 1_000_000 for weight in weights[5:]] == [37, 16, 4]


def test_parameters_begin_as_the_paper_says(published: models.AlexNetPaper) -> None:
    for name in ("conv2", "conv4", "conv5", "fc6", "fc7"):
        assert (getattr(published, name).bias.numpy() == 1).all(), name
    for name in ("conv1", "conv3", "fc8"):
        assert (getattr(published, name).bias.numpy() == 0).all(), name
    assert abs(published.conv3.weight.numpy().std() - 0.01) < 1e-4


def test_sizes_of_the_others() -> None:
    d2l = output_shapes(models.alexnet_d2l(), (1, 1, 224, 224))
    assert [d2l[f"conv{i}"][1] for i in range(1, 6)] == [54, 26, 12, 12, 12]
    assert math.prod(d2l["pool"]) == 6400
    zfnet = output_shapes(models.zfnet(num_classes=3), (1, 3, 224, 224))
    assert [zfnet[f"conv{i}"][1] for i in range(1, 6)] == [110, 26, 13, 13, 13]
    assert zfnet["pool"] == (256, 6, 6)
    assert zfnet[""] == (3,)


def test_one_tower_takes_other_sizes_channels_and_classes() -> None:
    shapes = output_shapes(models.alexnet(num_classes=7, in_channels=1, dropout=0.2), (2, 1, 63, 95))
    assert shapes["avgpool"] == (256, 6, 6)
    assert shapes[""] == (7,)


def test_dropout_is_handed_on() -> None:
    model = models.alexnet_paper(num_classes=2, dropout=0.25)
    assert model.dropout.p == 0.25
    x = np.random.default_rng(0).standard_normal((1, 3, 227, 227)).astype(np.float32)
    first, second = (model(x).numpy() for _ in range(2))
    assert not np.array_equal(first, second)
    first, second = (model.eval()(x).numpy() for _ in range(2))
    assert np.array_equal(first, second)
