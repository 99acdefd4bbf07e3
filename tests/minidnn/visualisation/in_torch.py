"""The same network in PyTorch, with the same weights. Skips where torch is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import nn
from tests.minidnn.visualisation.networks import CLASSES

torch = pytest.importorskip("torch")


def twin(model: nn.Module) -> Any:
    """The network of networks.py, in inference mode."""
    layers = torch.nn
    copy = layers.Sequential(
        layers.Conv2d(3, 6, (5, 4), stride=2, padding=1),
        layers.ReLU(),
        layers.LocalResponseNorm(3, alpha=0.1, k=2.0),
        layers.MaxPool2d(3, stride=2, ceil_mode=True),
        layers.Conv2d(6, 8, 3, padding=(1, 2), groups=2),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Linear(8 * 3 * 3, CLASSES),
    ).double()
    copy.load_state_dict(state_of(model))
    return copy.eval().requires_grad_(False)


def state_of(model: nn.Module) -> dict[str, Any]:
    return {name: torch.from_numpy(np.array(value)) for name, value in model.state_dict().items()}
