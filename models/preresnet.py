"""Pre-activation ResNets (2016): the shortcut is an identity from the first unit to the last.

Paper: He, Zhang, Ren, Sun, "Identity mappings in deep residual networks", arXiv:1603.05027 (ECCV 2016):
the five unit designs of figure 4 and table 2, ResNet-110, 164 and 1001 for CIFAR-10 (table 4), ResNet-200 for
ImageNet (table 5); ImageNet's stages as in table 1 of arXiv:1512.03385.

Deviations:
- For ImageNet the stem is convolution, batch norm, relu, pooling, and the first unit activates once more, as
  in pytorchcv. In the paper the stem's activation is the first unit's own, before its two paths part.
- The paper draws the designs for units that keep the shape. Here a projection shortcut has batch norm where
  the design ends its residual branch with one (original, ReLU before addition, ReLU-only pre-activation).
- preresnet18 has basic units; the paper's ImageNet networks all have bottlenecks.

A bottleneck has its stride on the first 1x1 convolution, as the paper's networks do. pytorchcv's files are
converted (see models/conversion.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from minidnn.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Identity,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions
from models.registry import register
from models.resnet_cifar import PaddedShortcut


@dataclass(frozen=True)
class Design:
    """Where a unit normalises and activates; between its convolutions it always does both.

    Attributes:
        before: what stands before the first convolution; projection shortcuts start behind it.
        behind: what stands behind the last convolution, before the addition.
        after: what stands after the addition, on the way to the next unit.
    """

    before: tuple[str, ...]
    behind: tuple[str, ...]
    after: tuple[str, ...]


# Figure 4, (a) to (e); the errors on CIFAR-10 of table 2 are for ResNet-110 and ResNet-164.
DESIGNS = {
    "original": Design((), ("bn",), ("relu",)),  # 6.61 and 5.93 percent
    "bn_after_addition": Design((), (), ("bn", "relu")),  # 8.17 and 6.50
    "relu_before_addition": Design((), ("bn", "relu"), ()),  # 7.84 and 6.14
    "relu_only_preactivation": Design(("relu",), ("bn",), ()),  # 6.71 and 5.91
    "full_preactivation": Design(("bn", "relu"), (), ()),  # 6.37 and 5.46
}


def activation(steps: tuple[str, ...], channels: int) -> Sequential:
    """Return batch norm and relu, either, or none of them (the identity), in the order given."""
    return Sequential({step: BatchNorm2d(channels) if step == "bn" else ReLU() for step in steps})


class ResidualUnit(Module):
    """One unit of any design: a = before(x);  y = after(shortcut(x or a) + branch(a)).

        branch, basic:       conv 3x3 (stride), batch norm, relu, conv 3x3, behind
        branch, bottleneck:  conv 1x1 (stride) to out/4, batch norm, relu, conv 3x3, batch norm, relu,
                             conv 1x1, behind

    Args:
        in_channels: channels of x.
        out_channels: channels of y.
        stride: of the branch's first convolution and the shortcut.
        design: what stands before and behind the branch and after the addition.
        bottleneck: which branch.
        shortcut: the identity, or what changes the shape.
        shares_activation: the shortcut starts from before(x), not from x.

    Shapes: x (N, in_channels, H, W); result (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        design: Design,
        bottleneck: bool,
        shortcut: Module,
        shares_activation: bool,
    ) -> None:
        super().__init__()
        self.before = activation(design.before, in_channels)
        if bottleneck:
            width = out_channels // 4
            convolutions = [
                Conv2d(in_channels, width, 1, stride, bias=False),
                Conv2d(width, width, 3, padding=1, bias=False),
                Conv2d(width, out_channels, 1, bias=False),
            ]
        else:
            convolutions = [
                Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
                Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            ]
        branch: dict[str, Module] = {}
        for position, convolution in enumerate(convolutions, start=1):
            steps = ("bn", "relu") if position < len(convolutions) else design.behind
            branch[f"conv{position}"] = convolution
            for step, module in activation(steps, convolution.out_channels).named_children():
                branch[f"{step}{position}"] = module
        self.branch = Sequential(branch)
        self.shortcut = shortcut
        self.after = activation(design.after, out_channels)
        self.shares_activation = shares_activation

    def forward(self, x: Tensor) -> Tensor:
        """Return after(shortcut + branch)."""
        activated = self.before(x)  # (N, in, H, W)
        shortcut = self.shortcut(activated if self.shares_activation else x)  # (N, out, H', W')
        result: Tensor = self.after(shortcut + self.branch(activated))  # (N, out, H', W')
        return result


def projection(in_channels: int, out_channels: int, stride: int, design: Design) -> Sequential:
    """Return a 1x1 convolution with a stride, with batch norm where the design's branch ends with one."""
    layers: dict[str, Module] = {"conv": Conv2d(in_channels, out_channels, 1, stride, bias=False)}
    if "bn" in design.behind:
        layers["bn"] = BatchNorm2d(out_channels)
    return Sequential(layers)


def find_design(unit: str) -> Design:
    """Return the design of that name (ValueError for another name)."""
    if unit not in DESIGNS:
        raise ValueError(f"unit must be one of {', '.join(DESIGNS)}, got {unit!r}")
    return DESIGNS[unit]


class PreResNet(Module):
    """The ImageNet networks: the stages of ResNet's table 1, out of pre-activation units.

        stage    size      18        50           101   152   200
        conv1    112x112   7x7, 64, stride 2, batch norm, relu
        maxpool  56x56     3x3, stride 2
        layer1   56x56     64 x2     256 x3       x3    x3    x3
        layer2   28x28     128 x2    512 x4       x4    x8    x24
        layer3   14x14     256 x2    1024 x6      x23   x36   x36
        layer4   7x7       512 x2    2048 x3      x3    x3    x3
        last               what the design puts before a unit: batch norm, relu
                 1x1       average over the map, fully connected to num_classes

    Args:
        layers: units in each of the four stages.
        bottleneck: bottleneck units (50 layers and more), or basic ones.
        num_classes: how many outputs.
        in_channels: channels of the images.
        unit: the unit design, a name of `DESIGNS`.

    Shapes: x (N, in_channels, H, W), any size, 224x224 in the paper; result (N, num_classes).

    Raises:
        ValueError: an unknown unit design.
    """

    def __init__(
        self,
        layers: tuple[int, int, int, int],
        bottleneck: bool,
        num_classes: int = 1000,
        in_channels: int = 3,
        unit: str = "full_preactivation",
    ) -> None:
        super().__init__()
        design = find_design(unit)
        self.conv1 = Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(64)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, stride=2, padding=1)

        def stage(position: int, in_channels: int, out_channels: int) -> Sequential:
            units: list[Module] = []
            for index in range(layers[position]):
                stride = 2 if index == 0 and position > 0 else 1
                changes = stride > 1 or in_channels != out_channels
                shortcut = projection(in_channels, out_channels, stride, design) if changes else Identity()
                units.append(
                    ResidualUnit(in_channels, out_channels, stride, design, bottleneck, shortcut, changes)
                )
                in_channels = out_channels
            return Sequential(*units)

        expansion = 4 if bottleneck else 1
        self.layer1 = stage(0, 64, 64 * expansion)
        self.layer2 = stage(1, 64 * expansion, 128 * expansion)
        self.layer3 = stage(2, 128 * expansion, 256 * expansion)
        self.layer4 = stage(3, 256 * expansion, 512 * expansion)
        self.last = activation(design.before, 512 * expansion)
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
        scores: Tensor = self.fc(self.avgpool(self.last(x)).flatten(1))  # (N, num_classes)
        return scores


class CifarPreResNet(Module):
    """The CIFAR networks of tables 2 and 4: a convolution, three stages of n units, a fully connected layer.

        stage    size     110 (basic, n = 18)   164 (bottleneck, n = 18)   1001 (bottleneck, n = 111)
        conv1    32x32    3x3, 16
        layer1   32x32    16                    64                         64
        layer2   16x16    32                    128                        128
        layer3   8x8      64                    256                        256
                 parameters  1,727,962          1,703,258                  10,327,706

    The first unit's activation stands before its two paths part. Basic units widen by zeros (option A of the
    first ResNet paper), bottlenecks by projections.

    Args:
        depth: the number of layers, 6n + 2 with basic units, 9n + 2 with bottlenecks.
        bottleneck: which units.
        num_classes: how many outputs.
        in_channels: channels of the images.
        unit: the unit design, a name of `DESIGNS`.

    Shapes: x (N, in_channels, H, W), any size, 32x32 in the paper; result (N, num_classes).

    Raises:
        ValueError: an unknown unit design, or a depth that does not make three equal stages.
    """

    def __init__(
        self,
        depth: int,
        bottleneck: bool,
        num_classes: int = 10,
        in_channels: int = 3,
        unit: str = "full_preactivation",
    ) -> None:
        super().__init__()
        design = find_design(unit)
        layers = 9 if bottleneck else 6
        if depth < layers + 2 or (depth - 2) % layers:
            raise ValueError(f"depth must be {layers}n + 2 for an n above 0, got {depth}")
        units = (depth - 2) // layers
        # The stem ends where the first unit's own activation begins.
        steps = tuple(step for step in ("bn", "relu") if step not in design.before)
        self.conv1 = Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.activation1 = activation(steps, 16)

        def stage(in_channels: int, out_channels: int, stride: int, first: bool) -> Sequential:
            if in_channels == out_channels:
                shortcut: Module = Identity()
            elif bottleneck:
                shortcut = projection(in_channels, out_channels, stride, design)
            else:
                shortcut = PaddedShortcut(out_channels - in_channels, stride)
            shares = first or bottleneck
            change = ResidualUnit(in_channels, out_channels, stride, design, bottleneck, shortcut, shares)
            others = (
                ResidualUnit(out_channels, out_channels, 1, design, bottleneck, Identity(), False)
                for _ in range(units - 1)
            )
            return Sequential(change, *others)

        expansion = 4 if bottleneck else 1
        self.layer1 = stage(16, 16 * expansion, 1, first=True)
        self.layer2 = stage(16 * expansion, 32 * expansion, 2, first=False)
        self.layer3 = stage(32 * expansion, 64 * expansion, 2, first=False)
        self.last = activation(design.before, 64 * expansion)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(64 * expansion, num_classes)
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.activation1(self.conv1(x))  # (N, 16, H, W)
        x = self.layer1(x)  # (N, 16 or 64, H, W)
        x = self.layer2(x)  # (N, 32 or 128, H/2, W/2)
        x = self.layer3(x)  # (N, 64 or 256, H/4, W/4)
        scores: Tensor = self.fc(self.avgpool(self.last(x)).flatten(1))  # (N, num_classes)
        return scores


@register(input_shape=(3, 224, 224))
def preresnet18(num_classes: int = 1000, in_channels: int = 3, unit: str = "full_preactivation") -> PreResNet:
    """Pre-activation ResNet-18 (2016): 11,687,848 parameters."""
    return PreResNet((2, 2, 2, 2), False, num_classes, in_channels, unit)


@register(input_shape=(3, 224, 224))
def preresnet50(num_classes: int = 1000, in_channels: int = 3, unit: str = "full_preactivation") -> PreResNet:
    """Pre-activation ResNet-50 (2016): 25,549,480 parameters."""
    return PreResNet((3, 4, 6, 3), True, num_classes, in_channels, unit)


@register(input_shape=(3, 224, 224))
def preresnet101(
    num_classes: int = 1000, in_channels: int = 3, unit: str = "full_preactivation"
) -> PreResNet:
    """Pre-activation ResNet-101 (2016): 44,541,608 parameters."""
    return PreResNet((3, 4, 23, 3), True, num_classes, in_channels, unit)


@register(input_shape=(3, 224, 224))
def preresnet152(
    num_classes: int = 1000, in_channels: int = 3, unit: str = "full_preactivation"
) -> PreResNet:
    """Pre-activation ResNet-152 (2016): 60,185,256 parameters."""
    return PreResNet((3, 8, 36, 3), True, num_classes, in_channels, unit)


@register(input_shape=(3, 224, 224))
def preresnet200(
    num_classes: int = 1000, in_channels: int = 3, unit: str = "full_preactivation"
) -> PreResNet:
    """Pre-activation ResNet-200 (2016): 64,666,280 parameters."""
    return PreResNet((3, 24, 36, 3), True, num_classes, in_channels, unit)


@register(input_shape=(3, 32, 32))
def preresnet110(
    num_classes: int = 10, in_channels: int = 3, unit: str = "full_preactivation"
) -> CifarPreResNet:
    """Pre-activation ResNet-110 for CIFAR-10 (2016), basic units: 1,727,962 parameters."""
    return CifarPreResNet(110, False, num_classes, in_channels, unit)


@register(input_shape=(3, 32, 32))
def preresnet164(
    num_classes: int = 10, in_channels: int = 3, unit: str = "full_preactivation"
) -> CifarPreResNet:
    """Pre-activation ResNet-164 for CIFAR-10 (2016), bottlenecks: 1,703,258 parameters."""
    return CifarPreResNet(164, True, num_classes, in_channels, unit)


@register(input_shape=(3, 32, 32))
def preresnet1001(
    num_classes: int = 10, in_channels: int = 3, unit: str = "full_preactivation"
) -> CifarPreResNet:
    """Pre-activation ResNet-1001 for CIFAR-10 (2016), bottlenecks: 10,327,706 parameters."""
    return CifarPreResNet(1001, True, num_classes, in_channels, unit)


_PARTS_OF_PYTORCHCV = (
    ("features.init_block.conv", "conv1"),
    ("features.init_block.bn", "bn1"),
    ("features.post_activ", "last"),
    ("output", "fc"),
    ("body.conv1.bn", "before.bn"),
    ("body.conv2.bn", "branch.bn1"),
    ("body.conv3.bn", "branch.bn2"),
    ("identity_conv", "shortcut.conv"),
)


def pytorchcv_key(key: str) -> str:
    """Return the `state_dict` key of preresnet18 to 200 for that of pytorchcv's.

        features.stage2.unit1.body.conv1.bn.weight       layer2.0.before.bn.weight
        features.stage2.unit1.body.conv1.conv.weight     layer2.0.branch.conv1.weight
        features.stage2.unit1.body.conv2.bn.weight       layer2.0.branch.bn1.weight
        features.stage2.unit1.identity_conv.weight       layer2.0.shortcut.conv.weight

    pytorchcv has a batch norm in the unit of the convolution behind it.

    Raises:
        ValueError: a key that the networks do not have.
    """
    if not re.match(r"features\.(init_block|post_activ|stage\d\.unit\d+)\.|output\.", key):
        raise ValueError(f"key must be one of pytorchcv's preresnet, got {key!r}")
    key = re.sub(r"features\.stage(\d)\.unit(\d+)", lambda at: f"layer{at[1]}.{int(at[2]) - 1}", key)
    for theirs, ours in _PARTS_OF_PYTORCHCV:
        key = key.replace(theirs, ours)
    return re.sub(r"body\.conv(\d)\.conv", r"branch.conv\1", key)
