"""Inception-ResNet v1 and v2 (2016): inception modules as the residual branch of a ResNet.

Paper: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning", arXiv:1602.07261 (AAAI 2017), figures 10 to 20 and table 1. v1 costs about what
Inception v3 does, v2 about what Inception v4 does.

`inception_resnet_v2` has the parameter names of the timm package, whose weight files load unchanged; those of
the pytorchcv package's `inceptionresnetv1` are converted (see models/conversion.py).

Deviations, those of the authors' TensorFlow code (v2) and of the networks built after it (v1):
- v2 begins as Inception v3 does, with one module more behind the stem; figure 3 gives it Inception v4's stem.
- v2 has 10, 20 and 10 residual modules; the figures have 5, 10 and 5 of them. v1 has 5, 10 and 6.
- The last residual module adds without a factor and has no ReLU behind it.
- Residuals are multiplied by 0.17, 0.1 and 0.2; the paper says between 0.1 and 0.3.
- v1 brings its 1792 averages down to 512 with batch norm before it classifies; the paper classifies them.
"""

from __future__ import annotations

import re

from minidnn.functional import cat, relu
from minidnn.nn import (
    AdaptiveAvgPool2d,
    BatchNorm1d,
    Conv2d,
    Dropout,
    Linear,
    MaxPool2d,
    Module,
    Sequential,
)
from minidnn.tensor import Tensor
from models.inception_blocks import Branches, ConvBnReLU
from models.inception_v4 import ReductionA, pooled_projection
from models.registry import register


class ResidualInception(Branches):
    """Branches joined, brought back to x's channels by a 1x1 convolution, scaled and added: relu(x + s F(x)).

    Args:
        channels: channels of x and of the result.
        joined: channels of the branches together.
        scale: the factor s that keeps many residuals from growing out of bounds (the paper's section 3.3).
        activate: whether ReLU follows the sum.
        branches: the branches by name.

    Shapes: x (N, channels, H, W); result the same.
    """

    def __init__(
        self, channels: int, joined: int, scale: float, activate: bool = True, **branches: Module
    ) -> None:
        super().__init__(**branches)
        self.conv2d = Conv2d(joined, channels, 1)
        self.scale = scale
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(x + scale F(x)), or the sum itself."""
        *branches, conv2d = self.children()
        residual = conv2d(cat([branch(x) for branch in branches], dim=1))  # (N, channels, H, W)
        y: Tensor = x + residual * self.scale
        return relu(y) if self.activate else y


def residual_a(channels: int, middle: int, last: int) -> ResidualInception:
    """The 35x35 module, figures 10 and 16: 1x1 | 1x1, 3x3 | 1x1, 3x3, 3x3."""
    return ResidualInception(
        channels,
        32 + 32 + last,
        scale=0.17,
        branch0=ConvBnReLU(channels, 32, 1),
        branch1=Sequential(ConvBnReLU(channels, 32, 1), ConvBnReLU(32, 32, 3, padding=1)),
        branch2=Sequential(
            ConvBnReLU(channels, 32, 1),
            ConvBnReLU(32, middle, 3, padding=1),
            ConvBnReLU(middle, last, 3, padding=1),
        ),
    )


def residual_b(channels: int, single: int, middle: int, last: int) -> ResidualInception:
    """The 17x17 module, figures 11 and 17: 1x1 | 1x1, 1x7, 7x1."""
    return ResidualInception(
        channels,
        single + last,
        scale=0.1,
        branch0=ConvBnReLU(channels, single, 1),
        branch1=Sequential(
            ConvBnReLU(channels, 128, 1),
            ConvBnReLU(128, middle, (1, 7), padding=(0, 3)),
            ConvBnReLU(middle, last, (7, 1), padding=(3, 0)),
        ),
    )


def residual_c(
    channels: int, middle: int, last: int, scale: float = 0.2, activate: bool = True
) -> ResidualInception:
    """The 8x8 module, figures 13 and 19: 1x1 | 1x1, 1x3, 3x1."""
    return ResidualInception(
        channels,
        192 + last,
        scale=scale,
        activate=activate,
        branch0=ConvBnReLU(channels, 192, 1),
        branch1=Sequential(
            ConvBnReLU(channels, 192, 1),
            ConvBnReLU(192, middle, (1, 3), padding=(0, 1)),
            ConvBnReLU(middle, last, (3, 1), padding=(1, 0)),
        ),
    )


def reduction_b(in_channels: int, second: int, middle: int, last: int) -> Branches:
    """From 17x17 to 8x8, figures 12 and 18: 1x1, 3x3/2 twice | 1x1, 3x3, 3x3/2 | pooling."""
    return Branches(
        branch0=Sequential(ConvBnReLU(in_channels, 256, 1), ConvBnReLU(256, 384, 3, stride=2)),
        branch1=Sequential(ConvBnReLU(in_channels, 256, 1), ConvBnReLU(256, second, 3, stride=2)),
        branch2=Sequential(
            ConvBnReLU(in_channels, 256, 1),
            ConvBnReLU(256, middle, 3, padding=1),
            ConvBnReLU(middle, last, 3, stride=2),
        ),
        branch3=MaxPool2d(3, stride=2),
    )


class Stem(Module):
    """What both begin with: from 299x299 to 192 maps of 71x71."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv2d_1a = ConvBnReLU(in_channels, 32, 3, stride=2)
        self.conv2d_2a = ConvBnReLU(32, 32, 3)
        self.conv2d_2b = ConvBnReLU(32, 64, 3, padding=1)
        self.maxpool_3a = MaxPool2d(3, stride=2)
        self.conv2d_3b = ConvBnReLU(64, 80, 1)
        self.conv2d_4a = ConvBnReLU(80, 192, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps that the modules work on."""
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))  # (N, 64, 147, 147)
        maps: Tensor = self.conv2d_4a(self.conv2d_3b(self.maxpool_3a(x)))  # (N, 192, 71, 71)
        return maps


class InceptionResNetV1(Stem):
    """Inception-ResNet v1, stage by stage as in the paper's figure 15, for images of 299x299.

        stem                        71x71x192
        conv2d_4b   3x3/2           35x35x256
        repeat      5 x A           35x35x256
        mixed_6a    reduction A     17x17x896     (k, l, m, n = 192, 192, 256, 384)
        repeat_1    10 x B          17x17x896
        mixed_7a    reduction B      8x8x1792
        repeat_2    5 x C            8x8x1792
        block8      C, no ReLU       8x8x1792
        average pooling, dropout     1792
        bottleneck, batch norm        512
        classif                     num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability of dropping an average; the paper keeps 0.8.

    Shapes: x (N, in_channels, H, W), at least 75x75; result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__(in_channels)
        self.conv2d_4b = ConvBnReLU(192, 256, 3, stride=2)
        self.repeat = Sequential(*(residual_a(256, 32, 32) for _ in range(5)))
        self.mixed_6a = ReductionA(256, sequence=(192, 192, 256), single=384)
        self.repeat_1 = Sequential(*(residual_b(896, 128, 128, 128) for _ in range(10)))
        self.mixed_7a = reduction_b(896, second=256, middle=256, last=256)
        self.repeat_2 = Sequential(*(residual_c(1792, 192, 192) for _ in range(5)))
        self.block8 = residual_c(1792, 192, 192, scale=1.0, activate=False)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.dropout = Dropout(dropout)
        self.bottleneck = Linear(1792, 512, bias=False)
        self.bottleneck_bn = BatchNorm1d(512, eps=0.001)
        self.classif = Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.repeat(self.conv2d_4b(super().forward(x)))  # (N, 256, 35, 35)
        x = self.repeat_1(self.mixed_6a(x))  # (N, 896, 17, 17)
        x = self.block8(self.repeat_2(self.mixed_7a(x)))  # (N, 1792, 8, 8)
        x = self.dropout(self.avgpool(x).flatten(1))  # (N, 1792)
        x = self.bottleneck_bn(self.bottleneck(x))  # (N, 512)
        scores: Tensor = self.classif(x)  # (N, num_classes)
        return scores


class InceptionResNetV2(Stem):
    """Inception-ResNet v2, stage by stage, for images of 299x299.

        stem                        71x71x192
        maxpool_5a  3x3/2           35x35x192
        mixed_5b    1x1 to 96 | 1x1 to 48, 5x5 to 64 | 1x1 to 64, 3x3 to 96, 3x3 to 96 | pooling, 1x1 to 64
                                    35x35x320
        repeat      10 x A          35x35x320
        mixed_6a    reduction A     17x17x1088    (k, l, m, n = 256, 256, 384, 384)
        repeat_1    20 x B          17x17x1088
        mixed_7a    reduction B      8x8x2080
        repeat_2    9 x C            8x8x2080
        block8      C, no ReLU       8x8x2080
        conv2d_7b   1x1              8x8x1536
        average pooling, dropout     1536
        classif                     num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability of dropping an average; the paper keeps 0.8.

    Shapes: x (N, in_channels, H, W), at least 75x75; result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__(in_channels)
        self.maxpool_5a = MaxPool2d(3, stride=2)
        self.mixed_5b = Branches(
            branch0=ConvBnReLU(192, 96, 1),
            branch1=Sequential(ConvBnReLU(192, 48, 1), ConvBnReLU(48, 64, 5, padding=2)),
            branch2=Sequential(
                ConvBnReLU(192, 64, 1), ConvBnReLU(64, 96, 3, padding=1), ConvBnReLU(96, 96, 3, padding=1)
            ),
            branch3=pooled_projection(192, 64),
        )
        self.repeat = Sequential(*(residual_a(320, 48, 64) for _ in range(10)))
        self.mixed_6a = ReductionA(320, sequence=(256, 256, 384), single=384)
        self.repeat_1 = Sequential(*(residual_b(1088, 192, 160, 192) for _ in range(20)))
        self.mixed_7a = reduction_b(1088, second=288, middle=288, last=320)
        self.repeat_2 = Sequential(*(residual_c(2080, 224, 256) for _ in range(9)))
        self.block8 = residual_c(2080, 224, 256, scale=1.0, activate=False)
        self.conv2d_7b = ConvBnReLU(2080, 1536, 1)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.dropout = Dropout(dropout)
        self.classif = Linear(1536, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.mixed_5b(self.maxpool_5a(super().forward(x)))  # (N, 320, 35, 35)
        x = self.repeat_1(self.mixed_6a(self.repeat(x)))  # (N, 1088, 17, 17)
        x = self.block8(self.repeat_2(self.mixed_7a(x)))  # (N, 2080, 8, 8)
        x = self.avgpool(self.conv2d_7b(x)).flatten(1)  # (N, 1536)
        scores: Tensor = self.classif(self.dropout(x))  # (N, num_classes)
        return scores


@register(input_shape=(3, 299, 299))
def inception_resnet_v1(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2
) -> InceptionResNetV1:
    """Inception-ResNet v1 (2016): 23,995,624 parameters."""
    return InceptionResNetV1(num_classes, in_channels, dropout)


@register(input_shape=(3, 299, 299))
def inception_resnet_v2(
    num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2
) -> InceptionResNetV2:
    """Inception-ResNet v2 (2016): 55,843,464 parameters."""
    return InceptionResNetV2(num_classes, in_channels, dropout)


STEM_OF_PYTORCHCV = ("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a", "conv2d_4b")
HEAD_OF_PYTORCHCV = {"fc1": "bottleneck", "bn": "bottleneck_bn", "fc2": "classif"}


def pytorchcv_key(key: str) -> str:
    """Return the `state_dict` key of `inception_resnet_v1` for that of pytorchcv's `inceptionresnetv1`.

        features.init_block.conv2.bn.bias                              conv2d_2a.bn.bias
        features.stage2.unit1.branches.branch2.conv_list.conv3.X       mixed_6a.branch1.2.X
        features.stage2.unit4.branches.branch1.conv.X                  repeat_1.2.branch0.X
        features.stage3.unit7.conv.weight                              block8.conv2d.weight
        output.fc2.weight                                              classif.weight

    Raises:
        ValueError: a key that the network does not have.
    """
    if found := re.fullmatch(r"output\.(fc1|bn|fc2)\.(.+)", key):
        return f"{HEAD_OF_PYTORCHCV[found[1]]}.{found[2]}"
    rest = key.removeprefix("features.")
    if found := re.fullmatch(r"init_block\.conv([1-6])\.(.+)", rest):
        return f"{STEM_OF_PYTORCHCV[int(found[1]) - 1]}.{found[2]}"
    # The one sequence of a single convolution, which here is that convolution.
    rest = rest.replace(
        "stage2.unit1.branches.branch1.conv_list.conv1.", "stage2.unit1.branches.branch1.conv."
    )
    found = re.fullmatch(r"stage([1-3])\.unit(\d+)\.(.+)", rest)
    if not found:
        raise ValueError(f"key must be one of pytorchcv's inceptionresnetv1, got {key!r}")
    return f"{_unit_from_pytorchcv(int(found[1]), int(found[2]))}.{_layer_from_pytorchcv(found[3])}"


def _unit_from_pytorchcv(stage: int, unit: int) -> str:
    """The module that a stage's unit is: a reduction stands before all stages but the first."""
    if stage == 1:
        return f"repeat.{unit - 1}"
    if unit == 1:
        return f"mixed_{stage + 4}a"
    return "block8" if (stage, unit) == (3, 7) else f"repeat_{stage - 1}.{unit - 2}"


def _layer_from_pytorchcv(rest: str) -> str:
    """The layer in a module: a branch of one convolution is that convolution, one of several a sequence."""
    found = re.fullmatch(r"branches\.branch(\d)\.(?:conv|conv_list\.conv(\d))\.(.+)", rest)
    if not found:
        return re.sub(r"^conv\.", "conv2d.", rest)
    branch, layer, parameter = found.groups()
    return f"branch{int(branch) - 1}." + (f"{int(layer) - 1}." if layer else "") + parameter
