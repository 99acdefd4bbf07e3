"""ResNet, its plain twins and ResNeXt: the paper's table, the identity, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import models
from minidnn import Tensor, init
from minidnn.nn import Conv2d, Module
from models.resnet import BasicBlock, Bottleneck, ResNet
from tests.models.shapes import output_shapes


def zero_convolutions(module: Module) -> None:
    for part in module.modules():
        if isinstance(part, Conv2d):
            init.zeros_(part.weight)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("block", [BasicBlock(6, 6), Bottleneck(6, 4, 6, groups=2)])
def test_residual_block_with_zero_weights_is_the_identity(block: Module, training: bool) -> None:
    """Of what a block before it gives: numbers that a relu has passed. Its gradient passes unchanged too."""
    zero_convolutions(block)
    block.double().train(training)
    generator = np.random.default_rng(3)
    x = Tensor(np.abs(generator.normal(size=(2, 6, 5, 4))), requires_grad=True)
    y = block(x)
    np.testing.assert_array_equal(y.data, x.data)
    upstream = generator.normal(size=x.shape)
    y.backward(Tensor(upstream))
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.data, upstream)


def test_plain_block_with_zero_weights_is_not() -> None:
    block = BasicBlock(6, 6, residual=False)
    zero_convolutions(block)
    x = Tensor(np.ones((1, 6, 3, 3), np.float32))
    np.testing.assert_array_equal(block.eval()(x).data, 0)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet18", (64, 128, 256, 512)),
        ("resnet50", (256, 512, 1024, 2048)),
        ("plain18", (64, 128, 256, 512)),
    ],
)
def test_stages_are_the_tables(name: str, channels: tuple[int, ...]) -> None:
    shapes = output_shapes(models.create(name), (1, 3, 96, 64))
    assert shapes["conv1"] == (64, 48, 32)
    assert shapes["maxpool"] == (64, 24, 16)
    for stage, width in enumerate(channels):
        assert shapes[f"layer{stage + 1}"] == (width, 24 >> stage, 16 >> stage)
    assert shapes[""] == (1000,)


@pytest.mark.parametrize(
    ("name", "layers"),
    [("resnet18", 18), ("resnet34", 34), ("resnet50", 50), ("plain34", 34), ("resnext50_32x4d", 50)],
)
def test_layers_with_weights_give_the_name(name: str, layers: int) -> None:
    """Convolutions and the fully connected layer, without the shortcuts' projections."""
    weights = [
        path
        for path, parameter in models.create(name).named_parameters()
        if parameter.ndim > 1 and "downsample" not in path
    ]
    assert len(weights) == layers


def test_bottlenecks_halve_in_the_3x3_convolution() -> None:
    first = models.resnet50().layer3[0]
    assert [first.conv1.stride, first.conv2.stride, first.conv3.stride] == [(1, 1), (2, 2), (1, 1)]


def test_resnext_has_the_papers_groups_and_widths() -> None:
    model = models.resnext50_32x4d()
    for stage, width in zip((1, 2, 3, 4), (128, 256, 512, 1024), strict=True):
        for block in getattr(model, f"layer{stage}"):
            assert (block.conv2.groups, block.conv2.out_channels) == (32, width)


def test_other_classes_and_channels() -> None:
    for builder in (models.resnet18, models.plain18):
        assert output_shapes(builder(num_classes=3, in_channels=1), (2, 1, 33, 40))[""] == (3,)


def test_plain_networks_have_no_bottlenecks() -> None:
    with pytest.raises(ValueError, match="residual must be True with bottlenecks, got False"):
        ResNet((1, 1, 1, 1), True, residual=False)
