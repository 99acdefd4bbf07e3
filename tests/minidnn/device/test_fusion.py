"""Fused models on a device: prepared weights and activations in the kernels there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import minidnn
import models
from minidnn import Device, nn


def residual() -> nn.Module:
    """Convolutions, batch norms and their activations, with a residual connection."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        models.resnet.BasicBlock(4, 4),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


def depthwise() -> nn.Module:
    """A separable convolution, and a batch norm in front of one."""
    return nn.Sequential(
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 2, 3, stride=2, padding=1, groups=2),
        nn.BatchNorm2d(2),
        nn.ReLU6(),
        nn.Conv2d(2, 5, 1),
        nn.Hardswish(),
        nn.ConvTranspose2d(5, 2, 2, bias=False),
        nn.BatchNorm2d(2),
    )


def trained(model: nn.Module) -> nn.Module:
    """With statistics as after some training."""
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.add_(0.25)
        norm.running_var.mul_(1.5)
    return model.eval()


@pytest.mark.parametrize("build", [residual, depthwise])
def test_a_fused_model_gives_what_the_model_gives_on_the_host(
    build: Callable[[], nn.Module], place: Device
) -> None:
    """Whether it is moved before it is fused or after; another batch is recorded anew."""
    model = trained(build())
    moved, made_there = minidnn.fuse(model).to(place), minidnn.fuse(build().to(place))
    made_there.load_state_dict({f"model.{name}": value for name, value in model.state_dict().items()})
    for batch in (1, 3):
        x = minidnn.randn(batch, 2, 7, 8)
        with minidnn.no_grad():
            wanted = model(x).numpy()
        for fused in (moved, made_there):
            y = fused(x.to(place))
            assert y.device == place
            assert np.allclose(y.cpu().numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_batch_norms_and_activations_are_part_of_the_convolutions(place: Device) -> None:
    fused = minidnn.fuse(trained(depthwise()).to(place))
    steps = fused.program(minidnn.randn(1, 2, 7, 8).to(place).data).steps
    assert [type(step.function).__name__ for step in steps] == [
        "BatchNormInference",
        "ActivatedDepthwiseConv2d",
        "PreparedConv2d",
        "ConvTranspose2d",
    ]


def test_a_fused_model_refuses_inputs_from_elsewhere(place: Device) -> None:
    with pytest.raises(ValueError, match="must lie on one device"):
        minidnn.fuse(residual().to(place))(minidnn.randn(1, 2, 7, 8))
