"""A tiny R-CNN, and scenes of plain colours that it can learn from in a second."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidnn import nn
from minidnn.detection.hard_negatives import MiningSettings
from minidnn.detection.selective_search import Strategies
from minidnn.functional import relu
from models.rcnn import RCNN, RegionSettings

CLASSES = 3  # the background, red squares, blue discs
SIZE, PADDING = 20, 3
POOLED, CONNECTED = 6 * 6 * 6, 24
MINING = MiningSettings(cost=0.01, retrain_after=50)
SETTINGS = RegionSettings(
    size=SIZE,
    padding=PADDING,
    strategies=Strategies(("hsv", "lab"), (("colour", "texture", "size", "fill"),), (50,)),
    min_side=8.0,
    batch_size=16,
    mining=MINING,
    penalty=1.0,
)


class TinyFeatures(nn.Module):
    """One convolution and one fully connected layer, as they are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 5, stride=3)  # 20 -> 6
        self.fc = nn.Linear(POOLED, CONNECTED)

    def forward(self, x: Any) -> Any:
        pooled = relu(self.conv(x)).flatten(1)
        return pooled, relu(self.fc(pooled))


def tiny_rcnn(num_classes: int = CLASSES, settings: RegionSettings = SETTINGS) -> RCNN:
    """For any images."""
    return RCNN(TinyFeatures(), POOLED, CONNECTED, num_classes, settings)


def scene(seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A grey image (3, 60, 80) with a red square in one half and a blue disc in the other."""
    generator = np.random.default_rng(seed)
    image = np.full((3, 60, 80), 0.5, np.float32)
    rows, columns = np.indices(image.shape[1:]) + 0.5
    boxes = []
    for place, colour in enumerate(([0.9, 0.1, 0.1], [0.1, 0.1, 0.9])):
        side = generator.integers(14, 28)
        x1 = (place + seed) % 2 * 40 + generator.integers(3, 38 - side)
        y1 = generator.integers(3, 58 - side)
        across, down = (columns - x1) / side - 0.5, (rows - y1) / side - 0.5
        inside = across**2 + down**2 <= 0.25 if place else np.maximum(abs(across), abs(down)) <= 0.5
        image[:, inside] = np.array(colour, np.float32)[:, None]
        boxes.append([x1, y1, x1 + side, y1 + side])
    noise = generator.normal(0, 0.01, image.shape).astype(np.float32)
    return np.clip(image + noise, 0, 1), {"boxes": np.array(boxes, np.float32), "labels": np.array([1, 2])}


def jittered(target: dict[str, np.ndarray], seed: int, count: int = 40) -> np.ndarray:
    """Regions near the objects and anywhere, (P, 4)."""
    generator = np.random.default_rng(seed)
    near = np.repeat(target["boxes"], count // 4, axis=0)
    near = near + generator.uniform(-4, 4, near.shape)
    low = generator.uniform(0, 50, (count // 2, 2))
    far = np.concatenate((low, low + generator.uniform(9, 20, low.shape)), axis=1)
    return np.concatenate((near, far)).astype(np.float32)
