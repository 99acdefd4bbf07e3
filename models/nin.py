"""Network in network (2013): small fully connected networks slide over the image, and no classifier follows.

Paper: Lin, Chen, Yan, "Network in network", arXiv:1312.4400 (ICLR 2014), section 3 and figure 2. A layer of
it, the "mlpconv", is a convolution followed by two 1x1 convolutions, each with its ReLU; the last gives one
map per class, whose mean is the class's score.

The paper prints no table of sizes. `nin` has those of the ImageNet network that the authors released with it
(7,595,176 parameters), `nin_cifar10` those of their CIFAR-10 network.

Deviations:
- `nin_cifar10` pads its poolings by 1 on all sides, as pytorchcv's does; the authors' windows overhang at the
  end only.
- Convolutions begin from N(0, 2 / fan-in) with zero biases; the paper leaves the beginning open.

pytorchcv's files of `nin_cifar10` are converted (see models/conversion.py).
"""

from __future__ import annotations

import re
from itertools import pairwise

from minidnn.nn import AdaptiveAvgPool2d, AvgPool2d, Conv2d, Dropout, MaxPool2d, Module, ReLU, Sequential
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions, zero_biases
from models.registry import register


class MlpConv(Sequential):
    """A convolution and 1x1 convolutions behind it, each followed by a ReLU.

    Args:
        in_channels: maps of the input.
        channels: maps of the convolution and of each 1x1 convolution.
        kernel_size: of the first.
        stride: of the first.
        padding: of the first.
    """

    def __init__(
        self, in_channels: int, channels: tuple[int, ...], kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(Conv2d(in_channels, channels[0], kernel_size, stride, padding), ReLU())
        for before, after in pairwise(channels):
            self.extend([Conv2d(before, after, 1), ReLU()])


class NiN(Module):
    """Mlpconv layers with a pooling and a dropout between them, and the mean of each class's map.

    Args:
        layers: mlpconv, pooling and dropout layers in order; the last gives one map per class.

    Shapes: x (N, in_channels, H, W); result (N, num_classes).
    """

    def __init__(self, *layers: Module) -> None:
        super().__init__()
        self.features = Sequential(*layers)
        self.pool = AdaptiveAvgPool2d(1)
        initialize_convolutions(self, "fan_in")
        zero_biases(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        scores: Tensor = self.pool(self.features(x)).flatten(1)  # (N, num_classes)
        return scores


@register(input_shape=(3, 224, 224))
def nin(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> NiN:
    """Network in network (2013) for ImageNet: 7,595,176 parameters, no fully connected layer.

    layer     maps                kernel   stride   padding   size    parameters
    mlpconv   96, 96, 96          11x11    4        0         54x54   53,568
    pool                          3x3      2                  27x27
    mlpconv   256, 256, 256       5x5      1        2         27x27   746,240
    pool                          3x3      2                  13x13
    mlpconv   384, 384, 384       3x3      1        1         13x13   1,180,800
    pool                          3x3      2                  6x6
    mlpconv   1024, 1024, 1000    3x3      1        1         6x6     5,614,568
    mean                                                      1x1
    """
    return NiN(
        MlpConv(in_channels, (96, 96, 96), 11, stride=4),
        MaxPool2d(3, stride=2, ceil_mode=True),
        MlpConv(96, (256, 256, 256), 5, padding=2),
        MaxPool2d(3, stride=2, ceil_mode=True),
        MlpConv(256, (384, 384, 384), 3, padding=1),
        MaxPool2d(3, stride=2, ceil_mode=True),
        Dropout(dropout),
        MlpConv(384, (1024, 1024, num_classes), 3, padding=1),
    )


@register(input_shape=(3, 32, 32))
def nin_cifar10(num_classes: int = 10, in_channels: int = 3, dropout: float = 0.5) -> NiN:
    """Network in network (2013) for CIFAR-10: 966,986 parameters, no fully connected layer.

    layer          maps                        kernel   padding   size    parameters
    mlpconv        192, 160, 96                5x5      2         32x32   60,928
    pool, max                                  3x3 /2   1         16x16
    mlpconv        192, 192, 192               5x5      2         16x16   535,104
    pool, mean                                 3x3 /2   1         8x8
    mlpconv        192, 192, 10                3x3      1         8x8     370,954
    mean                                                          1x1
    """
    return NiN(
        MlpConv(in_channels, (192, 160, 96), 5, padding=2),
        MaxPool2d(3, stride=2, padding=1),
        Dropout(dropout),
        MlpConv(96, (192, 192, 192), 5, padding=2),
        AvgPool2d(3, stride=2, padding=1),
        Dropout(dropout),
        MlpConv(192, (192, 192, num_classes), 3, padding=1),
    )


def pytorchcv_key(key: str) -> str:
    """Return the `state_dict` key of `nin_cifar10` for that of pytorchcv's.

        features.stage2.unit3.conv.weight        features.3.4.weight
        output.final_conv.conv.bias              features.6.4.bias

    A stage is an mlpconv, a pooling and a dropout here, a unit a convolution and a ReLU.

    Raises:
        ValueError: a key that the network does not have.
    """
    unit = key.replace("output.final_conv", "features.stage3.unit3")
    found = re.fullmatch(r"features\.stage([1-3])\.unit([1-3])\.conv\.(\w+)", unit)
    if not found:
        raise ValueError(f"key must be one of pytorchcv's nin_cifar10, got {key!r}")
    return f"features.{3 * int(found[1]) - 3}.{2 * int(found[2]) - 2}.{found[3]}"
