"""ShuffleNet v2 (2018): half of the channels pass by, and a shuffle mixes the halves.

Paper: Ma et al., "ShuffleNet V2: practical guidelines for efficient CNN architecture design",
arXiv:1807.11164, figure 3 (c, d) and table 5.

Deviations: none; the `state_dict` keys are torchvision's.
"""

from __future__ import annotations

from minidnn.functional import cat, chunk
from minidnn.nn import BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, ReLU, Sequential
from minidnn.tensor import Tensor
from models.registry import register

# Table 5, 1x: blocks and outputs of stages 2, 3 and 4.
STAGES = ((4, 116), (8, 232), (4, 464))


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Deal the channels of `groups` consecutive parts out in turn: 0 1 2 | 3 4 5 becomes 0 3 1 4 2 5.

    Shapes: x (N, C, H, W) with groups dividing C; result the same.
    """
    count, channels, height, width = x.shape
    parts = x.reshape(count, groups, channels // groups, height, width)  # (N, groups, C / groups, H, W)
    return parts.transpose(1, 2).reshape(count, channels, height, width)


def _pointwise(in_channels: int, out_channels: int) -> list[Module]:
    return [Conv2d(in_channels, out_channels, 1, bias=False), BatchNorm2d(out_channels), ReLU()]


def _depthwise(channels: int, stride: int) -> list[Module]:
    return [Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False), BatchNorm2d(channels)]


class InvertedResidual(Module):
    """Two branches joined and shuffled; at stride 1 the first is the identity on half of the channels.

    Shapes: x (N, in_channels, H, W), in_channels = out_channels at stride 1; result (N, out_channels,
        ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        half = out_channels // 2
        side: list[Module] = []
        if stride > 1:
            side = [*_depthwise(in_channels, stride), *_pointwise(in_channels, half)]
        self.branch1 = Sequential(*side)
        self.branch2 = Sequential(
            *_pointwise(in_channels if stride > 1 else half, half),
            *_depthwise(half, stride),
            *_pointwise(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        first, second = chunk(x, 2, dim=1) if self.stride == 1 else (x, x)  # (N, out_channels / 2, H, W)
        return channel_shuffle(cat([self.branch1(first), self.branch2(second)], dim=1), 2)


class ShuffleNetV2(Module):
    """ShuffleNet v2 1x, as in the paper's table 5 (sizes for 224x224).

        layer     blocks    output
        conv1               24 x 112 x 112 (3x3, stride 2)
        maxpool             24 x 56 x 56 (3x3, stride 2)
        stage2    4         116 x 28 x 28 (every stage's first block has stride 2)
        stage3    8         232 x 14 x 14
        stage4    4         464 x 7 x 7
        conv5               1024 x 7 x 7 (1x1)
        fc                  num_classes, from each channel's mean

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = Sequential(Conv2d(in_channels, 24, 3, 2, 1, bias=False), BatchNorm2d(24), ReLU())
        self.maxpool = MaxPool2d(3, 2, 1)
        channels, stages = 24, []
        for blocks, out_channels in STAGES:
            rest = [InvertedResidual(out_channels, out_channels, 1) for _ in range(blocks - 1)]
            stages.append(Sequential(InvertedResidual(channels, out_channels, 2), *rest))
            channels = out_channels
        self.stage2, self.stage3, self.stage4 = stages
        self.conv5 = Sequential(*_pointwise(channels, 1024))
        self.fc = Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.maxpool(self.conv1(x))  # (N, 24, H / 4, W / 4)
        x = self.stage4(self.stage3(self.stage2(x)))  # (N, 464, H / 32, W / 32)
        x = self.conv5(x).mean((2, 3))  # (N, 1024)
        scores: Tensor = self.fc(x)  # (N, num_classes)
        return scores


@register(input_shape=(3, 224, 224))
def shufflenet_v2_x1_0(num_classes: int = 1000, in_channels: int = 3) -> ShuffleNetV2:
    """ShuffleNet v2 1x (2018), channel split and shuffle: 2,278,604 parameters."""
    return ShuffleNetV2(num_classes, in_channels)
