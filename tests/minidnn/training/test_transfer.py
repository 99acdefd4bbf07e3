"""Transfer learning: what is frozen stays as it is, heads are replaced, groups have their rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import models
from minidnn import Tensor, data, manual_seed, nn, optim
from minidnn.data import DataLoader
from minidnn.functional import cross_entropy
from minidnn.training import (
    Trainer,
    head_name,
    new_head,
    parameter_groups,
    replace_head,
    train_only,
    transfer_settings,
)


class Network(nn.Module):
    """Two blocks with batch norm and dropout, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5))
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fc(self.body(self.stem(x)).flatten(1))
        return result


def network() -> Network:
    manual_seed(1)
    return Network()


def state(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def changed(model: nn.Module, before: dict[str, np.ndarray]) -> set[str]:
    return {name for name, value in state(model).items() if not np.array_equal(value, before[name])}


def train(model: nn.Module, optimizer: Any) -> None:
    loader = DataLoader(data.Subset(data.digits(8, "train"), range(64)), 16, shuffle=True, seed=0)
    Trainer(model, optimizer, loader, loader).fit(2)


@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        (("fc",), {"fc"}),
        (("body", "fc"), {"body", "fc"}),
        (("body.0", "fc"), {"body.0", "fc"}),
        (("",), {""}),
    ],
)
def test_only_the_named_blocks_change(names: tuple[str, ...], blocks: set[str]) -> None:
    """Weights, and batch norm's statistics, which move without any gradient."""
    model = network()
    train_only(model, *names)
    before = state(model)
    train(model, optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1))
    want = {name for name in before if any(not block or name.startswith(f"{block}.") for block in blocks)}
    assert changed(model, before) == want


def test_a_frozen_block_is_the_same_function_in_training_as_in_inference() -> None:
    model = network()
    images = Tensor(np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(np.float32))
    train_only(model, "body", "fc")
    inference = model.eval().stem(images).numpy()
    model.train()
    np.testing.assert_array_equal(model.stem(images).numpy(), inference)
    assert model.training
    assert model.body.training
    assert not model.stem.training
    assert not any(module.training for module in model.stem)
    assert all(module.training for module in model.body)


def test_blocks_can_be_frozen_and_unfrozen_again() -> None:
    model = network()
    cross_entropy(model(Tensor(np.ones((2, 1, 8, 8), np.float32))), Tensor(np.array([1, 2]))).backward()
    train_only(model)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())
    train_only(model, "fc")
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["fc.weight", "fc.bias"]
    train_only(model, "")
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(module.training for module in model.modules())
    model.eval()
    train_only(model, "body")
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet18", "fc"),
        ("alexnet", "classifier.6"),
        ("densenet121", "classifier"),
        ("mobilenet_v2", "classifier.1"),
        ("squeezenet1_1", "classifier.1"),
        ("googlenet_bn", "fc"),
    ],
)
def test_the_head_is_found_as_torchvision_names_it(name: str, head: str) -> None:
    assert head_name(models.create(name, num_classes=2)) == head


def test_a_head_is_replaced_by_a_stack_of_layers() -> None:
    model = models.create("resnet18", num_classes=10)
    old = model.get_submodule("fc")
    assert isinstance(old, nn.Linear)
    head = new_head(old.in_features, num_classes=3, hidden=(16, 8), dropout=0.25)
    assert [type(layer).__name__ for layer in head.children()] == [
        *("Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear")
    ]
    model.eval()
    assert replace_head(model, head) is old
    assert not head.training
    assert model(Tensor(np.zeros((2, 3, 32, 32), np.float32))).shape == (2, 3)
    assert "fc.7.weight" in model.state_dict()
    assert "fc.weight" not in model.state_dict()
    linear = new_head(4, 2, dropout=0)
    assert [type(layer).__name__ for layer in linear.children()] == ["Linear"]
    small = network()
    replace_head(small, nn.Conv2d(3, 4, 3, bias=False), "body.0")
    assert head_name(small) == "fc"
    assert "body.0.bias" not in small.state_dict()


def test_every_group_moves_at_its_own_rate() -> None:
    """Plain SGD, one step: the change is the group's rate times the gradient."""
    model = network()
    train_only(model, "body", "fc")
    optimizer = optim.SGD(parameter_groups(model, {"": 0.5, "body.0": 0.01, "fc": 0.1}))
    before = state(model)
    images = Tensor(np.random.default_rng(2).standard_normal((4, 1, 8, 8)).astype(np.float32))
    cross_entropy(model(images), Tensor(np.array([0, 3, 1, 2]))).backward()
    optimizer.step()
    rates = {"body.0": 0.01, "body.1": 0.5, "fc": 0.1}
    for name, parameter in model.named_parameters():
        if name.startswith("stem"):
            np.testing.assert_array_equal(parameter.numpy(), before[name])
        else:
            rate = rates[name.rpartition(".")[0]]
            assert parameter.grad is not None
            moved = before[name] - parameter.detach().numpy()
            np.testing.assert_allclose(moved, rate * parameter.grad.numpy(), rtol=1e-3, atol=1e-7)


def test_settings_follow_the_table() -> None:
    blocks = ("layer1", "layer2", "layer3", "layer4")
    little, different = transfer_settings("little", "similar"), transfer_settings("little", "different")
    assert little.trained(blocks, "fc") == different.trained(blocks, "fc") == ("fc",)
    assert little.features_before(blocks, "fc") == "fc"
    assert different.features_before(blocks, "fc") == "layer3"
    assert little.classifier == different.classifier == "svm"
    much = transfer_settings("much", "similar")
    assert much.trained(blocks, "fc") == ("layer4", "fc")
    assert much.trained(("features",), "classifier") == ("features", "classifier")
    everything = transfer_settings("much", "different")
    assert everything.trained(blocks, "fc") == (*blocks, "fc")
    assert 0 < much.body_rate < everything.body_rate < everything.head_rate


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: train_only(network(), "layer9"), "target 'layer9' leads to no module"),
        (lambda: replace_head(network(), nn.Linear(2, 2), ""), "a part of the model, got the model itself"),
        (lambda: head_name(nn.Sequential(nn.ReLU())), "must have a layer with weights"),
        (lambda: new_head(0, 3), "in_features must be at least 1"),
        (lambda: new_head(2, 3, dropout=1.5), "must be"),
        (lambda: parameter_groups(network(), {"fc": 0.1}), "none of its names has stem.0.weight"),
        (
            lambda: parameter_groups(network(), {"": 0.1, "stem.2": 1}),
            r"rates\['stem.2'\] has nothing to train",
        ),
        (lambda: parameter_groups(network(), {"": -1}), r"rates\[''\] must be at least 0"),
        (lambda: transfer_settings("some", "similar"), "data must be 'little' or 'much'"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_head_must_be_a_module() -> None:
    with pytest.raises(TypeError, match="head must be a Module, got int"):
        replace_head(network(), 3)  # type: ignore[arg-type]
