"""Cases of resizing."""

from __future__ import annotations

from typing import Any

from tests.minidnn.case import Case


def interpolate(label: str, *shape: int, **keywords: Any) -> Case:
    return Case("interpolate", label, lambda draw: (draw.normal(*shape),), keywords)


CASES = [
    interpolate("nearest-3-size", 2, 3, 5, size=8),
    interpolate("nearest-3-sequence", 2, 3, 5, size=(3,)),
    interpolate("nearest-3-scale", 2, 3, 5, scale_factor=2.5),
    interpolate("nearest-4-size", 2, 3, 4, 5, size=7, mode="nearest"),
    interpolate("nearest-4-pair", 2, 3, 4, 5, size=[3, 9]),
    interpolate("nearest-4-scale", 2, 3, 4, 5, scale_factor=2),
    interpolate("nearest-4-scales", 2, 3, 4, 5, scale_factor=(0.5, 1.7)),
    interpolate("nearest-4-recompute", 2, 3, 4, 7, scale_factor=1.3, recompute_scale_factor=True),
    interpolate("nearest-4-no-recompute", 2, 3, 4, 7, scale_factor=1.3, recompute_scale_factor=False),
    interpolate("nearest-5-size", 1, 2, 3, 4, 5, size=(4, 2, 9)),
    interpolate("nearest-5-scale", 1, 2, 3, 4, 2, scale_factor=(1.0, 0.5, 3.0)),
    interpolate("nearest-single-pixel", 1, 1, 1, 1, scale_factor=3.0),
    interpolate("nearest-empty-batch", 0, 3, 4, 5, size=7),
    interpolate("bilinear-size", 2, 3, 4, 5, size=(7, 3), mode="bilinear"),
    interpolate("bilinear-not-aligned", 2, 3, 4, 5, size=7, mode="bilinear", align_corners=False),
    interpolate("bilinear-aligned", 2, 3, 4, 5, size=(7, 3), mode="bilinear", align_corners=True),
    interpolate("bilinear-scale", 2, 3, 4, 5, scale_factor=1.7, mode="bilinear"),
    interpolate("bilinear-scales", 2, 3, 4, 7, scale_factor=(2.0, 0.6), mode="bilinear"),
    interpolate("bilinear-scale-aligned", 2, 3, 4, 5, scale_factor=1.7, mode="bilinear", align_corners=True),
    interpolate(
        "bilinear-recompute", 2, 3, 4, 7, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True
    ),
    interpolate(
        "bilinear-no-recompute", 2, 3, 4, 7, scale_factor=1.3, mode="bilinear", recompute_scale_factor=False
    ),
    interpolate("bilinear-same-size", 2, 3, 3, 4, scale_factor=1.2, mode="bilinear"),
    interpolate("bilinear-to-one-pixel", 2, 3, 4, 5, size=1, mode="bilinear", align_corners=True),
    interpolate("bilinear-single-pixel", 1, 1, 1, 1, size=(3, 2), mode="bilinear"),
    interpolate("bilinear-empty-batch", 0, 3, 4, 5, size=7, mode="bilinear"),
]
