"""The published AlexNet and that of "Dive into deep learning" once more, in torch.nn."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def response_normalised(x: torch.Tensor) -> torch.Tensor:
    """Section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75, and a sum over five neighbouring maps."""
    squares = functional.pad(x.square(), (0, 0, 0, 0, 2, 2))
    sums = sum(squares[:, i : i + x.shape[1]] for i in range(5))
    return x / (2 + 1e-4 * sums) ** 0.75


def on_two_gpus(x: torch.Tensor, layer: nn.Conv2d, padding: int) -> torch.Tensor:
    """Each half of the filters sees the half of the maps that lies on its GPU."""
    halves = zip(x.chunk(2, 1), layer.weight.chunk(2), layer.bias.chunk(2), strict=True)
    return torch.cat([functional.conv2d(maps, w, b, padding=padding) for maps, w, b in halves], 1)


class AlexNetPaper(nn.Module):
    """Krizhevsky et al. 2012, figure 2: 96, 256, 384, 384, 256 maps, 4096, 4096, 1000 units."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11)
        self.conv2 = nn.Conv2d(48, 256, 5)
        self.conv3 = nn.Conv2d(256, 384, 3)
        self.conv4 = nn.Conv2d(192, 384, 3)
        self.conv5 = nn.Conv2d(192, 256, 3)
        self.fc6 = nn.Linear(9216, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.conv2d(x, self.conv1.weight, self.conv1.bias, stride=4).relu()
        x = functional.max_pool2d(response_normalised(x), 3, 2)
        x = on_two_gpus(x, self.conv2, 2).relu()
        x = functional.max_pool2d(response_normalised(x), 3, 2)
        x = functional.conv2d(x, self.conv3.weight, self.conv3.bias, padding=1).relu()
        x = on_two_gpus(x, self.conv4, 1).relu()
        x = functional.max_pool2d(on_two_gpus(x, self.conv5, 1).relu(), 3, 2)
        for layer in (self.fc6, self.fc7):
            x = layer(x.flatten(1)).relu()
        return self.fc8(x)


def alexnet_d2l() -> nn.Module:
    """Zhang et al., section 8.1: the book's list of layers, dropout left out (it is off when compared)."""
    return nn.Sequential(
        nn.Conv2d(1, 96, 11, stride=4, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(6400, 4096),
        nn.ReLU(),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Linear(4096, 10),
    )
