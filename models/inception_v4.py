"""Inception v4 (2016): the inception architecture without its historical remains, deeper and more uniform.

Paper: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning", arXiv:1602.07261 (AAAI 2017), figures 3 to 9. Parameter names are those of the timm
package's inception_v4, whose weight files load unchanged.

Deviations: none from the figures. Average pooling inside the modules does not count its padding, which the
figures leave open and the authors' code does.
"""

from __future__ import annotations

from minidnn.functional import cat
from minidnn.nn import AdaptiveAvgPool2d, AvgPool2d, Dropout, Linear, MaxPool2d, Module, Sequential
from minidnn.tensor import Tensor
from models.inception_blocks import Branches, ConvBnReLU
from models.registry import register


def pooled_projection(in_channels: int, out_channels: int) -> Sequential:
    """3x3 average pooling that does not count its padding, then a 1x1 convolution."""
    return Sequential(
        AvgPool2d(3, stride=1, padding=1, count_include_pad=False), ConvBnReLU(in_channels, out_channels, 1)
    )


def stem(in_channels: int) -> list[Module]:
    """The stem, figure 3: from 299x299 to 384 maps of 35x35, three times by two branches side by side."""
    return [
        ConvBnReLU(in_channels, 32, 3, stride=2),  # 149x149x32
        ConvBnReLU(32, 32, 3),  # 147x147x32
        ConvBnReLU(32, 64, 3, padding=1),  # 147x147x64
        Branches(maxpool=MaxPool2d(3, stride=2), conv=ConvBnReLU(64, 96, 3, stride=2)),  # 73x73x160
        Branches(  # 71x71x192
            branch0=Sequential(ConvBnReLU(160, 64, 1), ConvBnReLU(64, 96, 3)),
            branch1=Sequential(
                ConvBnReLU(160, 64, 1),
                ConvBnReLU(64, 64, (1, 7), padding=(0, 3)),
                ConvBnReLU(64, 64, (7, 1), padding=(3, 0)),
                ConvBnReLU(64, 96, 3),
            ),
        ),
        Branches(conv=ConvBnReLU(192, 192, 3, stride=2), maxpool=MaxPool2d(3, stride=2)),  # 35x35x384
    ]


class InceptionA(Branches):
    """The 35x35 module, figure 4: (N, 384, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__(
            branch0=ConvBnReLU(384, 96, 1),
            branch1=Sequential(ConvBnReLU(384, 64, 1), ConvBnReLU(64, 96, 3, padding=1)),
            branch2=Sequential(
                ConvBnReLU(384, 64, 1), ConvBnReLU(64, 96, 3, padding=1), ConvBnReLU(96, 96, 3, padding=1)
            ),
            branch3=pooled_projection(384, 96),
        )


class ReductionA(Branches):
    """From 35x35 to 17x17, figure 7: a 3x3 convolution, a sequence of three, and pooling side by side.

    Args:
        in_channels: channels of x.
        sequence: channels of the sequence's three convolutions, k, l and m of the paper's table 1.
        single: channels of the single one, n of the table.

    Shapes: x (N, in_channels, H, W); result (N, n + m + in_channels, (H - 1) // 2, (W - 1) // 2).
    """

    def __init__(self, in_channels: int, sequence: tuple[int, int, int], single: int) -> None:
        first, second, third = sequence
        super().__init__(
            branch0=ConvBnReLU(in_channels, single, 3, stride=2),
            branch1=Sequential(
                ConvBnReLU(in_channels, first, 1),
                ConvBnReLU(first, second, 3, padding=1),
                ConvBnReLU(second, third, 3, stride=2),
            ),
            branch2=MaxPool2d(3, stride=2),
        )


class InceptionB(Branches):
    """The 17x17 module, figure 5: (N, 1024, H, W) to the same; 7x7 convolutions in one-sided parts."""

    def __init__(self) -> None:
        super().__init__(
            branch0=ConvBnReLU(1024, 384, 1),
            branch1=Sequential(
                ConvBnReLU(1024, 192, 1),
                ConvBnReLU(192, 224, (1, 7), padding=(0, 3)),
                ConvBnReLU(224, 256, (7, 1), padding=(3, 0)),
            ),
            branch2=Sequential(
                ConvBnReLU(1024, 192, 1),
                ConvBnReLU(192, 192, (7, 1), padding=(3, 0)),
                ConvBnReLU(192, 224, (1, 7), padding=(0, 3)),
                ConvBnReLU(224, 224, (7, 1), padding=(3, 0)),
                ConvBnReLU(224, 256, (1, 7), padding=(0, 3)),
            ),
            branch3=pooled_projection(1024, 128),
        )


class ReductionB(Branches):
    """From 17x17 to 8x8, figure 8: (N, 1024, H, W) to (N, 1536, (H - 1) // 2, (W - 1) // 2)."""

    def __init__(self) -> None:
        super().__init__(
            branch0=Sequential(ConvBnReLU(1024, 192, 1), ConvBnReLU(192, 192, 3, stride=2)),
            branch1=Sequential(
                ConvBnReLU(1024, 256, 1),
                ConvBnReLU(256, 256, (1, 7), padding=(0, 3)),
                ConvBnReLU(256, 320, (7, 1), padding=(3, 0)),
                ConvBnReLU(320, 320, 3, stride=2),
            ),
            branch2=MaxPool2d(3, stride=2),
        )


class InceptionC(Module):
    """The 8x8 module, figure 6: (N, 1536, H, W) to the same; branches that end in 1x3 beside 3x1."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = ConvBnReLU(1536, 256, 1)
        self.branch1_0 = ConvBnReLU(1536, 384, 1)
        self.branch1_1a = ConvBnReLU(384, 256, (1, 3), padding=(0, 1))
        self.branch1_1b = ConvBnReLU(384, 256, (3, 1), padding=(1, 0))
        self.branch2_0 = ConvBnReLU(1536, 384, 1)
        self.branch2_1 = ConvBnReLU(384, 448, (3, 1), padding=(1, 0))
        self.branch2_2 = ConvBnReLU(448, 512, (1, 3), padding=(0, 1))
        self.branch2_3a = ConvBnReLU(512, 256, (1, 3), padding=(0, 1))
        self.branch2_3b = ConvBnReLU(512, 256, (3, 1), padding=(1, 0))
        self.branch3 = pooled_projection(1536, 256)

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches, joined."""
        short = self.branch1_0(x)  # (N, 384, H, W)
        long = self.branch2_2(self.branch2_1(self.branch2_0(x)))  # (N, 512, H, W)
        branches = [
            self.branch0(x),
            self.branch1_1a(short),
            self.branch1_1b(short),
            self.branch2_3a(long),
            self.branch2_3b(long),
            self.branch3(x),
        ]
        return cat(branches, dim=1)  # (N, 6 * 256, H, W)


class InceptionV4(Module):
    """Inception v4, stage by stage as in the paper's figure 9, for images of 299x299.

        stem               35x35x384       (features 0 to 5)
        4 x inception A    35x35x384       (6 to 9)
        reduction A        17x17x1024      (10; k, l, m, n = 192, 224, 256, 384)
        7 x inception B    17x17x1024      (11 to 17)
        reduction B         8x8x1536       (18)
        3 x inception C     8x8x1536       (19 to 21)
        average pooling     1x1x1536
        dropout, linear     num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability of dropping a unit before the classifier; the paper keeps 0.8.

    Shapes: x (N, in_channels, H, W), at least 75x75; result (N, num_classes).
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.features = Sequential(
            *stem(in_channels),
            *(InceptionA() for _ in range(4)),
            ReductionA(384, sequence=(192, 224, 256), single=384),
            *(InceptionB() for _ in range(7)),
            ReductionB(),
            *(InceptionC() for _ in range(3)),
        )
        self.avgpool = AdaptiveAvgPool2d(1)
        self.dropout = Dropout(dropout)
        self.last_linear = Linear(1536, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x)).flatten(1)  # (N, 1536)
        scores: Tensor = self.last_linear(self.dropout(x))  # (N, num_classes)
        return scores


@register(input_shape=(3, 299, 299))
def inception_v4(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> InceptionV4:
    """Inception v4 (2016): 42,679,816 parameters."""
    return InceptionV4(num_classes, in_channels, dropout)
