"""The residual networks that torchvision does not have, once more, in torch.nn.

The plain networks follow table 1 and section 4.2 of He et al. 2015 ("Deep residual learning for image
recognition"): without shortcuts they are nothing but a sequence. The CIFAR networks follow its section 4.2.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional


def _conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)


def _plain_stage(in_channels: int, out_channels: int, pairs: int, stride: int) -> nn.Sequential:
    layers: list[tuple[str, nn.Module]] = []
    for pair in range(pairs):
        for layer in (1, 2):
            first = pair == 0 and layer == 1
            convolution = _conv3x3(
                in_channels if first else out_channels, out_channels, stride if first else 1
            )
            layers += [
                (f"{pair}-conv{layer}", convolution),
                (f"{pair}-bn{layer}", nn.BatchNorm2d(out_channels)),
                (f"{pair}-activation{layer}", nn.ReLU()),
            ]
    return nn.Sequential(OrderedDict(layers))


def plain_imagenet(pairs: tuple[int, int, int, int]) -> nn.Module:
    """Table 1's columns 18 (pairs 2, 2, 2, 2) and 34 (3, 4, 6, 3), without shortcuts."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)),
        ("bn1", nn.BatchNorm2d(64)),
        ("activation", nn.ReLU()),
        ("pool", nn.MaxPool2d(3, stride=2, padding=1)),
        ("layer1", _plain_stage(64, 64, pairs[0], 1)),
        ("layer2", _plain_stage(64, 128, pairs[1], 2)),
        ("layer3", _plain_stage(128, 256, pairs[2], 2)),
        ("layer4", _plain_stage(256, 512, pairs[3], 2)),
        ("average", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("fc", nn.Linear(512, 1000)),
    ]
    return nn.Sequential(OrderedDict(layers))


def plain_cifar(n: int) -> nn.Module:
    """Section 4.2 without shortcuts: 6n + 2 layers of 16, 32 and 64 filters."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", _conv3x3(3, 16)),
        ("bn1", nn.BatchNorm2d(16)),
        ("activation", nn.ReLU()),
        ("layer1", _plain_stage(16, 16, n, 1)),
        ("layer2", _plain_stage(16, 32, n, 2)),
        ("layer3", _plain_stage(32, 64, n, 2)),
        ("average", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("fc", nn.Linear(64, 10)),
    ]
    return nn.Sequential(OrderedDict(layers))


def option_a(x: torch.Tensor, channels: int, stride: int) -> torch.Tensor:
    """The identity shortcut across a change of shape: skip positions, zeros for the channels that are new."""
    if stride > 1:
        x = functional.avg_pool2d(x, kernel_size=1, stride=stride)
    missing = channels - x.shape[1]
    return torch.cat([x, x.new_zeros(x.shape[0], missing, *x.shape[2:])], dim=1)


class CifarUnit(nn.Module):
    """Two 3x3 layers and the identity."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = out_channels, stride
        self.conv1 = _conv3x3(in_channels, out_channels, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = _conv3x3(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(residual + option_a(x, self.channels, self.stride))


class CifarResNet(nn.Module):
    """Section 4.2: 6n + 2 layers."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[CifarUnit(16, 16, 1) for _ in range(n)])
        self.layer2 = nn.Sequential(*[CifarUnit(32 if i else 16, 32, 1 if i else 2) for i in range(n)])
        self.layer3 = nn.Sequential(*[CifarUnit(64 if i else 32, 64, 1 if i else 2) for i in range(n)])
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))
