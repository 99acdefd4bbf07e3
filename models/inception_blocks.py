"""What the networks built of inception modules share: convolutions with their ReLU, and joined branches."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidnn.functional import cat
from minidnn.init import constant_, trunc_normal_, xavier_uniform_
from minidnn.nn import BatchNorm2d, Conv2d, Linear, Module, ReLU
from minidnn.tensor import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ConvReLU(Module):
    """A convolution with a bias, then ReLU.

    Args:
        in_channels, out_channels, kernel_size, stride, padding: as for `Conv2d`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0
    ) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(conv(x))."""
        result: Tensor = self.relu(self.conv(x))
        return result


class ConvBnReLU(Module):
    """A convolution without a bias, batch normalisation with epsilon 0.001, then ReLU.

    The epsilon is that of the authors' TensorFlow models, and so of all weight files made from them.

    Args:
        in_channels, out_channels, kernel_size, stride, padding: as for `Conv2d`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0
    ) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = BatchNorm2d(out_channels, eps=0.001)
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(bn(conv(x)))."""
        result: Tensor = self.relu(self.bn(self.conv(x)))
        return result


class Branches(Module):
    """Modules side by side on one input, their outputs joined along the channels.

    `minidnn.nn.Concat` whose children have names, which weight files of other packages ask for.

    Args:
        branches: the modules by name, in the order of their channels in the result.
    """

    def __init__(self, **branches: Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """Apply every branch to x and join the results."""
        return cat([branch(x) for branch in self.children()], dim=1)


class FromImageNetScale(Module):
    """Images normalised by ImageNet's mean and deviation, brought to [-1, 1]: y = (x std + mean - 0.5) / 0.5.

    The Inception networks of Google were trained on images scaled to [-1, 1]; with this in front they take
    the images that torchvision's other models take.

    Shapes: x (N, 3, H, W); result the same.
    """

    def __init__(self) -> None:
        super().__init__()
        mean = np.array(IMAGENET_MEAN, np.float32).reshape(1, 3, 1, 1)
        std = np.array(IMAGENET_STD, np.float32).reshape(1, 3, 1, 1)
        self.register_buffer("scale", Tensor(std / 0.5), persistent=False)
        self.register_buffer("shift", Tensor((mean - 0.5) / 0.5), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the rescaled images."""
        result: Tensor = x * self.scale + self.shift
        return result


def initialize_truncated_normal(model: Module, std: float) -> None:
    """Fill the weights of all convolutions and linear layers from N(0, std^2) restricted to [-2, 2]."""
    for module in model.modules():
        if isinstance(module, Conv2d | Linear):
            trunc_normal_(module.weight, std=std)


def initialize_glorot(model: Module, bias: float) -> None:
    """Fill all convolutions and linear layers: weights by Glorot's uniform rule, biases with one value."""
    for module in model.modules():
        if isinstance(module, Conv2d | Linear):
            xavier_uniform_(module.weight)
            if module.bias is not None:
                constant_(module.bias, bias)
