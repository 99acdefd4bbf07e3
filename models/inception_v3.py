"""Inception v3 (2015): large convolutions factorised into small and one-sided ones.

Paper: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the inception architecture for computer vision",
arXiv:1512.00567 (CVPR 2016), table 1 and figures 5 to 10; layout and parameter names are torchvision's, which
follow the authors' TensorFlow code.

Deviations, those of the authors' code against the paper's table:
- Module A keeps a 5x5 convolution in its second branch, where figure 5 has two branches of 3x3.
- The stem has a 1x1 convolution to 80 and a 3x3 to 192 channels with pooling behind them; the table has 3x3
  convolutions to 80, 192 (stride 2) and 288 channels.
- Four modules of figure 6 instead of five, and a module of its own kind (D) from 17x17 to 8x8.
- The auxiliary head has batch norm, as the paper says of v3, and pools by 5x5 with stride 3 before it.
"""

from __future__ import annotations

from typing import NamedTuple

from minidnn.functional import avg_pool2d, cat, max_pool2d
from minidnn.init import trunc_normal_
from minidnn.nn import AdaptiveAvgPool2d, AvgPool2d, Dropout, Identity, Linear, MaxPool2d, Module
from minidnn.tensor import Tensor
from models.inception_blocks import ConvBnReLU, FromImageNetScale, initialize_truncated_normal
from models.registry import register


class InceptionOutputs(NamedTuple):
    """What Inception v3 returns in training mode, each (N, num_classes), as torchvision's.

    Attributes:
        logits: the scores.
        aux_logits: those of the head behind the last 17x17 module.
    """

    logits: Tensor
    aux_logits: Tensor


class InceptionA(Module):
    """The 35x35 module, figure 5: 5x5 convolutions, and two 3x3 for one.

    Args:
        in_channels: channels of x.
        pool_features: channels of the pooled branch.

    Shapes: x (N, in_channels, H, W); result (N, 224 + pool_features, H, W).
    """

    def __init__(self, in_channels: int, pool_features: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBnReLU(in_channels, 64, 1)
        self.branch5x5_1 = ConvBnReLU(in_channels, 48, 1)
        self.branch5x5_2 = ConvBnReLU(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvBnReLU(in_channels, 64, 1)
        self.branch3x3dbl_2 = ConvBnReLU(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBnReLU(96, 96, 3, padding=1)
        self.branch_pool = ConvBnReLU(in_channels, pool_features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the four branches, joined."""
        single = self.branch1x1(x)  # (N, 64, H, W)
        five = self.branch5x5_2(self.branch5x5_1(x))  # (N, 64, H, W)
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))  # (N, 96, H, W)
        pooled = self.branch_pool(avg_pool2d(x, 3, stride=1, padding=1))  # (N, pool_features, H, W)
        return cat([single, five, double, pooled], dim=1)


class InceptionB(Module):
    """From 35x35 to 17x17, figure 10: convolutions of stride 2 beside pooling, lest a step be a bottleneck.

    Args:
        in_channels: channels of x.

    Shapes: x (N, in_channels, H, W); result (N, 480 + in_channels, (H - 1) // 2, (W - 1) // 2).
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3 = ConvBnReLU(in_channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = ConvBnReLU(in_channels, 64, 1)
        self.branch3x3dbl_2 = ConvBnReLU(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBnReLU(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the three branches, joined."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))  # (N, 96, H', W')
        return cat([self.branch3x3(x), double, max_pool2d(x, 3, stride=2)], dim=1)


class InceptionC(Module):
    """The 17x17 module, figure 6 with n = 7: a 7x7 convolution as 1x7 and 7x1.

    Args:
        in_channels: channels of x.
        channels_7x7: channels between the one-sided convolutions.

    Shapes: x (N, in_channels, H, W); result (N, 768, H, W).
    """

    def __init__(self, in_channels: int, channels_7x7: int) -> None:
        super().__init__()
        inner = channels_7x7
        self.branch1x1 = ConvBnReLU(in_channels, 192, 1)
        self.branch7x7_1 = ConvBnReLU(in_channels, inner, 1)
        self.branch7x7_2 = ConvBnReLU(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7_3 = ConvBnReLU(inner, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = ConvBnReLU(in_channels, inner, 1)
        self.branch7x7dbl_2 = ConvBnReLU(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = ConvBnReLU(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = ConvBnReLU(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = ConvBnReLU(inner, 192, (1, 7), padding=(0, 3))
        self.branch_pool = ConvBnReLU(in_channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the four branches, joined."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))  # (N, 192, H, W)
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))  # (N, inner, H, W)
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))  # (N, 192, H, W)
        pooled = self.branch_pool(avg_pool2d(x, 3, stride=1, padding=1))  # (N, 192, H, W)
        return cat([self.branch1x1(x), seven, double, pooled], dim=1)


class InceptionD(Module):
    """From 17x17 to 8x8: convolutions of stride 2 beside pooling.

    Args:
        in_channels: channels of x.

    Shapes: x (N, in_channels, H, W); result (N, 512 + in_channels, (H - 1) // 2, (W - 1) // 2).
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = ConvBnReLU(in_channels, 192, 1)
        self.branch3x3_2 = ConvBnReLU(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvBnReLU(in_channels, 192, 1)
        self.branch7x7x3_2 = ConvBnReLU(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvBnReLU(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvBnReLU(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the three branches, joined."""
        three = self.branch3x3_2(self.branch3x3_1(x))  # (N, 320, H', W')
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))  # (N, 192, H, W)
        return cat([three, self.branch7x7x3_4(seven), max_pool2d(x, 3, stride=2)], dim=1)


class InceptionE(Module):
    """The 8x8 module, figure 7: 1x3 and 3x1 side by side, which widens the map of features.

    Args:
        in_channels: channels of x.

    Shapes: x (N, in_channels, H, W); result (N, 2048, H, W).
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBnReLU(in_channels, 320, 1)
        self.branch3x3_1 = ConvBnReLU(in_channels, 384, 1)
        self.branch3x3_2a = ConvBnReLU(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = ConvBnReLU(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = ConvBnReLU(in_channels, 448, 1)
        self.branch3x3dbl_2 = ConvBnReLU(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvBnReLU(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = ConvBnReLU(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = ConvBnReLU(in_channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches, joined."""
        three = self.branch3x3_1(x)  # (N, 384, H, W)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))  # (N, 384, H, W)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(avg_pool2d(x, 3, stride=1, padding=1)),
        ]
        return cat(branches, dim=1)  # (N, 320 + 4 * 384 + 192, H, W)


class InceptionAux(Module):
    """The auxiliary head, figure 8: pooling to 5x5, two convolutions with batch norm, a linear layer.

    Args:
        in_channels: channels of x.
        num_classes: how many outputs.

    Shapes: x (N, in_channels, H, W), 17x17 in the paper and no smaller; result (N, num_classes).
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.pool = AvgPool2d(5, stride=3)
        self.conv0 = ConvBnReLU(in_channels, 128, 1)
        self.conv1 = ConvBnReLU(128, 768, 5)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.conv1(self.conv0(self.pool(x)))  # (N, 768, 1, 1)
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))  # (N, num_classes)
        return scores


class InceptionV3(Module):
    """Inception v3, layer by layer, for images of 299x299.

        Conv2d_1a   3x3/2     149x149x32          Mixed_6a      module B        17x17x768
        Conv2d_2a   3x3       147x147x32          Mixed_6b      module C, 128   17x17x768
        Conv2d_2b   3x3       147x147x64          Mixed_6c, 6d  module C, 160   17x17x768
        maxpool1    3x3/2      73x73x64           Mixed_6e      module C, 192   17x17x768
        Conv2d_3b   1x1        73x73x80           AuxLogits     the head, in training
        Conv2d_4a   3x3        71x71x192          Mixed_7a      module D         8x8x1280
        maxpool2    3x3/2      35x35x192          Mixed_7b, 7c  module E         8x8x2048
        Mixed_5b    module A   35x35x256          avgpool       8x8              1x1x2048
        Mixed_5c    module A   35x35x288          dropout, fc                    num_classes
        Mixed_5d    module A   35x35x288

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        aux_logits: whether to build the auxiliary head.
        dropout: probability of dropping a unit before the classifier.
        transform_input: whether images come normalised by ImageNet's statistics and are brought to [-1, 1].

    Shapes: x (N, in_channels, H, W), at least 75x75; in training with the head 299x299. Result
    (N, num_classes), in training mode with the head `InceptionOutputs`.

    Raises:
        ValueError: transform_input with other than three channels.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_logits: bool = True,
        dropout: float = 0.5,
        transform_input: bool = False,
    ) -> None:
        super().__init__()
        if transform_input and in_channels != 3:
            raise ValueError(f"transform_input needs images of 3 channels, got in_channels={in_channels}")
        self.transform = FromImageNetScale() if transform_input else Identity()
        self.Conv2d_1a_3x3 = ConvBnReLU(in_channels, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvBnReLU(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvBnReLU(32, 64, 3, padding=1)
        self.maxpool1 = MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = ConvBnReLU(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvBnReLU(80, 192, 3)
        self.maxpool2 = MaxPool2d(3, stride=2)
        self.Mixed_5b = InceptionA(192, pool_features=32)
        self.Mixed_5c = InceptionA(256, pool_features=64)
        self.Mixed_5d = InceptionA(288, pool_features=64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, channels_7x7=128)
        self.Mixed_6c = InceptionC(768, channels_7x7=160)
        self.Mixed_6d = InceptionC(768, channels_7x7=160)
        self.Mixed_6e = InceptionC(768, channels_7x7=192)
        self.AuxLogits = InceptionAux(768, num_classes) if aux_logits else None
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.dropout = Dropout(dropout)
        self.fc = Linear(2048, num_classes)

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        """Return one score per class; in training mode those of the head too."""
        x = self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(self.transform(x)))  # (N, 32, 147, 147)
        x = self.maxpool1(self.Conv2d_2b_3x3(x))  # (N, 64, 73, 73)
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))  # (N, 192, 35, 35)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # (N, 288, 35, 35)
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))  # (N, 768, 17, 17)
        x = inner = self.Mixed_6e(self.Mixed_6d(x))  # (N, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (N, 2048, 8, 8)
        scores: Tensor = self.fc(self.dropout(self.avgpool(x)).flatten(1))  # (N, num_classes)
        if self.training and self.AuxLogits is not None:
            return InceptionOutputs(scores, self.AuxLogits(inner))
        return scores


@register(input_shape=(3, 299, 299))
def inception_v3(
    num_classes: int = 1000,
    in_channels: int = 3,
    aux_logits: bool = True,
    dropout: float = 0.5,
    transform_input: bool = False,
) -> InceptionV3:
    """Inception v3 (2015): 27,161,264 parameters, 23,834,568 without the auxiliary head.

    torchvision's weight file was trained on images in [-1, 1]: give it those, or images normalised by
    ImageNet's mean and deviation with `transform_input`.
    """
    model = InceptionV3(num_classes, in_channels, aux_logits, dropout, transform_input)
    initialize_truncated_normal(model, std=0.1)
    if model.AuxLogits is not None:
        trunc_normal_(model.AuxLogits.conv1.conv.weight, std=0.01)
        trunc_normal_(model.AuxLogits.fc.weight, std=0.001)
    return model
