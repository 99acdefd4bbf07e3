"""EfficientNet (2019): one small network found by search, made deeper, wider and finer together.

Paper: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks",
arXiv:1905.11946, table 1 (B0) and section 3.3 (compound scaling).

A compound coefficient phi stands for 2^phi times the work: depth grows as 1.2^phi, width as 1.1^phi and
resolution as 1.15^phi, since 1.2 * 1.1^2 * 1.15^2 is about 2 (equation 3). B1 to B7 have the rounded numbers
of `SCALINGS`, which the authors' code lists.

Deviations:
- `padding="torch"` (symmetric) and batch norm's constants per variant are torchvision's, as are the
  `state_dict` keys. `padding="tensorflow"` is the authors' convention: at stride 2 an even map is padded
  below and to the right only, and batch norm adds 0.001 to the variance; weights trained there need it.
- Stochastic depth grows with the block's index up to 0.2, and is the same for all variants.
"""

from __future__ import annotations

import math
import re
from functools import partial
from typing import NamedTuple

from minidnn.nn import AdaptiveAvgPool2d, BatchNorm2d, Dropout, Linear, Module, Sequential, SiLU
from minidnn.tensor import Tensor
from models.efficient_blocks import (
    ConvNormActivation,
    SqueezeExcitation,
    StochasticDepth,
    initialize,
    make_divisible,
)
from models.registry import register


class Stage(NamedTuple):
    """A row of the paper's table 1.

    Attributes:
        expansion: how many times wider a block is inside.
        kernel: height and width of the depthwise kernel.
        stride: of the first block.
        channels: outputs.
        layers: blocks.
    """

    expansion: int
    kernel: int
    stride: int
    channels: int
    layers: int


STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)


class Scaling(NamedTuple):
    """How much deeper, wider and finer than B0 a network is.

    Attributes:
        depth: multiplies the stages' layers, rounded up.
        width: multiplies the channels, rounded to multiples of 8.
        resolution: height and width of the images.
    """

    depth: float
    width: float
    resolution: int


SCALINGS = {
    "b0": Scaling(1.0, 1.0, 224),
    "b1": Scaling(1.1, 1.0, 240),
    "b2": Scaling(1.2, 1.1, 260),
    "b3": Scaling(1.4, 1.2, 300),
    "b4": Scaling(1.8, 1.4, 380),
    "b5": Scaling(2.2, 1.6, 456),
    "b6": Scaling(2.6, 1.8, 528),
    "b7": Scaling(3.1, 2.0, 600),
}


def compound_scaling(coefficient: float) -> Scaling:
    """Return depth 1.2^phi, width 1.1^phi and resolution 224 * 1.15^phi for a coefficient phi (equation 3).

    `EfficientNet(compound_scaling(0.7))` is a network between the published ones.
    """
    return Scaling(1.2**coefficient, 1.1**coefficient, round(224 * 1.15**coefficient))


class MBConv(Module):
    """1x1 expansion (left out for 1), depthwise convolution, squeeze-and-excitation, linear 1x1.

    The squeeze layer has a quarter of the block's input channels. The input is added where the stride is 1
    and the channels stay.

    Args:
        in_channels: channels of the input.
        stage: the row of the table; its stride is this block's.
        drop: probability of dropping the block in stochastic depth.
        convolution: builds a convolution with batch norm and activation.

    Shapes: x (N, in_channels, H, W); result (N, stage.channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self, in_channels: int, stage: Stage, drop: float, convolution: partial[ConvNormActivation]
    ) -> None:
        super().__init__()
        self.use_res_connect = stage.stride == 1 and in_channels == stage.channels
        hidden = in_channels * stage.expansion
        expand = [] if stage.expansion == 1 else [convolution(in_channels, hidden, 1)]
        self.block = Sequential(
            *expand,
            convolution(hidden, hidden, stage.kernel, stage.stride, groups=hidden),
            SqueezeExcitation(hidden, max(1, in_channels // 4), SiLU),
            convolution(hidden, stage.channels, 1, activation=None),
        )
        self.stochastic_depth = StochasticDepth(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        result: Tensor = self.block(x)
        return self.stochastic_depth(result) + x if self.use_res_connect else result


class EfficientNet(Module):
    """EfficientNet: table 1, with layers and channels scaled (B0's numbers below, for 224x224).

        features    block                        kernel    layers    output
        0           convolution, stride 2        3x3                 32 x 112 x 112
        1           MBConv, expansion 1          3x3       1         16 x 112 x 112
        2           MBConv, expansion 6          3x3       2         24 x 56 x 56
        3                                        5x5       2         40 x 28 x 28
        4                                        3x3       3         80 x 14 x 14
        5                                        5x5       3         112 x 14 x 14
        6                                        5x5       4         192 x 7 x 7
        7                                        3x3       1         320 x 7 x 7
        8           convolution                  1x1                 1280 x 7 x 7
        classifier  mean, dropout, linear                            num_classes

    Args:
        scaling: depth, width and resolution; of the latter no weight depends, other sizes are taken too, and
            `self.resolution` tells it to preprocessing and summaries.
        num_classes: how many outputs.
        in_channels: channels of the images.
        dropout: probability of dropping a feature before the classifier.
        stochastic_depth: the probability towards which the blocks' dropping grows.
        padding: "torch" or "tensorflow"; see above.
        norm_eps: batch norm's constant under the root.
        norm_momentum: weight of a batch in batch norm's running statistics.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).

    Raises:
        ValueError: a probability outside [0, 1] or another padding.
        TypeError: a probability that is not a number.
    """

    def __init__(
        self,
        scaling: Scaling,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.2,
        stochastic_depth: float = 0.2,
        padding: str = "torch",
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.resolution = scaling.resolution
        norm = partial(BatchNorm2d, eps=norm_eps, momentum=norm_momentum)
        convolution = partial(ConvNormActivation, activation=SiLU, norm=norm, padding=padding)
        channels = make_divisible(32 * scaling.width)
        stages = [
            stage._replace(
                channels=make_divisible(stage.channels * scaling.width),
                layers=math.ceil(stage.layers * scaling.depth),
            )
            for stage in STAGES
        ]
        drop_step = stochastic_depth / sum(stage.layers for stage in stages)
        features: list[Module] = [convolution(in_channels, channels, 3, 2)]
        built = 0
        for stage in stages:
            blocks = []
            for row in (stage, *[stage._replace(stride=1)] * (stage.layers - 1)):
                blocks.append(MBConv(channels, row, drop_step * built, convolution))
                channels = stage.channels
                built += 1
            features.append(Sequential(*blocks))
        self.features = Sequential(*features, convolution(channels, 4 * channels, 1))
        self.avgpool = AdaptiveAvgPool2d(1)
        self.classifier = Sequential(Dropout(dropout), Linear(4 * channels, num_classes))
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x))  # (N, 1280 width, 1, 1)
        scores: Tensor = self.classifier(x.flatten(1))  # (N, num_classes)
        return scores


def timm_key(key: str) -> str:
    """Return our `state_dict` key for that of timm's `tf_efficientnet_*` and `efficientnet_*`.

        conv_stem.weight                  features.0.0.weight
        blocks.0.1.conv_pw.weight         features.1.1.block.2.0.weight
        blocks.3.2.se.conv_reduce.bias    features.4.2.block.2.fc1.bias

    timm numbers stages from 0 and names the layers of a block: conv_pw (expansion), conv_dw, se.conv_reduce,
    se.conv_expand and conv_pwl (projection), but conv_dw, se and conv_pw (projection) in the first stage,
    which has no expansion; bn1, bn2, ... stand behind them in turn.

    Raises:
        ValueError: a key that the networks do not have.
    """
    module, _, leaf = key.rpartition(".")
    if module in _ENDS_OF_TIMM:
        return f"{_ENDS_OF_TIMM[module]}.{leaf}"
    found = re.fullmatch(r"blocks\.([0-6])\.(\d+)\.(.+)", module)
    places = _FIRST_STAGE_OF_TIMM if found and found[1] == "0" else _OTHER_STAGES_OF_TIMM
    if not found or found[3] not in places:
        raise ValueError(f"key must be one of timm's efficientnet, got {key!r}")
    return f"features.{int(found[1]) + 1}.{found[2]}.block.{places[found[3]]}.{leaf}"


_ENDS_OF_TIMM = {
    "conv_stem": "features.0.0",
    "bn1": "features.0.1",
    "conv_head": "features.8.0",
    "bn2": "features.8.1",
    "classifier": "classifier.1",
}
_FIRST_STAGE_OF_TIMM = {
    "conv_dw": "0.0",
    "bn1": "0.1",
    "se.conv_reduce": "1.fc1",
    "se.conv_expand": "1.fc2",
    "conv_pw": "2.0",
    "bn2": "2.1",
}
_OTHER_STAGES_OF_TIMM = {
    "conv_pw": "0.0",
    "bn1": "0.1",
    "conv_dw": "1.0",
    "bn2": "1.1",
    "se.conv_reduce": "2.fc1",
    "se.conv_expand": "2.fc2",
    "conv_pwl": "3.0",
    "bn3": "3.1",
}


def _variant(
    name: str, num_classes: int, in_channels: int, dropout: float, stochastic_depth: float, padding: str
) -> EfficientNet:
    """Build B0 to B7 with the batch norms of its convention: TensorFlow's constants, or torchvision's."""
    tensorflow_norm = padding == "tensorflow" or name in ("b5", "b6", "b7")
    return EfficientNet(
        SCALINGS[name],
        num_classes,
        in_channels,
        dropout,
        stochastic_depth,
        padding,
        norm_eps=1e-3 if tensorflow_norm else 1e-5,
        norm_momentum=0.01 if tensorflow_norm else 0.1,
    )


@register(input_shape=(3, 224, 224))
def efficientnet_b0(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.2,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B0 (2019), for 224x224 images: 5,288,548 parameters."""
    return _variant("b0", num_classes, in_channels, dropout, stochastic_depth, padding)


@register(input_shape=(3, 240, 240))
def efficientnet_b1(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.2,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B1 (2019), for 240x240 images: 7,794,184 parameters."""
    return _variant("b1", num_classes, in_channels, dropout, stochastic_depth, padding)


@register(input_shape=(3, 260, 260))
def efficientnet_b2(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.3,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B2 (2019), for 260x260 images: 9,109,994 parameters."""
    return _variant("b2", num_classes, in_channels, dropout, stochastic_depth, padding)


@register(input_shape=(3, 300, 300))
def efficientnet_b3(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.3,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B3 (2019), for 300x300 images: 12,233,232 parameters."""
    return _variant("b3", num_classes, in_channels, dropout, stochastic_depth, padding)


@register(input_shape=(3, 380, 380))
def efficientnet_b4(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.4,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B4 (2019), for 380x380 images: 19,341,616 parameters."""
    return _variant("b4", num_classes, in_channels, dropout, stochastic_depth, padding)


@register(input_shape=(3, 456, 456))
def efficientnet_b5(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.4,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B5 (2019), for 456x456 images: 30,389,784 parameters."""
    return _variant("b5", num_classes, in_channels, dropout, stochastic_depth, padding)


@register(input_shape=(3, 528, 528))
def efficientnet_b6(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.5,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B6 (2019), for 528x528 images: 43,040,704 parameters."""
    return _variant("b6", num_classes, in_channels, dropout, stochastic_depth, padding)


@register(input_shape=(3, 600, 600))
def efficientnet_b7(
    num_classes: int = 1000,
    in_channels: int = 3,
    dropout: float = 0.5,
    stochastic_depth: float = 0.2,
    padding: str = "torch",
) -> EfficientNet:
    """EfficientNet-B7 (2019), for 600x600 images: 66,347,960 parameters."""
    return _variant("b7", num_classes, in_channels, dropout, stochastic_depth, padding)
