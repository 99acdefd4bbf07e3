"""The small ResNets for CIFAR-10 (2015) and their plain twins: 6n + 2 layers in three stages.

Paper: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385 (CVPR 2016),
section 4.2 (the table of output map sizes, layers and filters) and table 6.

Deviations: none known. Shortcuts are identities everywhere, with zeros for new channels (option A), so a
residual network has exactly its plain twin's parameters.
"""

from __future__ import annotations

from minidnn.functional import pad
from minidnn.nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, Module, ReLU, Sequential
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions
from models.registry import register
from models.resnet import BasicBlock


class PaddedShortcut(Module):
    """The identity where the shape changes, option A: every stride-th position, zeros as the new channels.

    Args:
        new_channels: how many channels of zeros, behind the old ones.
        stride: step between the positions kept.

    Shapes: x (N, C, H, W); result (N, C + new_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Skip positions and add channels of zeros."""
        x = x[:, :, :: self.stride, :: self.stride]  # (N, C, H', W')
        return pad(x, (0, 0, 0, 0, 0, self.new_channels))

    def extra_repr(self) -> str:
        """Return the new channels and the stride."""
        return f"new_channels={self.new_channels}, stride={self.stride}"


class CifarResNet(Module):
    """The table of section 4.2: one convolution, three stages of 2n layers, one fully connected layer.

        output map size   32x32     16x16   8x8
        layers            1 + 2n    2n      2n
        filters           16        32      64

        6n + 2 layers     20        32        44        56        110
        n                 3         5         7         9         18
        parameters        269,722   464,154   658,586   853,018   1,727,962

    Args:
        depth: the number of layers, 6n + 2.
        num_classes: how many outputs.
        in_channels: channels of the images.
        residual: False builds the plain network: no shortcuts.

    Shapes: x (N, in_channels, H, W), any size, 32x32 in the paper; result (N, num_classes).

    Raises:
        ValueError: depth is not 6n + 2 for an n above 0.
    """

    def __init__(
        self, depth: int, num_classes: int = 10, in_channels: int = 3, residual: bool = True
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth must be 6n + 2 for an n above 0, got {depth}")
        self.conv1 = Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = BatchNorm2d(16)
        self.relu = ReLU()
        blocks = (depth - 2) // 6
        self.layer1 = _stage(blocks, 16, 16, residual)
        self.layer2 = _stage(blocks, 16, 32, residual)
        self.layer3 = _stage(blocks, 32, 64, residual)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(64, num_classes)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 16, H, W)
        x = self.layer1(x)  # (N, 16, H, W)
        x = self.layer2(x)  # (N, 32, H/2, W/2)
        x = self.layer3(x)  # (N, 64, H/4, W/4)
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))  # (N, num_classes)
        return scores


def _stage(blocks: int, in_channels: int, out_channels: int, residual: bool) -> Sequential:
    """`blocks` basic blocks; the first one halves the map where it widens it."""
    stride = out_channels // in_channels
    changes = residual and stride > 1
    downsample = PaddedShortcut(out_channels - in_channels, stride) if changes else None
    first = BasicBlock(in_channels, out_channels, stride, downsample, residual)
    others = (BasicBlock(out_channels, out_channels, residual=residual) for _ in range(blocks - 1))
    return Sequential(first, *others)


@register(input_shape=(3, 32, 32))
def resnet20(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-20 for CIFAR-10 (2015): 269,722 parameters."""
    return CifarResNet(20, num_classes, in_channels)


@register(input_shape=(3, 32, 32))
def resnet32(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-32 for CIFAR-10 (2015): 464,154 parameters."""
    return CifarResNet(32, num_classes, in_channels)


@register(input_shape=(3, 32, 32))
def resnet44(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-44 for CIFAR-10 (2015): 658,586 parameters."""
    return CifarResNet(44, num_classes, in_channels)


@register(input_shape=(3, 32, 32))
def resnet56(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-56 for CIFAR-10 (2015): 853,018 parameters."""
    return CifarResNet(56, num_classes, in_channels)


@register(input_shape=(3, 32, 32))
def resnet110(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-110 for CIFAR-10 (2015): 1,727,962 parameters."""
    return CifarResNet(110, num_classes, in_channels)


@register(input_shape=(3, 32, 32))
def plain20(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-20's plain twin (2015), without shortcuts: 269,722 parameters."""
    return CifarResNet(20, num_classes, in_channels, residual=False)


@register(input_shape=(3, 32, 32))
def plain56(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """ResNet-56's plain twin (2015), without shortcuts: 853,018 parameters."""
    return CifarResNet(56, num_classes, in_channels, residual=False)
