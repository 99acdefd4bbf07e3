"""Networks that are explored in the tests, with what a trace of them needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import minidnn
from minidnn import Tensor, functional, nn
from minidnn.tracing import OperationRecord, trace
from models.explorer.subject import Subject


class Everything(nn.Module):
    """One of each layer that can be inspected, on (1, 4, 11, 9)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)
        self.depthwise = nn.Conv2d(6, 12, 3, padding=1, groups=6, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.drop = nn.Dropout(0.4)
        self.pool = nn.MaxPool2d((2, 3), stride=1, padding=1)
        self.average = nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True)
        self.adaptive = nn.AdaptiveMaxPool2d((3, 2))
        self.head = nn.Linear(15 * 6, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(self.norm(self.depthwise(self.conv(x))))
        joined = minidnn.functional.cat([self.average(self.pool(y)), self.average(y)[:, :3]], 1)
        return self.head(self.adaptive(joined).flatten(1))


class Regions(nn.Module):
    """ROI pooling behind a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rois = np.array([[0, 1, 2, 17, 13], [0, 4.5, 0, 9, 21], [0, 30, 30, 60, 60]], np.float32)
        return functional.roi_pool(self.conv(x), rois, (3, 2), 0.5).mean((2, 3))


def subject_of(network: nn.Module, shape: tuple[int, ...], seed: int, name: str = "small") -> Subject:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((1, *shape)).astype(np.float32)
    picture = generator.integers(0, 256, shape[1:], dtype=np.uint8)
    return Subject(name, "A network of the tests.", network, x, picture, ("Image: random.",))


def records(build: Callable[[], nn.Module], shape: tuple[int, ...], seed: int) -> dict[str, OperationRecord]:
    """The operations by what they are; of several the first."""
    minidnn.manual_seed(seed)
    network = build().train()
    found: dict[str, Any] = {}
    for record in trace(network, subject_of(network, shape, seed).x, keep_arrays=True).operations:
        found.setdefault(record.module or record.function, record)
    return found
