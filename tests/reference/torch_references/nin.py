"""Network in network for ImageNet once more, in torch.nn."""

from __future__ import annotations

from torch import nn


def nin() -> nn.Module:
    """The authors' released network: maps, kernel, stride, padding; None for a pooling."""
    table = [
        (96, 11, 4, 0),
        (96, 1, 1, 0),
        (96, 1, 1, 0),
        None,
        (256, 5, 1, 2),
        (256, 1, 1, 0),
        (256, 1, 1, 0),
        None,
        (384, 3, 1, 1),
        (384, 1, 1, 0),
        (384, 1, 1, 0),
        None,
        (1024, 3, 1, 1),
        (1024, 1, 1, 0),
        (1000, 1, 1, 0),
    ]
    layers: list[nn.Module] = []
    channels = 3
    for row in table:
        if row is None:
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            continue
        maps, kernel, stride, padding = row
        layers += [nn.Conv2d(channels, maps, kernel, stride, padding), nn.ReLU()]
        channels = maps
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
