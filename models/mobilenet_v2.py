"""MobileNetV2 (2018): residual blocks that are wide inside and narrow between, the narrow ends linear.

Paper: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", arXiv:1801.04381, table 2.

Deviations: padding is PyTorch's (symmetric), as in torchvision, whose `state_dict` keys these are.
"""

from __future__ import annotations

from functools import partial

from kernels.array import check_number
from minidnn.nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU6, Sequential
from minidnn.tensor import Tensor
from models.efficient_blocks import ConvNormActivation, initialize, make_divisible
from models.registry import register

# Table 2: expansion t, output channels c, repetitions n, stride s of the first of them.
BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

_convolution = partial(ConvNormActivation, activation=ReLU6)


class InvertedResidual(Module):
    """1x1 to t times the channels (left out for t = 1), 3x3 per channel, linear 1x1 to fewer (table 1).

    The input is added where the stride is 1 and the channels stay.

    Shapes: x (N, in_channels, H, W); result (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.use_res_connect = stride == 1 and in_channels == out_channels
        layers: list[Module] = [] if expansion == 1 else [_convolution(in_channels, hidden, 1)]
        self.conv = Sequential(
            *layers,
            _convolution(hidden, hidden, 3, stride, groups=hidden),
            Conv2d(hidden, out_channels, 1, bias=False),
            BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        result: Tensor = self.conv(x)
        return x + result if self.use_res_connect else result


class MobileNetV2(Module):
    """MobileNetV2, as in the paper's table 2 (widths for a multiplier of 1, sizes for 224x224).

        features    block                          repeated    output
        0           3x3 convolution, stride 2                  32 x 112 x 112
        1           bottleneck, expansion 1        1           16 x 112 x 112
        2-3         bottleneck, expansion 6        2           24 x 56 x 56
        4-6                                        3           32 x 28 x 28
        7-10                                       4           64 x 14 x 14
        11-13                                      3           96 x 14 x 14
        14-16                                      3           160 x 7 x 7
        17                                         1           320 x 7 x 7
        18          1x1 convolution                            1280 x 7 x 7
        classifier  mean, dropout, linear                      num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        width_mult: multiplies the channels of every layer (of the last one only above 1).
        dropout: probability of dropping a feature before the classifier.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).

    Raises:
        ValueError: a width multiplier that is not positive, or dropout outside [0, 1].
        TypeError: a width multiplier that is not a number.
    """

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0, dropout: float = 0.2
    ) -> None:
        super().__init__()
        if check_number("width_mult", width_mult) <= 0:
            raise ValueError(f"width_mult must be above 0, got {width_mult}")
        channels = make_divisible(32 * width_mult)
        last_channels = make_divisible(1280 * max(1.0, width_mult))
        blocks: list[Module] = [_convolution(in_channels, channels, 3, 2)]
        for expansion, width, repetitions, stride in BOTTLENECKS:
            out_channels = make_divisible(width * width_mult)
            for index in range(repetitions):
                step = stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, out_channels, step, expansion))
                channels = out_channels
        self.features = Sequential(*blocks, _convolution(channels, last_channels, 1))
        self.avgpool = AdaptiveAvgPool2d(1)
        self.classifier = Sequential(Dropout(dropout), Linear(last_channels, num_classes))
        initialize(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x))  # (N, 1280, 1, 1)
        scores: Tensor = self.classifier(x.flatten(1))  # (N, num_classes)
        return scores


@register(input_shape=(3, 224, 224))
def mobilenet_v2(
    num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0, dropout: float = 0.2
) -> MobileNetV2:
    """MobileNetV2 (2018), inverted residuals with linear bottlenecks: 3,504,872 parameters."""
    return MobileNetV2(num_classes, in_channels, width_mult, dropout)
