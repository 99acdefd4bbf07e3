"""YOLO v1 in plain PyTorch, written from the paper's figure 3."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

# (kernel, filters, stride) or None for a 2x2 pooling; figure 3 from left to right.
PRETRAINED = [
    (7, 64, 2), None,
    (3, 192, 1), None,
    (1, 128, 1), (3, 256, 1), (1, 256, 1), (3, 512, 1), None,
    (1, 256, 1), (3, 512, 1), (1, 256, 1), (3, 512, 1), (1, 256, 1), (3, 512, 1), (1, 256, 1), (3, 512, 1),
    (1, 512, 1), (3, 1024, 1), None,
    (1, 512, 1), (3, 1024, 1), (1, 512, 1), (3, 1024, 1),
]  # fmt: skip
ADDED = [(3, 1024, 1), (3, 1024, 2), (3, 1024, 1), (3, 1024, 1)]


class Network(torch.nn.Module):
    """Images (N, 3, 64 S, 64 S) to (N, S, S, 5 B + C)."""

    def __init__(self, cells: int, boxes: int, classes: int, hidden: int) -> None:
        super().__init__()
        layers, channels = [], 3
        self.convolutions = torch.nn.ModuleList()
        for entry in PRETRAINED + ADDED:
            layers.append("pool" if entry is None else len(self.convolutions))
            if entry is not None:
                kernel, filters, stride = entry
                self.convolutions.append(torch.nn.Conv2d(channels, filters, kernel, stride, kernel // 2))
                channels = filters
        self.layers = layers
        self.fc1 = torch.nn.Linear(1024 * cells * cells, hidden)
        self.fc2 = torch.nn.Linear(hidden, cells * cells * (5 * boxes + classes))
        self.shape = (cells, cells, 5 * boxes + classes)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            if layer == "pool":
                x = torch.nn.functional.max_pool2d(x, 2)
            else:
                x = leaky(self.convolutions[layer](x))
        x = self.fc2(leaky(self.fc1(x.reshape(len(x), -1))))
        return x.reshape(len(x), *self.shape)


def leaky(x: Any) -> Any:
    """The paper's equation 2."""
    return torch.where(x > 0, x, 0.1 * x)
