"""Cases of the resizing layer."""

from __future__ import annotations

from typing import Any

from tests.minidnn.case import ModuleCase


def upsample(label: str, *shape: int, **keywords: Any) -> ModuleCase:
    return ModuleCase("Upsample", label, (), keywords, lambda draw: (draw.normal(*shape),))


CASES = [
    upsample("nearest-scale", 2, 3, 4, 5, scale_factor=2),
    upsample("nearest-size", 2, 3, 5, size=(8,)),
    upsample("nearest-volume", 1, 2, 3, 2, 4, scale_factor=(2, 1, 1.5)),
    upsample("bilinear-scale", 2, 3, 4, 5, scale_factor=1.5, mode="bilinear"),
    upsample("bilinear-aligned", 2, 3, 4, 5, size=(7, 9), mode="bilinear", align_corners=True),
    upsample(
        "bilinear-recompute", 2, 3, 4, 7, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True
    ),
]
