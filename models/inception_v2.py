"""Inception v2 (2015), or BN-Inception: the network that batch normalisation was introduced with.

Paper: Ioffe, Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
shift", arXiv:1502.03167 (ICML 2015), appendix and figure 5. Against GoogLeNet: batch norm after every
convolution, two 3x3 convolutions for each 5x5, modules with stride 2 in place of pooling between them,
average pooling inside most modules, one module more at 28x28, no dropout and no response normalisation.

Deviations:
- The first convolution is a plain one; the paper's is separable with a depth multiplier of 8, to save time.
- The paper does not say where windows of stride 2 stand: here all are padded by 1 (the 7x7 by 3).
- No auxiliary heads: the figure has none.
"""

from __future__ import annotations

from minidnn.nn import AdaptiveAvgPool2d, AvgPool2d, Linear, MaxPool2d, Module, Sequential
from minidnn.tensor import Tensor
from models.inception_blocks import Branches, ConvBnReLU, initialize_truncated_normal
from models.registry import register

POOLINGS = {"average": AvgPool2d, "max": MaxPool2d}


class Inception(Branches):
    """A module of stride 1: every convolution keeps the map's size.

        branch1    1x1
        branch2    1x1 reduce, 3x3
        branch3    1x1 reduce, 3x3, 3x3
        branch4    3x3 pooling, 1x1 projection

    Args:
        in_channels: channels of x.
        c1, c3_reduce, c3, double_reduce, double: channels, the columns of the paper's figure 5.
        pooling: "average" or "max".
        pool_proj: channels of the projection.

    Shapes: x (N, in_channels, H, W); result (N, c1 + c3 + double + pool_proj, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        c3_reduce: int,
        c3: int,
        double_reduce: int,
        double: int,
        pooling: str,
        pool_proj: int,
    ) -> None:
        super().__init__(
            branch1=ConvBnReLU(in_channels, c1, 1),
            branch2=Sequential(
                ConvBnReLU(in_channels, c3_reduce, 1), ConvBnReLU(c3_reduce, c3, 3, padding=1)
            ),
            branch3=Sequential(
                ConvBnReLU(in_channels, double_reduce, 1),
                ConvBnReLU(double_reduce, double, 3, padding=1),
                ConvBnReLU(double, double, 3, padding=1),
            ),
            branch4=Sequential(
                POOLINGS[pooling](3, stride=1, padding=1), ConvBnReLU(in_channels, pool_proj, 1)
            ),
        )


class Reduction(Branches):
    """A module of stride 2, which halves the map; its pooling passes all channels through.

        branch1    1x1 reduce, 3x3 stride 2
        branch2    1x1 reduce, 3x3, 3x3 stride 2
        branch3    3x3 max pooling, stride 2

    Args:
        in_channels: channels of x.
        c3_reduce, c3, double_reduce, double: channels, the columns of the paper's figure 5.

    Shapes: x (N, in_channels, H, W); result (N, c3 + double + in_channels, ceil(H / 2), ceil(W / 2)).
    """

    def __init__(self, in_channels: int, c3_reduce: int, c3: int, double_reduce: int, double: int) -> None:
        super().__init__(
            branch1=Sequential(
                ConvBnReLU(in_channels, c3_reduce, 1), ConvBnReLU(c3_reduce, c3, 3, stride=2, padding=1)
            ),
            branch2=Sequential(
                ConvBnReLU(in_channels, double_reduce, 1),
                ConvBnReLU(double_reduce, double, 3, padding=1),
                ConvBnReLU(double, double, 3, stride=2, padding=1),
            ),
            branch3=MaxPool2d(3, stride=2, padding=1),
        )


class InceptionV2(Module):
    """BN-Inception, row by row as in the paper's figure 5, for images of 224x224.

        type             output         #1x1  3x3 reduce  3x3  double reduce  double  pool
        conv 7x7/2       112x112x64
        max pool 3x3/2    56x56x64
        conv 3x3          56x56x192               64      192
        max pool 3x3/2    28x28x192
        inception 3a      28x28x256       64      64       64       64          96    average 32
        inception 3b      28x28x320       64      64       96       64          96    average 64
        inception 3c      14x14x576              128      160       64          96    max, stride 2
        inception 4a      14x14x576      224      64       96       96         128    average 128
        inception 4b      14x14x576      192      96      128       96         128    average 128
        inception 4c      14x14x576      160     128      160      128         160    average 96
        inception 4d      14x14x576       96     128      192      160         192    average 96
        inception 4e       7x7x1024              128      192      192         256    max, stride 2
        inception 5a       7x7x1024      352     192      320      160         224    average 128
        inception 5b       7x7x1024      352     192      320      192         224    max 128
        average pool 7x7   1x1x1024
        linear             num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.

    Shapes: x (N, in_channels, H, W), 224x224 in the paper; result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = ConvBnReLU(in_channels, 64, 7, stride=2, padding=3)
        self.maxpool1 = MaxPool2d(3, stride=2, padding=1)
        self.conv2 = ConvBnReLU(64, 64, 1)
        self.conv3 = ConvBnReLU(64, 192, 3, padding=1)
        self.maxpool2 = MaxPool2d(3, stride=2, padding=1)
        self.inception3a = Inception(192, 64, 64, 64, 64, 96, "average", 32)
        self.inception3b = Inception(256, 64, 64, 96, 64, 96, "average", 64)
        self.inception3c = Reduction(320, 128, 160, 64, 96)
        self.inception4a = Inception(576, 224, 64, 96, 96, 128, "average", 128)
        self.inception4b = Inception(576, 192, 96, 128, 96, 128, "average", 128)
        self.inception4c = Inception(576, 160, 128, 160, 128, 160, "average", 96)
        self.inception4d = Inception(576, 96, 128, 192, 160, 192, "average", 96)
        self.inception4e = Reduction(576, 128, 192, 192, 256)
        self.inception5a = Inception(1024, 352, 192, 320, 160, 224, "average", 128)
        self.inception5b = Inception(1024, 352, 192, 320, 192, 224, "max", 128)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.maxpool1(self.conv1(x))  # (N, 64, 56, 56)
        x = self.maxpool2(self.conv3(self.conv2(x)))  # (N, 192, 28, 28)
        x = self.inception3c(self.inception3b(self.inception3a(x)))  # (N, 576, 14, 14)
        x = self.inception4b(self.inception4a(x))  # (N, 576, 14, 14)
        x = self.inception4d(self.inception4c(x))  # (N, 576, 14, 14)
        x = self.inception5b(self.inception5a(self.inception4e(x)))  # (N, 1024, 7, 7)
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))  # (N, num_classes)
        return scores


@register(input_shape=(3, 224, 224))
def inception_v2(num_classes: int = 1000, in_channels: int = 3) -> InceptionV2:
    """Inception v2 (2015), the network of the batch normalisation paper."""
    model = InceptionV2(num_classes, in_channels)
    initialize_truncated_normal(model, std=0.1)
    return model
