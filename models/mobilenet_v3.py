"""MobileNetV3 (2019), found by architecture search: hard swish, squeeze-and-excitation, a cheaper last stage.

Paper: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, tables 1 (large) and 2 (small).

Deviations, those of torchvision, whose `state_dict` keys these are:
- Padding is PyTorch's (symmetric).
- Dropout (0.2) before the classifier; the paper trains with 0.2 too but its tables do not show it.
- The squeeze layer has a quarter of the expanded channels rounded to a multiple of 8.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from kernels.array import check_number
from minidnn.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Dropout,
    Hardsigmoid,
    Hardswish,
    Linear,
    Module,
    ReLU,
    Sequential,
)
from minidnn.tensor import Tensor
from models.efficient_blocks import ConvNormActivation, SqueezeExcitation, initialize, make_divisible
from models.registry import register


class Row(NamedTuple):
    """A row of the paper's tables.

    Attributes:
        kernel: height and width of the depthwise kernel.
        expanded: channels inside the block.
        out: channels after it.
        squeeze: whether it has squeeze-and-excitation.
        activation: "RE" for ReLU or "HS" for hard swish.
        stride: of the depthwise convolution.
    """

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    activation: str
    stride: int


LARGE = (
    Row(3, 16, 16, False, "RE", 1),
    Row(3, 64, 24, False, "RE", 2),
    Row(3, 72, 24, False, "RE", 1),
    Row(5, 72, 40, True, "RE", 2),
    Row(5, 120, 40, True, "RE", 1),
    Row(5, 120, 40, True, "RE", 1),
    Row(3, 240, 80, False, "HS", 2),
    Row(3, 200, 80, False, "HS", 1),
    Row(3, 184, 80, False, "HS", 1),
    Row(3, 184, 80, False, "HS", 1),
    Row(3, 480, 112, True, "HS", 1),
    Row(3, 672, 112, True, "HS", 1),
    Row(5, 672, 160, True, "HS", 2),
    Row(5, 960, 160, True, "HS", 1),
    Row(5, 960, 160, True, "HS", 1),
)
SMALL = (
    Row(3, 16, 16, True, "RE", 2),
    Row(3, 72, 24, False, "RE", 2),
    Row(3, 88, 24, False, "RE", 1),
    Row(5, 96, 40, True, "HS", 2),
    Row(5, 240, 40, True, "HS", 1),
    Row(5, 240, 40, True, "HS", 1),
    Row(5, 120, 48, True, "HS", 1),
    Row(5, 144, 48, True, "HS", 1),
    Row(5, 288, 96, True, "HS", 2),
    Row(5, 576, 96, True, "HS", 1),
    Row(5, 576, 96, True, "HS", 1),
)

_norm = partial(BatchNorm2d, eps=1e-3, momentum=0.01)
_convolution = partial(ConvNormActivation, norm=_norm)


class InvertedResidual(Module):
    """One row: 1x1 expansion (if any), depthwise convolution, squeeze-and-excitation, linear 1x1 (figure 4).

    The input is added where the stride is 1 and the channels stay.

    Shapes: x (N, in_channels, H, W); result (N, row.out, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, row: Row) -> None:
        super().__init__()
        self.use_res_connect = row.stride == 1 and in_channels == row.out
        activation = Hardswish if row.activation == "HS" else ReLU
        layers: list[Module] = []
        if row.expanded != in_channels:
            layers.append(_convolution(in_channels, row.expanded, 1, activation=activation))
        layers.append(
            _convolution(
                row.expanded,
                row.expanded,
                row.kernel,
                row.stride,
                groups=row.expanded,
                activation=activation,
            )
        )
        if row.squeeze:
            squeezed = make_divisible(row.expanded // 4)
            layers.append(SqueezeExcitation(row.expanded, squeezed, ReLU, Hardsigmoid))
        layers.append(_convolution(row.expanded, row.out, 1, activation=None))
        self.block = Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        result: Tensor = self.block(x)
        return result + x if self.use_res_connect else result


class MobileNetV3(Module):
    """A 3x3 convolution, the table's rows, a 1x1 convolution, the mean, and two linear layers.

    Args:
        rows: `LARGE` or `SMALL`.
        last_channels: outputs of the first linear layer: 1280 (large) or 1024 (small).
        num_classes: how many outputs.
        in_channels: channels of the images.
        width_mult: multiplies the channels of every layer.
        dropout: probability of dropping a feature before the last layer.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).

    Raises:
        ValueError: a width multiplier that is not positive, or dropout outside [0, 1].
        TypeError: a width multiplier that is not a number.
    """

    def __init__(
        self,
        rows: tuple[Row, ...],
        last_channels: int,
        num_classes: int = 1000,
        in_channels: int = 3,
        width_mult: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if check_number("width_mult", width_mult) <= 0:
            raise ValueError(f"width_mult must be above 0, got {width_mult}")
        channels = make_divisible(16 * width_mult)
        blocks: list[Module] = [_convolution(in_channels, channels, 3, 2, activation=Hardswish)]
        for row in rows:
            scaled = row._replace(
                expanded=make_divisible(row.expanded * width_mult), out=make_divisible(row.out * width_mult)
            )
            blocks.append(InvertedResidual(channels, scaled))
            channels = scaled.out
        hidden = make_divisible(last_channels * width_mult)
        self.features = Sequential(*blocks, _convolution(channels, 6 * channels, 1, activation=Hardswish))
        self.avgpool = AdaptiveAvgPool2d(1)
        self.classifier = Sequential(
            Linear(6 * channels, hidden), Hardswish(), Dropout(dropout), Linear(hidden, num_classes)
        )
        initialize(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x))  # (N, 960 or 576, 1, 1)
        scores: Tensor = self.classifier(x.flatten(1))  # (N, num_classes)
        return scores


@register(input_shape=(3, 224, 224))
def mobilenet_v3_large(
    num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0, dropout: float = 0.2
) -> MobileNetV3:
    """MobileNetV3-Large (2019), table 1: 5,483,032 parameters."""
    return MobileNetV3(LARGE, 1280, num_classes, in_channels, width_mult, dropout)


@register(input_shape=(3, 224, 224))
def mobilenet_v3_small(
    num_classes: int = 1000, in_channels: int = 3, width_mult: float = 1.0, dropout: float = 0.2
) -> MobileNetV3:
    """MobileNetV3-Small (2019), table 2: 2,542,856 parameters."""
    return MobileNetV3(SMALL, 1024, num_classes, in_channels, width_mult, dropout)
