"""Xception (2016): inception taken to its end, where every channel is filtered on its own.

Paper: Chollet, "Xception: deep learning with depthwise separable convolutions", arXiv:1610.02357 (CVPR 2017),
figure 5. Parameter names are those of the timm package's legacy_xception, whose weight files load unchanged.

Deviations: none from the figure; the optional fully connected layers before the classifier are left out, as
in the paper's ImageNet experiments. Pooling is padded by 1 on every side, as in all PyTorch versions; the
author's Keras version pads as TensorFlow's "same", which on even sizes is at the end only.
"""

from __future__ import annotations

from itertools import pairwise

from minidnn.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions
from models.registry import register


class SeparableConv2d(Module):
    """A 3x3 convolution of every channel on its own, then a 1x1 convolution across channels, no biases.

    Multiplications against a full 3x3 convolution: 1 / out_channels + 1 / 9 (the paper has no nonlinearity
    between the two, and its section 4.7 says why).

    Args:
        in_channels: channels of x.
        out_channels: channels of the result.

    Shapes: x (N, in_channels, H, W); result (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.pointwise = Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return pointwise(depthwise(x))."""
        result: Tensor = self.pointwise(self.conv1(x))
        return result


class Block(Module):
    """Separable convolutions beside a shortcut: y = F(x) + shortcut(x), no ReLU behind the sum.

        F: for every step of channels ReLU, separable 3x3, batch norm; then max pooling if stride is 2

    Args:
        channels: channels of x, then of every separable convolution.
        stride: 2 ends F with 3x3 max pooling of stride 2; 1 does not.
        first_relu: whether F begins with ReLU.

    Shapes: x (N, channels[0], H, W); result (N, channels[-1], ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, channels: tuple[int, ...], stride: int = 1, first_relu: bool = True) -> None:
        super().__init__()
        layers: list[Module] = []
        for before, after in pairwise(channels):
            layers += [ReLU(), SeparableConv2d(before, after), BatchNorm2d(after)]
        if not first_relu:
            del layers[0]
        if stride != 1:
            layers.append(MaxPool2d(3, stride, padding=1))
        self.rep = Sequential(*layers)
        changes_shape = stride != 1 or channels[0] != channels[-1]
        self.skip = Conv2d(channels[0], channels[-1], 1, stride, bias=False) if changes_shape else None
        self.skipbn = BatchNorm2d(channels[-1]) if changes_shape else None

    def forward(self, x: Tensor) -> Tensor:
        """Return F(x) + shortcut(x)."""
        shortcut = x if self.skip is None or self.skipbn is None else self.skipbn(self.skip(x))
        result: Tensor = self.rep(x) + shortcut
        return result


class Xception(Module):
    """Xception, block by block as in the paper's figure 5, for images of 299x299.

        entry flow     conv1 3x3/2 to 32, conv2 3x3 to 64      147x147x64
                       block1    separable to 128, 128, /2      74x74x128
                       block2    separable to 256, 256, /2      37x37x256
                       block3    separable to 728, 728, /2      19x19x728
        middle flow    block4 to block11, each three
                       separable to 728                         19x19x728
        exit flow      block12   separable to 728, 1024, /2     10x10x1024
                       conv3     separable to 1536              10x10x1536
                       conv4     separable to 2048              10x10x2048
        average pooling, dropout, linear                        num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability of dropping a unit before the classifier; the paper's for ImageNet is 0.5.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.relu = ReLU()
        self.conv1 = Conv2d(in_channels, 32, 3, stride=2, bias=False)
        self.bn1 = BatchNorm2d(32)
        self.conv2 = Conv2d(32, 64, 3, bias=False)
        self.bn2 = BatchNorm2d(64)
        self.block1 = Block((64, 128, 128), stride=2, first_relu=False)
        self.block2 = Block((128, 256, 256), stride=2)
        self.block3 = Block((256, 728, 728), stride=2)
        self.block4 = Block((728, 728, 728, 728))
        self.block5 = Block((728, 728, 728, 728))
        self.block6 = Block((728, 728, 728, 728))
        self.block7 = Block((728, 728, 728, 728))
        self.block8 = Block((728, 728, 728, 728))
        self.block9 = Block((728, 728, 728, 728))
        self.block10 = Block((728, 728, 728, 728))
        self.block11 = Block((728, 728, 728, 728))
        self.block12 = Block((728, 728, 1024), stride=2)
        self.conv3 = SeparableConv2d(1024, 1536)
        self.bn3 = BatchNorm2d(1536)
        self.conv4 = SeparableConv2d(1536, 2048)
        self.bn4 = BatchNorm2d(2048)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.dropout = Dropout(dropout)
        self.fc = Linear(2048, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 32, 149, 149)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, 64, 147, 147)
        x = self.block3(self.block2(self.block1(x)))  # (N, 728, 19, 19)
        x = self.block7(self.block6(self.block5(self.block4(x))))  # (N, 728, 19, 19)
        x = self.block11(self.block10(self.block9(self.block8(x))))  # (N, 728, 19, 19)
        x = self.relu(self.bn3(self.conv3(self.block12(x))))  # (N, 1536, 10, 10)
        x = self.relu(self.bn4(self.conv4(x)))  # (N, 2048, 10, 10)
        scores: Tensor = self.fc(self.dropout(self.avgpool(x).flatten(1)))  # (N, num_classes)
        return scores


@register(input_shape=(3, 299, 299))
def xception(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> Xception:
    """Xception (2016): 22,855,952 parameters."""
    model = Xception(num_classes, in_channels, dropout)
    initialize_convolutions(model)
    return model
