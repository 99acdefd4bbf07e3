"""LeNet-5 once more, in torch.nn, from the paper's figure 2."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


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
