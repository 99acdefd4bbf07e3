"""The CIFAR networks of "Identity mappings in deep residual networks" once more, in torch.nn.

Written from the paper's figure 4 (the five designs), table 4 and appendix: the first unit's activation comes
before its two paths part, an extra one follows the last addition; bottlenecks widen by projections, which are
pre-activated too, basic units by zeros.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu

from tests.reference.torch_references.resnet import option_a

FULL = "full_preactivation"
RELU_ONLY = "relu_only_preactivation"


class Unit(nn.Module):
    """One residual unit; every design's order is spelled out in `residual` and `forward`."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, design: str, bottleneck: bool, first: bool
    ) -> None:
        super().__init__()
        self.design, self.first, self.stride, self.out_channels = design, first, stride, out_channels
        middle = out_channels // 4 if bottleneck else out_channels
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        widths = (in_channels, *(middle for _ in kernels[1:]), out_channels)
        self.branch = nn.ModuleDict()
        for index, kernel in enumerate(kernels):
            self.branch[f"conv{index + 1}"] = nn.Conv2d(
                widths[index],
                widths[index + 1],
                kernel,
                stride=stride if index == 0 else 1,
                padding=kernel // 2,
                bias=False,
            )
            last = index == len(kernels) - 1
            if not last or design not in (FULL, "bn_after_addition"):
                self.branch[f"bn{index + 1}"] = nn.BatchNorm2d(widths[index + 1])
        if design == FULL:
            self.before = nn.ModuleDict({"bn": nn.BatchNorm2d(in_channels)})
        if design == "bn_after_addition":
            self.after = nn.ModuleDict({"bn": nn.BatchNorm2d(out_channels)})
        self.shortcut = nn.ModuleDict()
        if bottleneck and in_channels != out_channels:
            self.shortcut["conv"] = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            if design not in (FULL, "bn_after_addition"):
                self.shortcut["bn"] = nn.BatchNorm2d(out_channels)

    def residual(self, x: torch.Tensor) -> torch.Tensor:
        """The weights with batch norm and relu between them, up to the last weight."""
        weights = [name for name in self.branch if name.startswith("conv")]
        for name in weights[:-1]:
            x = relu(self.branch[name.replace("conv", "bn")](self.branch[name](x)))
        return self.branch[weights[-1]](x)

    def identity(self, x: torch.Tensor, activated: torch.Tensor) -> torch.Tensor:
        """The shortcut."""
        if "conv" in self.shortcut:
            projected = self.shortcut["conv"](activated)
            return self.shortcut["bn"](projected) if "bn" in self.shortcut else projected
        start = activated if self.first else x
        return option_a(start, self.out_channels, self.stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last_norm = (
            self.branch[f"bn{'3' if 'conv3' in self.branch else '2'}"] if self.has_last_norm() else None
        )
        if self.design == "original":
            return relu(self.identity(x, x) + last_norm(self.residual(x)))
        if self.design == "bn_after_addition":
            return relu(self.after["bn"](self.identity(x, x) + self.residual(x)))
        if self.design == "relu_before_addition":
            return self.identity(x, x) + relu(last_norm(self.residual(x)))
        if self.design == RELU_ONLY:
            activated = relu(x)
            return self.identity(x, activated) + last_norm(self.residual(activated))
        activated = relu(self.before["bn"](x))
        return self.identity(x, activated) + self.residual(activated)

    def has_last_norm(self) -> bool:
        return self.design not in (FULL, "bn_after_addition")


class CifarPreResNet(nn.Module):
    """6n + 2 layers of basic units or 9n + 2 of bottlenecks."""

    def __init__(self, n: int, bottleneck: bool, design: str = FULL) -> None:
        super().__init__()
        self.design = design
        wide = 4 if bottleneck else 1

        def stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
            first = in_channels == 16 and stride == 1
            units = [Unit(in_channels, out_channels, stride, design, bottleneck, first)]
            units += [Unit(out_channels, out_channels, 1, design, bottleneck, False) for _ in range(n - 1)]
            return nn.Sequential(*units)

        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        if design != FULL:
            self.activation1 = nn.ModuleDict({"bn": nn.BatchNorm2d(16)})
        self.layer1 = stage(16, 16 * wide, 1)
        self.layer2 = stage(16 * wide, 32 * wide, 2)
        self.layer3 = stage(32 * wide, 64 * wide, 2)
        if design == FULL:
            self.last = nn.ModuleDict({"bn": nn.BatchNorm2d(64 * wide)})
        self.fc = nn.Linear(64 * wide, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x)
        if self.design != FULL:
            x = self.activation1["bn"](x)
        if self.design not in (FULL, RELU_ONLY):
            x = relu(x)
        x = self.layer3(self.layer2(self.layer1(x)))
        if self.design == FULL:
            x = relu(self.last["bn"](x))
        elif self.design == RELU_ONLY:
            x = relu(x)
        return self.fc(x.mean(dim=(2, 3)))
