"""LeNet-5 against the paper's numbers and an independent PyTorch version."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import models
from minidnn import Tensor, manual_seed
from minidnn.functional import avg_pool2d, cross_entropy
from minidnn.nn import Identity
from models.lenet import C3_CONNECTIONS, ScaledTanh, Subsampling, TableConv2d


def test_parameters_are_the_papers() -> None:
    model = models.lenet5()
    by_layer = {
        name: sum(parameter.data.size for parameter in layer.parameters())
        for name, layer in model.named_children()
    }
    assert {name: count for name, count in by_layer.items() if count} == {
        "c1": 156,
        "c3": 2416,
        "c5": 48120,
        "f6": 10164,
        "output": 850,
    }
    assert sum(by_layer.values()) == 61_706


def torch_lenet5(activation: str, pooling: str) -> Any:
    """LeNet-5 once more, from the paper's figure 2."""
    from torch import nn

    act = {"tanh": nn.Tanh, "relu": nn.ReLU}[activation]
    pool = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}[pooling]
    features = [
        nn.Conv2d(1, 6, 5),
        act(),
        pool(2),
        nn.Conv2d(6, 16, 5),
        act(),
        pool(2),
        nn.Conv2d(16, 120, 5),
    ]
    return nn.Sequential(*features, act(), nn.Flatten(), nn.Linear(120, 84), act(), nn.Linear(84, 10))


@pytest.mark.parametrize(("activation", "pooling"), [("tanh", "average"), ("relu", "max")])
def test_outputs_and_gradients_equal_torchs(activation: str, pooling: str) -> None:
    torch = pytest.importorskip("torch")
    manual_seed(0)
    ours = models.lenet5(activation=activation, pooling=pooling).double()
    theirs = torch_lenet5(activation, pooling).double()
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.copy_(torch.from_numpy(mine.numpy().copy()))
    generator = np.random.default_rng(1)
    images, labels = generator.standard_normal((3, 1, 32, 32)), generator.integers(0, 10, 3)
    scores = ours(Tensor(images))
    cross_entropy(scores, Tensor(labels)).backward()
    wanted = theirs(torch.from_numpy(images))
    torch.nn.functional.cross_entropy(wanted, torch.from_numpy(labels)).backward()
    np.testing.assert_allclose(scores.detach().numpy(), wanted.detach().numpy(), rtol=1e-9, atol=1e-12)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_colour_images_and_other_classes() -> None:
    model = models.lenet5(num_classes=3, in_channels=3)
    assert model(Tensor(np.zeros((2, 3, 32, 32), np.float32))).shape == (2, 3)


def test_the_published_form_has_the_papers_60000_parameters() -> None:
    by_layer = {
        name: sum(parameter.data.size for parameter in layer.parameters())
        for name, layer in models.lenet5_paper().named_children()
    }
    published = {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}
    assert {name: by_layer[name] for name in published} == published
    assert sum(published.values()) == 60_000


def test_scaled_tanh_keeps_one() -> None:
    y = ScaledTanh()(Tensor(np.array([-1.0, 0.0, 1.0, 100.0]))).numpy()
    np.testing.assert_allclose(y, [-1, 0, 1, 1.7159], atol=1e-5)


def test_subsampling_begins_as_an_average() -> None:
    x = np.random.default_rng(2).standard_normal((2, 3, 4, 6))
    layer = Subsampling(3, Identity()).double()
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), avg_pool2d(x, 2).numpy(), rtol=1e-12)


def test_maps_see_only_what_the_table_connects() -> None:
    layer = TableConv2d(6, C3_CONNECTIONS, 5).double()
    for seen in range(6):
        x = np.zeros((1, 6, 5, 5))
        x[:, seen] = 1
        moved = (layer(Tensor(x)) - layer(Tensor(0 * x))).numpy().ravel() != 0
        assert set(np.flatnonzero(moved)) == {o for o, row in enumerate(C3_CONNECTIONS) if seen in row}


@pytest.mark.parametrize(("name", "features"), [("lenet_dlib", 784), ("lenet_d2l", 400)])
def test_features_reach_the_fully_connected_layers(name: str, features: int) -> None:
    model = models.create(name, num_classes=3, in_channels=2)
    assert model.fc1.in_features == features
    assert model(Tensor(np.zeros((2, 2, 28, 28), np.float32))).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("lenet5", {"connections": "some"}, "connections must be full or table, got 'some'"),
        ("lenet_d2l", {"pooling": "trained"}, "pooling must be max or average, got 'trained'"),
    ],
)
def test_refuses(name: str, arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.create(name, **arguments)
