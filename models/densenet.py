"""DenseNet (2016): every layer of a block sees the outputs of all layers before it.

Paper: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", arXiv:1608.06993
(CVPR 2017), table 1 (DenseNet-BC: bottlenecks, and transitions that halve the channels).

Deviations, those of torchvision and of the authors' code:
- One more batch norm and relu stand before the last pooling, and a batch norm and relu behind the first
  convolution; table 1 does not show them.
- DenseNet-161, with growth 48 and 96 channels in the stem, is the authors' released model; the paper names it
  only as "DenseNet-161 (k = 48)". DenseNet-264 is in the paper's table and not in torchvision; its
  layers there add up to 265.
- dropout is 0 by default; the paper takes 0.2 where it trains without augmentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from minidnn.functional import cat
from minidnn.init import zeros_
from minidnn.nn import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidnn.nn.module import IncompatibleKeys
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions
from models.registry import register

# The paper's bottleneck: a 1x1 convolution to four times the growth stands before each 3x3 convolution.
BOTTLENECK = 4


class DenseLayer(Module):
    """H(x): batch norm, relu, conv 1x1 to 4k channels, batch norm, relu, conv 3x3 to k channels, dropout.

    Args:
        in_channels: channels of x, all that came before in the block.
        growth_rate: k, the channels that the layer adds.
        dropout: probability that an output element is dropped in training.

    Shapes: x (N, in_channels, H, W); result (N, growth_rate, H, W).
    """

    def __init__(self, in_channels: int, growth_rate: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = BatchNorm2d(in_channels)
        self.relu1 = ReLU()
        self.conv1 = Conv2d(in_channels, BOTTLENECK * growth_rate, 1, bias=False)
        self.norm2 = BatchNorm2d(BOTTLENECK * growth_rate)
        self.relu2 = ReLU()
        self.conv2 = Conv2d(BOTTLENECK * growth_rate, growth_rate, 3, padding=1, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the k new channels."""
        y = self.conv1(self.relu1(self.norm1(x)))  # (N, 4k, H, W)
        y = self.conv2(self.relu2(self.norm2(y)))  # (N, k, H, W)
        new: Tensor = self.dropout(y)
        return new


class DenseBlock(Module):
    """Layers that each add k channels to what they saw: x_l = H_l([x_0, ..., x_{l-1}]).

    Args:
        layers: how many.
        in_channels: channels of x.
        growth_rate: k.
        dropout: see `DenseLayer`.

    Shapes: x (N, in_channels, H, W); result (N, in_channels + layers * growth_rate, H, W).
    """

    def __init__(self, layers: int, in_channels: int, growth_rate: int, dropout: float) -> None:
        super().__init__()
        for index in range(layers):
            layer = DenseLayer(in_channels + index * growth_rate, growth_rate, dropout)
            self.add_module(f"denselayer{index + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return x and the outputs of all layers, joined along the channels."""
        features = [x]
        for layer in self.children():
            features.append(layer(cat(features, dim=1)))
        return cat(features, dim=1)


def transition(in_channels: int) -> Sequential:
    """Return what stands between two blocks: half the channels, half the map (compression 0.5)."""
    return Sequential(
        {
            "norm": BatchNorm2d(in_channels),
            "relu": ReLU(),
            "conv": Conv2d(in_channels, in_channels // 2, 1, bias=False),
            "pool": AvgPool2d(2, stride=2),
        }
    )


OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\.)")


class DenseNet(Module):
    """The paper's table 1: DenseNet-BC for ImageNet, k = 32 (161: k = 48).

        stage         size      121    169    201    264    161
        features.     112x112   conv 7x7, 2k channels, stride 2
                      56x56     max pool 3x3, stride 2
        denseblock1   56x56     x6     x6     x6     x6     x6      each layer: conv 1x1, conv 3x3
        transition1   28x28     conv 1x1, average pool 2x2, stride 2; the same after the next two blocks
        denseblock2   28x28     x12    x12    x12    x12    x12
        denseblock3   14x14     x24    x32    x48    x64    x36
        denseblock4   7x7       x16    x32    x32    x48    x24
                      1x1       average over the map, fully connected to num_classes

    Args:
        growth_rate: k, the channels that each layer adds.
        layers: layers in each of the four blocks.
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability that an element of a layer's output is dropped in training.

    Shapes: x (N, in_channels, H, W), H and W at least 29, 224x224 in the paper; result (N, num_classes).
    """

    def __init__(
        self,
        growth_rate: int,
        layers: tuple[int, int, int, int],
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = 2 * growth_rate
        stages: dict[str, Module] = {
            "conv0": Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False),
            "norm0": BatchNorm2d(channels),
            "relu0": ReLU(),
            "pool0": MaxPool2d(3, stride=2, padding=1),
        }
        for position, depth in enumerate(layers, start=1):
            stages[f"denseblock{position}"] = DenseBlock(depth, channels, growth_rate, dropout)
            channels += depth * growth_rate
            if position < len(layers):
                stages[f"transition{position}"] = transition(channels)
                channels //= 2
        stages["norm5"] = BatchNorm2d(channels)
        self.features = Sequential(stages)
        self.relu = ReLU()
        self.avgpool = AdaptiveAvgPool2d(1)
        self.classifier = Linear(channels, num_classes)
        initialize_convolutions(self, mode="fan_in")
        assert self.classifier.bias is not None
        zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.relu(self.features(x))  # (N, channels, H/32, W/32)
        scores: Tensor = self.classifier(self.avgpool(x).flatten(1))  # (N, num_classes)
        return scores

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """As every module; the names in torchvision's published files, older than its code, are known too.

        They have a dot (denselayer1.norm.1.weight) where the layers' names now have none (norm1).
        """
        if isinstance(state_dict, Mapping) and any(OLD_NAME.match(str(key)) for key in state_dict):
            state_dict = {OLD_NAME.sub(r"\1\2", str(key)): value for key, value in state_dict.items()}
        return super().load_state_dict(state_dict, strict)


@register(input_shape=(3, 224, 224))
def densenet121(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.0) -> DenseNet:
    """DenseNet-121 (2016), growth 32: 7,978,856 parameters."""
    return DenseNet(32, (6, 12, 24, 16), num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def densenet161(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.0) -> DenseNet:
    """DenseNet-161 (2016), growth 48: 28,681,000 parameters."""
    return DenseNet(48, (6, 12, 36, 24), num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def densenet169(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.0) -> DenseNet:
    """DenseNet-169 (2016), growth 32: 14,149,480 parameters."""
    return DenseNet(32, (6, 12, 32, 32), num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def densenet201(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.0) -> DenseNet:
    """DenseNet-201 (2016), growth 32: 20,013,928 parameters."""
    return DenseNet(32, (6, 12, 48, 32), num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def densenet264(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.0) -> DenseNet:
    """DenseNet-264 (2016), growth 32: 33,337,704 parameters."""
    return DenseNet(32, (6, 12, 64, 48), num_classes, in_channels, dropout)
