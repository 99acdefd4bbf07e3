"""A small classifier with all that the methods must pass, and images with unequal sides."""

from __future__ import annotations

import numpy as np

import minidnn
from minidnn import nn

HEIGHT, WIDTH, CLASSES = 27, 23, 5


def network() -> nn.Module:
    """Strides, overlapping and overhanging pooling, groups, normalisation, dropout; weights in float64."""
    minidnn.manual_seed(4)
    model = nn.Sequential(
        nn.Conv2d(3, 6, (5, 4), stride=2, padding=1),
        nn.ReLU(),
        nn.LocalResponseNorm(3, alpha=0.1, k=2.0),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        nn.Conv2d(6, 8, 3, padding=(1, 2), groups=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8 * 3 * 3, CLASSES),
    )
    return model.double()


def images(count: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3, HEIGHT, WIDTH))
