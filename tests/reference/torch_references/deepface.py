"""DeepFace once more, in torch.nn."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from tests.torch_locally_connected import LocallyConnected2d


def deepface() -> nn.Module:
    """Taigman et al. 2014, figure 2: 32x11x11x3@142, 32x3x3x32@71, 16x9x9x32@63, 16x9x9x16@55, ..."""
    layers = [
        ("c1", nn.Conv2d(3, 32, 11)),
        ("relu1", nn.ReLU()),
        ("m2", nn.MaxPool2d(3, 2, ceil_mode=True)),
        ("c3", nn.Conv2d(32, 16, 9)),
        ("relu3", nn.ReLU()),
        ("l4", LocallyConnected2d(16, 16, 63, 9)),
        ("relu4", nn.ReLU()),
        ("l5", LocallyConnected2d(16, 16, 55, 7, 2)),
        ("relu5", nn.ReLU()),
        ("l6", LocallyConnected2d(16, 16, 25, 5)),
        ("relu6", nn.ReLU()),
        ("flatten", nn.Flatten()),
        ("f7", nn.Linear(16 * 21 * 21, 4096)),
        ("relu7", nn.ReLU()),
        ("f8", nn.Linear(4096, 4030)),
    ]
    return nn.Sequential(OrderedDict(layers))
