"""Inception networks once more, in torch.nn, from the papers' tables: what torchvision and timm do not have.

A table is kept as the numbers of its columns; a network is built by walking over the rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

# Szegedy et al. 2014, table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj
GOOGLENET_TABLE = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}

# Ioffe and Szegedy 2015, figure 5: #1x1, #3x3 reduce, #3x3, double #3x3 reduce, double #3x3, pool + proj;
# the rows that pass through have stride 2
BN_INCEPTION_TABLE: dict[str, tuple[Any, ...]] = {
    "3a": (64, 64, 64, 64, 96, ("avg", 32)),
    "3b": (64, 64, 96, 64, 96, ("avg", 64)),
    "3c": (0, 128, 160, 64, 96, "pass through"),
    "4a": (224, 64, 96, 96, 128, ("avg", 128)),
    "4b": (192, 96, 128, 96, 128, ("avg", 128)),
    "4c": (160, 128, 160, 128, 160, ("avg", 96)),
    "4d": (96, 128, 192, 160, 192, ("avg", 96)),
    "4e": (0, 128, 192, 192, 256, "pass through"),
    "5a": (352, 192, 320, 160, 224, ("avg", 128)),
    "5b": (352, 192, 320, 192, 224, ("max", 128)),
}


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution with bias, keeping the map's size at stride 1, and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    return nn.Sequential(OrderedDict(conv=convolution, relu=nn.ReLU()))


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    normalization = nn.BatchNorm2d(outputs, eps=1e-3)
    return nn.Sequential(OrderedDict(conv=convolution, bn=normalization, relu=nn.ReLU()))


class SideBySide(nn.ModuleDict):
    """Modules on one input, outputs concatenated."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.values()], dim=1)


def numbered(branches: Sequence[nn.Module]) -> SideBySide:
    return SideBySide({f"branch{i}": branch for i, branch in enumerate(branches, 1)})


def same_max_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 1, 1)


def inception_naive() -> nn.Module:
    """Figure 2(a) with the channels of 3a, average pooling, linear."""
    module = numbered([conv(192, 64, 1), conv(192, 128, 3), conv(192, 32, 5), same_max_pool()])
    head = {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(416, 1000)}
    return nn.Sequential(OrderedDict(inception=module, **head))


class TableNet(nn.Module):
    """GoogLeNet with what varies handed in.

    Args:
        images, classes: channels and outputs.
        halve: the pooling that halves a map.
        first: the 7x7 convolution with its ReLU.
        response: the response normalisation, or the identity.
        heads: whether there are auxiliary heads.
    """

    def __init__(
        self, classes: int, halve: nn.Module, first: nn.Module, response: nn.Module, heads: bool
    ) -> None:
        super().__init__()
        self.halve, self.response, self.heads = halve, response, heads
        self.conv1 = first
        self.conv2, self.conv3 = conv(64, 64, 1), conv(64, 192, 3)
        width = 192
        for name, (one, reduce3, three, reduce5, five, projection) in GOOGLENET_TABLE.items():
            branches = [
                conv(width, one, 1),
                nn.Sequential(conv(width, reduce3, 1), conv(reduce3, three, 3)),
                nn.Sequential(conv(width, reduce5, 1), conv(reduce5, five, 5)),
                nn.Sequential(same_max_pool(), conv(width, projection, 1)),
            ]
            self.add_module(f"inception{name}", numbered(branches))
            width = one + three + five + projection
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(width, classes)
        if heads:
            self.aux1, self.aux2 = self.head(512, classes), self.head(528, classes)

    @staticmethod
    def head(width: int, classes: int) -> nn.Sequential:
        return nn.Sequential(
            OrderedDict(
                pool=nn.AvgPool2d(5, 3),
                conv=conv(width, 128, 1),
                flatten=nn.Flatten(),
                fc1=nn.Linear(2048, 1024),
                relu=nn.ReLU(),
                dropout=nn.Dropout(0.7),
                fc2=nn.Linear(1024, classes),
            )
        )

    def forward(self, x: torch.Tensor) -> Any:
        x = self.response(self.halve(self.conv1(x)))
        x = self.halve(self.response(self.conv3(self.conv2(x))))
        inner = {}
        for name in GOOGLENET_TABLE:
            if name in ("4a", "5a"):
                x = self.halve(x)
            x = inner[name] = self.get_submodule(f"inception{name}")(x)
        logits = self.fc(self.dropout(x.mean(dim=(2, 3))))
        if self.heads and self.training:
            return logits, self.aux2(inner["4d"]), self.aux1(inner["4a"])
        return logits


def googlenet() -> nn.Module:
    """The paper's: response normalisation, overhanging pooling windows, two heads."""
    overhanging = nn.MaxPool2d(3, 2, ceil_mode=True)
    return TableNet(1000, overhanging, conv(3, 64, 7, 2), nn.LocalResponseNorm(5), heads=True)


def googlenet_d2l() -> nn.Module:
    """The book's: grey images, padded pooling, neither normalisation nor heads; its dropout is none."""
    return TableNet(10, nn.MaxPool2d(3, 2, padding=1), conv(1, 64, 7, 2), nn.Identity(), heads=False)


class SamePadding(nn.Module):
    """Pads as TensorFlow's "same", for a window of the given size and stride 2, then applies a module."""

    def __init__(self, size: int, value: float, module: nn.Module) -> None:
        super().__init__()
        self.size, self.value, self.inner = size, value, module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sides = []
        for length in (x.shape[3], x.shape[2]):
            total = max((-(-length // 2) - 1) * 2 + self.size - length, 0)
            sides += [total // 2, total - total // 2]
        return self.inner(F.pad(x, sides, value=self.value))


def inceptionnet_with_heads() -> nn.Module:
    """Keras's: every window of stride 2 padded as "same"."""
    first = nn.Sequential(SamePadding(7, 0.0, nn.Conv2d(3, 64, 7, 2)), nn.ReLU())
    halve = SamePadding(3, -torch.inf, nn.MaxPool2d(3, 2))
    return TableNet(10, halve, first, nn.Identity(), heads=True)


def inceptionnet_three_towers() -> nn.Module:
    """64 maps from each of three towers, flattened, one linear layer."""
    towers = SideBySide(
        {
            "tower1": nn.Sequential(conv(3, 64, 1), conv(64, 64, 3)),
            "tower2": nn.Sequential(conv(3, 64, 1), conv(64, 64, 5)),
            "tower3": nn.Sequential(same_max_pool(), conv(3, 64, 1)),
        }
    )
    return nn.Sequential(OrderedDict(towers=towers, flatten=nn.Flatten(), fc=nn.Linear(192 * 32 * 32, 10)))


def dlib_inception() -> nn.Module:
    """dlib's dnn_inception_ex, read from the inside out."""
    layers = OrderedDict(
        incept_a=SideBySide(
            {
                "a1": conv(1, 10, 1),
                "a2": nn.Sequential(conv(1, 16, 1), conv(16, 10, 3)),
                "a3": nn.Sequential(conv(1, 16, 1), conv(16, 10, 5)),
                "a4": nn.Sequential(same_max_pool(), conv(1, 10, 1)),
            }
        ),
        pool_a=nn.MaxPool2d(2, 2),
        incept_b=SideBySide(
            {
                "b1": conv(40, 4, 1),
                "b2": conv(40, 4, 3),
                "b3": nn.Sequential(same_max_pool(), conv(40, 4, 1)),
            }
        ),
        pool_b=nn.MaxPool2d(2, 2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(588, 32),
        relu=nn.ReLU(),
        fc2=nn.Linear(32, 10),
    )
    return nn.Sequential(layers)


def inception_v2() -> nn.Module:
    """BN-Inception, all windows of stride 2 padded by half their size."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_bn(3, 64, 7, 2),
        maxpool1=nn.MaxPool2d(3, 2, 1),
        conv2=conv_bn(64, 64, 1),
        conv3=conv_bn(64, 192, 3),
        maxpool2=nn.MaxPool2d(3, 2, 1),
    )
    width = 192
    for name, (one, reduce3, three, reduce_double, double, pool) in BN_INCEPTION_TABLE.items():
        passes = pool == "pass through"
        stride = 2 if passes else 1
        branches: list[nn.Module] = [] if one == 0 else [conv_bn(width, one, 1)]
        branches.append(nn.Sequential(conv_bn(width, reduce3, 1), conv_bn(reduce3, three, 3, stride)))
        branches.append(
            nn.Sequential(
                conv_bn(width, reduce_double, 1),
                conv_bn(reduce_double, double, 3),
                conv_bn(double, double, 3, stride),
            )
        )
        if passes:
            branches.append(nn.MaxPool2d(3, 2, 1))
        else:
            pooling = nn.AvgPool2d if pool[0] == "avg" else nn.MaxPool2d
            branches.append(nn.Sequential(pooling(3, 1, 1), conv_bn(width, pool[1], 1)))
        layers[f"inception{name}"] = numbered(branches)
        width = one + three + double + (width if passes else pool[1])
    layers |= {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(width, 1000)}
    return nn.Sequential(layers)
