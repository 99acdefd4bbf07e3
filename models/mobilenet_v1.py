"""MobileNet (2017): a 3x3 convolution per channel and a 1x1 convolution across them, thirteen times.

Paper: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications",
arXiv:1704.04861, table 1; width and resolution multipliers, section 3.3 and 3.4, tables 6 and 7.

Deviations, those of the authors' code and of Keras, so that their weights fit:
- The activation is ReLU6; the paper says ReLU.
- Padding follows TensorFlow: at stride 2 an even map is padded below and to the right only.
- Batch norm adds 0.001 to the variance and keeps 0.99 of its running statistics.
- Table 1 gives the last depthwise convolution stride 2 at an output of 7x7, which only stride 1 makes.
- Dropout (0.001) before the classifier, as Keras has it.
"""

from __future__ import annotations

import re
from functools import partial

from kernels.array import Array, check_integer, check_number
from minidnn.nn import AdaptiveAvgPool2d, BatchNorm2d, Dropout, Linear, Module, ReLU6, Sequential
from minidnn.tensor import Tensor
from models.efficient_blocks import ConvNormActivation, initialize
from models.registry import register

# Table 1 below the first row: stride of the depthwise convolution, outputs of the pointwise one.
SEPARABLE_BLOCKS = (
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
)
KERAS_VARIABLES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
RESOLUTIONS = range(128, 225, 32)

_convolution = partial(
    ConvNormActivation,
    padding="tensorflow",
    activation=ReLU6,
    norm=partial(BatchNorm2d, eps=1e-3, momentum=0.01),
)


class SeparableBlock(Sequential):
    """A 3x3 convolution of each channel ("0"), then a 1x1 convolution across channels ("1"), figure 3.

    For n outputs and a kernel of f x f it costs 1/n + 1/f^2 of a plain convolution's mult-adds.

    Shapes: x (N, in_channels, H, W); result (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(
            _convolution(in_channels, in_channels, 3, stride, groups=in_channels),
            _convolution(in_channels, out_channels, 1),
        )


class MobileNetV1(Module):
    """MobileNet, as in the paper's table 1 (widths for a multiplier of 1, sizes for 224x224).

        features    block                                    output
        0           3x3 convolution, stride 2                32 x 112 x 112
        1           separable                                64 x 112 x 112
        2-3         separable, the first with stride 2       128 x 56 x 56
        4-5         separable, the first with stride 2       256 x 28 x 28
        6-11        separable, the first with stride 2       512 x 14 x 14
        12-13       separable, the first with stride 2       1024 x 7 x 7
        avgpool     mean of each channel                     1024
        classifier  dropout, linear                          num_classes

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.
        width_mult: the paper's alpha, which multiplies every layer's channels: 0.25, 0.5, 0.75, 1.0, ...
        resolution: height and width of the images it is to see: 128, 160, 192 or 224. No weight depends on
            it, other sizes are taken too; it is what `self.resolution` tells preprocessing and summaries.
        dropout: probability of dropping a feature before the classifier.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).

    Raises:
        ValueError: a multiplier that leaves no channel, another resolution, or dropout outside [0, 1].
        TypeError: a multiplier that is not a number or a resolution that is not an integer.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        width_mult: float = 1.0,
        resolution: int = 224,
        dropout: float = 1e-3,
    ) -> None:
        super().__init__()
        if int(32 * check_number("width_mult", width_mult)) < 1:
            raise ValueError(f"width_mult must be at least 1/32, got {width_mult}")
        if check_integer("resolution", resolution) not in RESOLUTIONS:
            raise ValueError(f"resolution must be 128, 160, 192 or 224, got {resolution}")
        self.resolution = resolution
        channels = int(32 * width_mult)
        blocks: list[Module] = [_convolution(in_channels, channels, 3, 2)]
        for stride, width in SEPARABLE_BLOCKS:
            blocks.append(SeparableBlock(channels, int(width * width_mult), stride))
            channels = int(width * width_mult)
        self.features = Sequential(*blocks)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.classifier = Sequential(Dropout(dropout), Linear(channels, num_classes))
        initialize(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x))  # (N, 1024 width_mult, 1, 1)
        scores: Tensor = self.classifier(x.flatten(1))  # (N, num_classes)
        return scores


def from_keras(name: str, array: Array) -> tuple[str, Array]:
    """Return the `state_dict` key and value for a variable of Keras's `MobileNet`, named "layer/variable".

    Keras keeps a convolution's kernel as (KH, KW, in, out), a depthwise one's as (KH, KW, in, 1), and its
    classifier is a 1x1 convolution; the layers are conv1, conv_dw_1, conv_pw_1, ..., conv_preds, each with
    its batch norm in the layer of the same name with _bn behind it. The depthwise variable is called kernel
    or depthwise_kernel, depending on Keras's version.

    Raises:
        ValueError: a name that Keras's model does not have.
    """
    found = re.fullmatch(r"(conv1|conv_dw_(\d+)|conv_pw_(\d+)|conv_preds)(_bn)?/(\w+)", name)
    if not found or found[5] not in KERAS_VARIABLES:
        raise ValueError(f"name must be that of a variable of Keras's MobileNet, got {name!r}")
    layer = f"features.{found[2]}.0" if found[2] else f"features.{found[3]}.1"
    layer = {"conv1": "features.0", "conv_preds": "classifier"}.get(found[1], layer)
    position = 1 if found[4] or found[1] == "conv_preds" else 0
    if KERAS_VARIABLES[found[5]] == "weight" and not found[4]:
        # (channels, 1, KH, KW) of a depthwise kernel, (out, in, KH, KW) of another
        array = array.transpose((2, 3, 0, 1) if found[2] else (3, 2, 0, 1))
        if found[1] == "conv_preds":
            array = array.reshape(array.shape[:2])  # (classes, channels)
    return f"{layer}.{position}.{KERAS_VARIABLES[found[5]]}", array


@register(input_shape=(3, 224, 224))
def mobilenet_v1(
    num_classes: int = 1000,
    in_channels: int = 3,
    width_mult: float = 1.0,
    resolution: int = 224,
    dropout: float = 1e-3,
) -> MobileNetV1:
    """MobileNet (2017), any width multiplier and resolution: 4.2 M parameters at full width."""
    return MobileNetV1(num_classes, in_channels, width_mult, resolution, dropout)
