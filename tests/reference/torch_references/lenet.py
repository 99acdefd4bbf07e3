"""LeNet-5 once more, in torch.nn, from the paper's figure 2 and table I, and the LeNets of course notes."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional


def lenet5() -> nn.Module:
    """tanh, average pooling, full connections between S2 and C3, a linear output layer."""
    layers = [
        ("c1", nn.Conv2d(1, 6, 5)),
        ("tanh1", nn.Tanh()),
        ("s2", nn.AvgPool2d(2)),
        ("c3", nn.Conv2d(6, 16, 5)),
        ("tanh3", nn.Tanh()),
        ("s4", nn.AvgPool2d(2)),
        ("c5", nn.Conv2d(16, 120, 5)),
        ("tanh5", nn.Tanh()),
        ("flatten", nn.Flatten()),
        ("f6", nn.Linear(120, 84)),
        ("tanh6", nn.Tanh()),
        ("output", nn.Linear(84, 10)),
    ]
    return nn.Sequential(OrderedDict(layers))


class LeNet5Paper(nn.Module):
    """As published: 1.7159 tanh(2x/3), trained subsampling, and C3 connected as table I says."""

    # Table I, row by row: which maps of C3 (columns) see the map of S2.
    TABLE = (
        "X...XXX..XXXX.XX",
        "XX...XXX..XXXX.X",
        "XXX...XXX..X.XXX",
        ".XXX..XXXX..X.XX",
        "..XXX..XXXX.XX.X",
        "...XXX..XXXX.XXX",
    )

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2 = _weight_and_bias((6,), 6)
        self.c3 = _weight_and_bias((60, 5, 5), 16)
        self.s4 = _weight_and_bias((16,), 16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = _subsampled(_squashed(self.c1(x)), self.s2)
        x = _subsampled(_squashed(self._third(x)), self.s4)
        x = _squashed(self.f6(_squashed(self.c5(x)).flatten(1)))
        return self.output(x)

    def _third(self, x: torch.Tensor) -> torch.Tensor:
        maps, filters = [], iter(self.c3.weight)
        for column, bias in enumerate(self.c3.bias):
            seen = [row for row in range(6) if self.TABLE[row][column] == "X"]
            sums = [functional.conv2d(x[:, row : row + 1], next(filters)[None, None]) for row in seen]
            maps.append(sum(sums) + bias)
        return torch.cat(maps, 1)


def _weight_and_bias(weight: tuple[int, ...], maps: int) -> nn.Module:
    holder = nn.Module()
    holder.weight = nn.Parameter(torch.randn(weight))
    holder.bias = nn.Parameter(torch.randn(maps))
    return holder


def _squashed(x: torch.Tensor) -> torch.Tensor:
    return 1.7159 * torch.tanh(2 * x / 3)


def _subsampled(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    sums = x[..., ::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, ::2] + x[..., 1::2, 1::2]
    return _squashed(layer.weight[:, None, None] * sums + layer.bias[:, None, None])


def lenet28(second_padding: int, pool: nn.Module) -> nn.Module:
    """dlib's (padding 2, maxima) and d2l's (no padding, means) with ReLU."""
    features = 16 * (7 if second_padding else 5) ** 2
    layers = [
        ("conv1", nn.Conv2d(1, 6, 5, padding=2)),
        ("relu1", nn.ReLU()),
        ("pool1", pool),
        ("conv2", nn.Conv2d(6, 16, 5, padding=second_padding)),
        ("relu2", nn.ReLU()),
        ("pool2", pool),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(features, 120)),
        ("relu3", nn.ReLU()),
        ("fc2", nn.Linear(120, 84)),
        ("relu4", nn.ReLU()),
        ("fc3", nn.Linear(84, 10)),
    ]
    return nn.Sequential(OrderedDict(layers))
