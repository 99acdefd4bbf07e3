"""MixNet (2019): depthwise convolutions whose channels are shared out among kernels of several sizes.

Paper: Tan and Le, "MixConv: mixed depthwise convolutional kernels", arXiv:1907.09595, figure 4 (MixNet-S and
-M); the pointwise groups and squeeze ratios are those of the authors' code.

Deviations: padding is PyTorch's (symmetric) and batch norm's constants are PyTorch's, as in timm's
`mixnet_s/m/l` (the authors pad as TensorFlow does), whose files are converted (see models/conversion.py).
"""

from __future__ import annotations

from typing import NamedTuple

from minidnn.functional import cat
from minidnn.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Dropout,
    Identity,
    Linear,
    Module,
    ReLU,
    Sequential,
    SiLU,
)
from minidnn.tensor import Tensor
from models.efficient_blocks import SqueezeExcitation, initialize, make_divisible, padded_convolution
from models.registry import register


class Row(NamedTuple):
    """Consecutive equal blocks of the figure; only the first of them has the stride.

    Attributes:
        layers: how many.
        kernels: sizes of the depthwise kernels among which the channels are shared.
        stride: of the first block.
        expansion: how many times wider a block is inside.
        channels: outputs.
        squeeze: outputs of the squeeze layer as a part of the input channels, 0 for none; with it the
            activation is the swish, without it ReLU.
        expand_groups: in how many parts the 1x1 expansion works.
        project_groups: in how many parts the 1x1 projection works.
    """

    layers: int
    kernels: tuple[int, ...]
    stride: int
    expansion: int
    channels: int
    squeeze: float = 0.0
    expand_groups: int = 1
    project_groups: int = 1


SMALL = (
    (Row(1, (3,), 2, 6, 24, 0, 2, 2), Row(1, (3,), 1, 3, 24, 0, 2, 2)),
    (Row(1, (3, 5, 7), 2, 6, 40, 0.5), Row(3, (3, 5), 1, 6, 40, 0.5, 2, 2)),
    (Row(1, (3, 5, 7), 2, 6, 80, 0.25, 1, 2), Row(2, (3, 5), 1, 6, 80, 0.25, 1, 2)),
    (Row(1, (3, 5, 7), 1, 6, 120, 0.5, 2, 2), Row(2, (3, 5, 7, 9), 1, 3, 120, 0.5, 2, 2)),
    (Row(1, (3, 5, 7, 9, 11), 2, 6, 200, 0.5), Row(2, (3, 5, 7, 9), 1, 6, 200, 0.5, 1, 2)),
)
MEDIUM = (
    (Row(1, (3, 5, 7), 2, 6, 32, 0, 2, 2), Row(1, (3,), 1, 3, 32, 0, 2, 2)),
    (Row(1, (3, 5, 7, 9), 2, 6, 40, 0.5), Row(3, (3, 5), 1, 6, 40, 0.5, 2, 2)),
    (Row(1, (3, 5, 7), 2, 6, 80, 0.25), Row(3, (3, 5, 7, 9), 1, 6, 80, 0.25, 2, 2)),
    (Row(1, (3,), 1, 6, 120, 0.5), Row(3, (3, 5, 7, 9), 1, 3, 120, 0.5, 2, 2)),
    (Row(1, (3, 5, 7, 9), 2, 6, 200, 0.5), Row(3, (3, 5, 7, 9), 1, 6, 200, 0.5, 1, 2)),
)


def shares(channels: int, parts: int) -> list[int]:
    """Return the channels of each part: equal ones, the remainder with the first."""
    equal = channels // parts
    return [channels - (parts - 1) * equal] + [equal] * (parts - 1)


class MixedConv2d(Module):
    """Convolutions, named "0", "1", ..., of which each sees its own part of the channels (figure 2, MixConv).

        y = [f_0(x_0), ..., f_n(x_n)]

    Args:
        in_channels, out_channels: channels in all.
        kernels: one kernel size per part.
        stride: of all parts.
        depthwise: whether every channel has its own filter.

    Shapes: x (N, in_channels, H, W); result (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernels: tuple[int, ...], stride: int, depthwise: bool
    ) -> None:
        super().__init__()
        self.parts = shares(in_channels, len(kernels))
        outputs = shares(out_channels, len(kernels))
        for index, (kernel, before, after) in enumerate(zip(kernels, self.parts, outputs, strict=True)):
            groups = before if depthwise else 1
            self.add_module(str(index), padded_convolution(before, after, kernel, stride, groups))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve each part, and join the results."""
        parts = x.split(self.parts, 1)
        return cat([layer(part) for layer, part in zip(self.children(), parts, strict=True)], dim=1)


def _mixed(
    in_channels: int, out_channels: int, kernels: tuple[int, ...], stride: int = 1, depthwise: bool = False
) -> Module:
    if len(kernels) == 1:
        groups = in_channels if depthwise else 1
        return padded_convolution(in_channels, out_channels, kernels[0], stride, groups)
    return MixedConv2d(in_channels, out_channels, kernels, stride, depthwise)


class SeparableBlock(Module):
    """The first block: 3x3 convolution per channel, linear 1x1; the input is added.

    Shapes: x (N, channels, H, W); result the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_dw = padded_convolution(channels, channels, 3, groups=channels)
        self.bn1 = BatchNorm2d(channels)
        self.act = ReLU()
        self.conv_pw = padded_convolution(channels, channels, 1)
        self.bn2 = BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        result = self.act(self.bn1(self.conv_dw(x)))  # (N, channels, H, W)
        projected: Tensor = self.bn2(self.conv_pw(result))  # (N, channels, H, W)
        return x + projected


class MixBlock(Module):
    """1x1 expansion, mixed depthwise convolution, squeeze-and-excitation (if any), linear 1x1.

    The input is added where the stride is 1 and the channels stay.

    Shapes: x (N, in_channels, H, W); result (N, row.channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, row: Row) -> None:
        super().__init__()
        hidden = make_divisible(in_channels * row.expansion)
        self.has_skip = row.stride == 1 and in_channels == row.channels
        activation = SiLU if row.squeeze else ReLU
        self.conv_pw = _mixed(in_channels, hidden, (1,) * row.expand_groups)
        self.bn1 = BatchNorm2d(hidden)
        self.conv_dw = _mixed(hidden, hidden, row.kernels, row.stride, depthwise=True)
        self.bn2 = BatchNorm2d(hidden)
        self.act = activation()
        self.se: Module = Identity()
        if row.squeeze:
            self.se = SqueezeExcitation(hidden, int(in_channels * row.squeeze), SiLU)
        self.conv_pwl = _mixed(hidden, row.channels, (1,) * row.project_groups)
        self.bn3 = BatchNorm2d(row.channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        result: Tensor = self.act(self.bn1(self.conv_pw(x)))  # (N, hidden, H, W)
        result = self.act(self.bn2(self.conv_dw(result)))  # (N, hidden, H / stride, W / stride)
        result = self.bn3(self.conv_pwl(self.se(result)))  # (N, row.channels, H / stride, W / stride)
        return x + result if self.has_skip else result


class MixNet(Module):
    """MixNet, as in the paper's figure 4 (sizes for 224x224; S has 16 channels in the stem, M 24, L 32).

        layer                  output
        conv_stem              16 x 112 x 112 (3x3, stride 2)
        blocks.0               16 x 112 x 112 (separable, without expansion)
        blocks.1               24 x 56 x 56
        blocks.2               40 x 28 x 28 (from here on with squeeze-and-excitation and swish)
        blocks.3               80 x 14 x 14
        blocks.4               120 x 14 x 14
        blocks.5               200 x 7 x 7
        conv_head              1536 x 7 x 7 (1x1)
        classifier             num_classes, from each channel's mean, after dropout

    Args:
        stages: `SMALL` or `MEDIUM`.
        stem_channels: outputs of the first convolution.
        width_mult: multiplies the channels of all layers but the last.
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability of dropping a feature before the classifier.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).

    Raises:
        ValueError: dropout outside [0, 1].
        TypeError: dropout is not a number.
    """

    def __init__(
        self,
        stages: tuple[tuple[Row, ...], ...],
        stem_channels: int,
        width_mult: float = 1.0,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        channels = make_divisible(stem_channels * width_mult)
        self.conv_stem = padded_convolution(in_channels, channels, 3, 2)
        self.bn1 = BatchNorm2d(channels)
        self.act = ReLU()
        blocks: list[Module] = [Sequential(SeparableBlock(channels))]
        for stage in stages:
            layers = []
            for row in _one_by_one(stage, width_mult):
                layers.append(MixBlock(channels, row))
                channels = row.channels
            blocks.append(Sequential(*layers))
        self.blocks = Sequential(*blocks)
        self.conv_head = padded_convolution(channels, 1536, 1)
        self.bn2 = BatchNorm2d(1536)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.dropout = Dropout(dropout)
        self.classifier = Linear(1536, num_classes)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.blocks(self.act(self.bn1(self.conv_stem(x))))  # (N, 200, H / 32, W / 32)
        x = self.avgpool(self.act(self.bn2(self.conv_head(x))))  # (N, 1536, 1, 1)
        scores: Tensor = self.classifier(self.dropout(x.flatten(1)))  # (N, num_classes)
        return scores


def _one_by_one(stage: tuple[Row, ...], width_mult: float) -> list[Row]:
    """The stage's blocks, one row each, with scaled channels; only a row's first block has its stride."""
    rows = []
    for row in stage:
        scaled = row._replace(channels=make_divisible(row.channels * width_mult))
        rows += [scaled, *[scaled._replace(stride=1)] * (row.layers - 1)]
    return rows


def timm_key(key: str) -> str:
    """Return our `state_dict` key for timm's: only the squeeze-and-excitation layers are named otherwise."""
    return key.replace(".se.conv_reduce.", ".se.fc1.").replace(".se.conv_expand.", ".se.fc2.")


@register(input_shape=(3, 224, 224))
def mixnet_s(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> MixNet:
    """MixNet-S (2019), mixed depthwise kernels of 3 to 11: 4,134,606 parameters."""
    return MixNet(SMALL, 16, 1.0, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def mixnet_m(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.25) -> MixNet:
    """MixNet-M (2019), mixed depthwise kernels of 3 to 9: 5,014,382 parameters."""
    return MixNet(MEDIUM, 24, 1.0, num_classes, in_channels, dropout)


@register(input_shape=(3, 224, 224))
def mixnet_l(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.25) -> MixNet:
    """MixNet-L (2019), MixNet-M with 1.3 times the channels: 7,329,252 parameters."""
    return MixNet(MEDIUM, 24, 1.3, num_classes, in_channels, dropout)
