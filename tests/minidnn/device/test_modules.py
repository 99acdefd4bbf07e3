"""Modules on a device: they move whole, train as on the host, and are stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn import Device, Tensor, functional, nn, optim
from minidnn.data import DataLoader, RandomShift, digits

STEPS = 3


def residual_block() -> nn.Module:
    """A convolution, batch norm, max pooling, and a residual block without downsampling."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        models.resnet.BasicBlock(4, 4),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 10),
    )


def depthwise_block() -> nn.Module:
    """An inverted residual as in MobileNet v2, with dropout in front of the scores."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU6(),
        nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU6(),
        nn.Conv2d(6, 4, 1),
        nn.AvgPool2d(2),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.LazyLinear(10),
    )


def lenet5() -> nn.Module:
    return models.lenet5()


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 10))


# name: how it is built, and the size of its images
MODELS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "lenet5": (lenet5, 32),
    "residual": (residual_block, 9),
    "depthwise": (depthwise_block, 8),
    "perceptron": (perceptron, 4),
}
OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda parameters: optim.AdamW(parameters, lr=0.01),
    "rmsprop": lambda parameters: optim.RMSprop(parameters, lr=0.01, momentum=0.5),
}


def trained(
    build: Callable[[], nn.Module], size: int, device: Any, dtype: Any, optimizer: str
) -> tuple[list[float], dict[str, np.ndarray]]:
    """Losses and state after a few steps from the same weights on the same images."""
    minidnn.manual_seed(1)
    model = build()
    images = minidnn.randn(4, 1, size, size)
    model(images)  # lazy layers take their size
    model.to(device, dtype)
    batch, labels = images.to(device, dtype), minidnn.tensor([3, 1, 4, 1], device=device)
    stepper = OPTIMIZERS[optimizer](model.parameters())
    losses = []
    for _ in range(STEPS):
        stepper.zero_grad()
        loss = functional.cross_entropy(model(batch), labels)
        loss.backward()
        stepper.step()
        losses.append(loss.item())
    return losses, {name: value.cpu().numpy() for name, value in model.state_dict().items()}


def worst_difference(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> float:
    """The largest difference of any tensor, relative to its largest element."""
    assert got.keys() == want.keys()
    differences = [
        float(np.abs(got[name] - value).max()) / max(float(np.abs(value).max()), 1e-3)
        for name, value in want.items()
    ]
    return max(differences)


def check_training(name: str, optimizer: str, place: Device) -> None:
    """In float32 within its rounding, of which a few steps make some ten times more."""
    build, size = MODELS[name]
    losses, state = trained(build, size, place, np.float32, optimizer)
    true_losses, true_state = trained(build, size, "cpu", np.float64, optimizer)
    assert np.allclose(losses, true_losses, rtol=2e-6)
    assert worst_difference(state, true_state) < 5e-6


@pytest.mark.parametrize("name", ["lenet5", "residual", "depthwise"])
def test_training_agrees_with_the_host(name: str, place: Device) -> None:
    check_training(name, "sgd", place)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimisers_agree_with_the_host(optimizer: str, place: Device) -> None:
    check_training("perceptron", optimizer, place)


def test_training_agrees_with_the_host_in_float64(place: Device) -> None:
    build, size = MODELS["residual"]
    losses, state = trained(build, size, place, np.float64, "adam")
    true_losses, true_state = trained(build, size, "cpu", np.float64, "adam")
    assert np.allclose(losses, true_losses, rtol=1e-12)
    assert worst_difference(state, true_state) < 1e-12


def test_a_module_moves_whole(place: Device) -> None:
    model = residual_block()
    model(minidnn.ones(2, 1, 9, 9)).sum().backward()
    weight, optimizer = model[0].weight, optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    optimizer.step()
    assert model.to(place) is model
    assert model[0].weight is weight
    for tensor in (*model.parameters(), *model.buffers()):
        assert tensor.device == place
    assert all(parameter.grad.device == place for parameter in model.parameters())
    optimizer.step()  # its momentum follows
    assert optimizer.state[weight]["momentum_buffer"].device == place
    model.zero_grad(set_to_none=False)
    assert weight.grad.device == place
    assert model.to("cpu", np.float64)[0].weight.dtype == np.float64
    assert model[0].weight.device == weight.grad.device == minidnn.device("cpu")


def test_optimisers_load_their_state_where_the_parameters_are(place: Device) -> None:
    def stepped(device: Any) -> tuple[nn.Linear, optim.Optimizer]:
        minidnn.manual_seed(2)
        layer = nn.Linear(3, 2).to(device)
        optimizer = optim.Adam(layer.parameters(), lr=0.1)
        layer(minidnn.ones(1, 3, device=device)).sum().backward()
        optimizer.step()
        return layer, optimizer

    layer, optimizer = stepped(place)
    optimizer.load_state_dict(stepped("cpu")[1].state_dict())
    optimizer.step()
    here, host_optimizer = stepped("cpu")
    host_optimizer.step()
    assert np.allclose(layer.weight.cpu().numpy(), here.weight.detach().numpy(), rtol=1e-6)


def test_lazy_layers_take_their_size_on_the_device(place: Device) -> None:
    layer = nn.LazyConv2d(3, 3).to(place)
    minidnn.manual_seed(4)
    y = layer(minidnn.ones(1, 2, 5, 5, device=place))
    assert y.device == layer.weight.device == place
    minidnn.manual_seed(4)
    assert np.array_equal(layer.weight.cpu().numpy(), nn.Conv2d(2, 3, 3).weight.detach().numpy())


def test_states_are_stored_from_and_loaded_to_a_device(place: Device, tmp_path: Path) -> None:
    minidnn.manual_seed(5)
    model, other = residual_block().to(place), residual_block().to(place)
    minidnn.save(model, tmp_path / "model.safetensors")
    other.load_state_dict(minidnn.load(tmp_path / "model.safetensors"))
    here = residual_block()
    here.load_state_dict(other.state_dict())
    for name, value in model.state_dict().items():
        assert np.array_equal(here.state_dict()[name].numpy(), value.cpu().numpy()), name


def test_inference_sees_new_weights(place: Device) -> None:
    layer = nn.Conv2d(1, 2, 3).to(place)
    x = minidnn.ones(1, 1, 4, 4, device=place)
    with minidnn.no_grad():
        before = layer(x).cpu().numpy()
        layer.weight.mul_(2)
        layer.bias.mul_(2)
        assert np.allclose(layer(x).cpu().numpy(), 2 * before, rtol=1e-6)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_sends_batches_ahead(workers: int, place: Device) -> None:
    def batches(device: Any) -> list[tuple[Tensor, Tensor]]:
        data = digits(8, "test")
        return list(DataLoader(data, 100, shuffle=True, seed=3, num_workers=workers, device=device))

    for (images, labels), (wanted, classes) in zip(batches(place), batches(None), strict=True):
        assert images.device == labels.device == place
        assert images.tolist() == wanted.tolist()
        assert labels.tolist() == classes.tolist()


def test_images_are_shifted_where_they_lie(place: Device) -> None:
    images = minidnn.randn(3, 2, 5, 4)
    minidnn.manual_seed(6)
    here = RandomShift(2)(images)
    minidnn.manual_seed(6)
    there = RandomShift(2)(images.to(place))
    assert there.device == place
    assert there.tolist() == here.tolist()
