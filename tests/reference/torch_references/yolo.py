"""YOLO's classifier once more, in torch.nn."""

from __future__ import annotations

from torch import nn

from tests.models.detection.yolo_in_torch import PRETRAINED


def classifier() -> nn.Module:
    """Redmon et al. 2015, section 2.2: the first 20 convolutions of figure 3, average pooling, one layer."""
    layers: list[nn.Module] = []
    channels = 3
    for row in PRETRAINED:
        if row is None:
            layers.append(nn.MaxPool2d(2))
            continue
        kernel, filters, stride = row
        layers += [nn.Conv2d(channels, filters, kernel, stride, kernel // 2), nn.LeakyReLU(0.1)]
        channels = filters
    return nn.Sequential(
        nn.Sequential(*layers),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)),
    )
