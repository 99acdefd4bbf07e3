"""ResNet (2015), plain networks without its shortcuts, and ResNeXt (2016), for ImageNet.

Papers: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385 (CVPR 2016),
table 1 and figure 3; Xie, Girshick, Dollar, Tu, He, "Aggregated residual transformations for deep neural
networks", arXiv:1611.05431 (CVPR 2017), table 1.

Deviations, those of torchvision, whose parameter names these models carry:
- "ResNet v1.5": where a bottleneck halves the map, its 3x3 convolution has the stride; the paper's first 1x1
  convolution has it, and so throws three of four positions away unseen. ResNeXt's paper does as here.
- Shortcuts that change the shape are 1x1 convolutions with batch norm, the paper's option B. Its figure 3 and
  its first comparison with the plain networks take option A: zeros for the new channels, no parameters.
"""

from __future__ import annotations

from minidnn.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions
from models.registry import register


class BasicBlock(Module):
    """Two 3x3 convolutions beside a shortcut: y = relu(F(x) + shortcut(x)).

        F: conv 3x3 (stride), batch norm, relu, conv 3x3, batch norm      (the paper's figure 5, left)

    Args:
        in_channels: channels of x.
        out_channels: channels of y.
        stride: of the first convolution.
        downsample: the shortcut where the shape changes; None: the identity.
        residual: False leaves the shortcut away, y = relu(F(x)): two layers of a plain network.

    Shapes: x (N, in_channels, H, W); result (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        downsample: Module | None = None,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.conv1 = Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(out_channels)
        self.relu = ReLU()
        self.conv2 = Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(out_channels)
        self.downsample = downsample
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(F(x) + shortcut(x))."""
        y = self.relu(self.bn1(self.conv1(x)))  # (N, out, H', W')
        y = self.bn2(self.conv2(y))  # (N, out, H', W')
        if self.residual:
            y = y + (x if self.downsample is None else self.downsample(x))
        result: Tensor = self.relu(y)
        return result


class Bottleneck(Module):
    """A 3x3 convolution between two 1x1 that narrow and widen: y = relu(F(x) + shortcut(x)).

        F: conv 1x1, batch norm, relu, conv 3x3 (stride, groups), batch norm, relu, conv 1x1, batch norm
                                            (He et al., figure 5, right; with groups Xie et al., figure 3c)

    Args:
        in_channels: channels of x.
        width: channels of the 3x3 convolution.
        out_channels: channels of y.
        stride: of the 3x3 convolution.
        downsample: the shortcut where the shape changes; None: the identity.
        groups: groups of the 3x3 convolution, ResNeXt's cardinality.

    Shapes: x (N, in_channels, H, W); result (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        stride: int = 1,
        downsample: Module | None = None,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, stride, padding=1, groups=groups, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = BatchNorm2d(out_channels)
        self.relu = ReLU()
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(F(x) + shortcut(x))."""
        y = self.relu(self.bn1(self.conv1(x)))  # (N, width, H, W)
        y = self.relu(self.bn2(self.conv2(y)))  # (N, width, H', W')
        y = self.bn3(self.conv3(y))  # (N, out, H', W')
        y = y + (x if self.downsample is None else self.downsample(x))
        result: Tensor = self.relu(y)
        return result


class ResNet(Module):
    """The five ResNets of the paper's table 1, their plain twins, and the ResNeXts.

        stage    size      18       34       50                  101      152        ResNeXt-50 32x4d
        conv1    112x112   7x7, 64, stride 2, batch norm, relu
        maxpool  56x56     3x3, stride 2
        layer1   56x56     3x3,64   3x3,64   1x1,64              as 50    as 50      1x1,128
                           3x3,64   3x3,64   3x3,64                                  3x3,128, 32 groups
                                             1x1,256                                 1x1,256
                           x2       x3       x3                  x3       x3         x3
        layer2   28x28     128 x2   128 x4   128,128,512 x4      x4       x8         256,256,512 x4
        layer3   14x14     256 x2   256 x6   256,256,1024 x6     x23      x36        512,512,1024 x6
        layer4   7x7       512 x2   512 x3   512,512,2048 x3     x3       x3         1024,1024,2048 x3
                 1x1       average over the map, fully connected to num_classes

    Args:
        layers: blocks in each of the four stages.
        bottleneck: bottleneck blocks (50 layers and more), or basic ones.
        num_classes: how many outputs.
        in_channels: channels of the images.
        groups: ResNeXt's cardinality: groups of the bottlenecks' 3x3 convolutions.
        width_per_group: channels of each group in the first stage; the stages double it.
        residual: False builds the plain network: no shortcuts (basic blocks only).

    Shapes: x (N, in_channels, H, W), any size, 224x224 in the paper; result (N, num_classes).

    Raises:
        ValueError: residual=False with bottlenecks.
    """

    def __init__(
        self,
        layers: tuple[int, int, int, int],
        bottleneck: bool,
        num_classes: int = 1000,
        in_channels: int = 3,
        groups: int = 1,
        width_per_group: int = 64,
        residual: bool = True,
    ) -> None:
        super().__init__()
        if bottleneck and not residual:
            raise ValueError(
                "residual must be True with bottlenecks, got False: plain networks have basic blocks"
            )
        self.conv1 = Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(64)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, stride=2, padding=1)
        expansion = 4 if bottleneck else 1

        def stage(position: int, in_channels: int) -> Sequential:
            base = 64 * 2**position
            out_channels = base * expansion
            blocks: list[Module] = []
            for index in range(layers[position]):
                stride = 2 if index == 0 and position > 0 else 1
                changes = residual and (stride > 1 or in_channels != out_channels)
                downsample = projection(in_channels, out_channels, stride) if changes else None
                if bottleneck:
                    width = base * width_per_group // 64 * groups
                    blocks.append(Bottleneck(in_channels, width, out_channels, stride, downsample, groups))
                else:
                    blocks.append(BasicBlock(in_channels, out_channels, stride, downsample, residual))
                in_channels = out_channels
            return Sequential(*blocks)

        self.layer1 = stage(0, 64)
        self.layer2 = stage(1, 64 * expansion)
        self.layer3 = stage(2, 128 * expansion)
        self.layer4 = stage(3, 256 * expansion)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(512 * expansion, num_classes)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (N, 64, H/4, W/4)
        x = self.layer1(x)  # (N, 64 or 256, H/4, W/4)
        x = self.layer2(x)  # (N, 128 or 512, H/8, W/8)
        x = self.layer3(x)  # (N, 256 or 1024, H/16, W/16)
        x = self.layer4(x)  # (N, 512 or 2048, H/32, W/32)
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))  # (N, num_classes)
        return scores


def projection(in_channels: int, out_channels: int, stride: int) -> Sequential:
    """Return the shortcut of option B: a 1x1 convolution with a stride, and batch norm."""
    return Sequential(Conv2d(in_channels, out_channels, 1, stride, bias=False), BatchNorm2d(out_channels))


@register(input_shape=(3, 224, 224))
def resnet18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-18 (2015): 11,689,512 parameters."""
    return ResNet((2, 2, 2, 2), False, num_classes, in_channels)


@register(input_shape=(3, 224, 224))
def resnet34(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-34 (2015): 21,797,672 parameters."""
    return ResNet((3, 4, 6, 3), False, num_classes, in_channels)


@register(input_shape=(3, 224, 224))
def resnet50(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-50 (2015): 25,557,032 parameters; bottlenecks with the stride on the 3x3 convolution."""
    return ResNet((3, 4, 6, 3), True, num_classes, in_channels)


@register(input_shape=(3, 224, 224))
def resnet101(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-101 (2015): 44,549,160 parameters."""
    return ResNet((3, 4, 23, 3), True, num_classes, in_channels)


@register(input_shape=(3, 224, 224))
def resnet152(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-152 (2015): 60,192,808 parameters."""
    return ResNet((3, 8, 36, 3), True, num_classes, in_channels)


@register(input_shape=(3, 224, 224))
def plain18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-18's plain twin (2015), without shortcuts: 11,515,688 parameters."""
    return ResNet((2, 2, 2, 2), False, num_classes, in_channels, residual=False)


@register(input_shape=(3, 224, 224))
def plain34(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-34's plain twin (2015), without shortcuts: 21,623,848 parameters."""
    return ResNet((3, 4, 6, 3), False, num_classes, in_channels, residual=False)


@register(input_shape=(3, 224, 224))
def resnext50_32x4d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-50 with 32 groups of 4 channels (2016): 25,028,904 parameters."""
    return ResNet((3, 4, 6, 3), True, num_classes, in_channels, groups=32, width_per_group=4)


@register(input_shape=(3, 224, 224))
def resnext101_32x8d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101 with 32 groups of 8 channels (2016): 88,791,336 parameters."""
    return ResNet((3, 4, 23, 3), True, num_classes, in_channels, groups=32, width_per_group=8)


@register(input_shape=(3, 224, 224))
def resnext101_64x4d(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101 with 64 groups of 4 channels (2016): 83,455,272 parameters."""
    return ResNet((3, 4, 23, 3), True, num_classes, in_channels, groups=64, width_per_group=4)
