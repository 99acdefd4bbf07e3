"""Cases of ROI pooling and ROI align."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.kernels.regions import REGIONS
from tests.kernels.sample import Draw
from tests.minidnn.case import Case

SHAPE = (2, 3, 7, 9)


def case(name: str, label: str, regions: Any, *arguments: Any, **keywords: Any) -> Case:
    """Regions as rows (K, 5), or as a tuple with the boxes (L, 4) of each image."""

    def boxes(draw: Draw) -> Any:
        if isinstance(regions, tuple):
            return [np.array(image, draw.dtype).reshape(len(image), 4) for image in regions]
        return np.array(regions, draw.dtype).reshape(len(regions), 5)

    return Case(
        name,
        label,
        lambda draw: (draw.normal(*SHAPE), boxes(draw), *arguments),
        keywords,
        torch=f"torchvision.ops.{name}",
        constants=(1,),
    )


def both(label: str, regions: Any, *arguments: Any, **keywords: Any) -> list[Case]:
    return [case(name, label, regions, *arguments, **keywords) for name in ("roi_pool", "roi_align")]


SCALED = [[0, 16, 20, 100, 90], [1, 8, 24, 72, 56]]
IMAGES = ([[1, 1, 6, 5], [2.25, 1.75, 5.5, 4.25]], [[0, 0, 8, 6]])
ALIGN: list[tuple[str, str, Mapping[str, Any]]] = [
    ("fixed", "inside", {"sampling_ratio": 2}),
    ("fixed-aligned", "inside", {"sampling_ratio": 3, "aligned": True}),
    ("adaptive-aligned", "partly-outside", {"aligned": True}),
    ("zero-is-adaptive", "overlapping", {"sampling_ratio": 0}),
    ("half-boundaries-aligned", "half-boundaries", {"sampling_ratio": 2, "aligned": True}),
    ("one-pixel-aligned", "one-pixel", {"sampling_ratio": 2, "aligned": True}),
]
CASES = [
    *(one for label, regions in REGIONS.items() for one in both(label, regions, (2, 4))),
    *both("int-size", REGIONS["inside"], 2),
    *both("scaled", SCALED, (4, 2), 1 / 16),
    *both("scale-by-name", SCALED, [2, 2], spatial_scale=1 / 8),
    *both("list-of-boxes", IMAGES, (2, 2)),
    *both("tuple-with-an-empty-image", ([], [[1, 1, 6, 5]]), (2, 2), 0.5),
    *(case("roi_align", label, REGIONS[name], (2, 4), **keywords) for label, name, keywords in ALIGN),
    case("roi_align", "positional", REGIONS["inside"], (2, 2), 0.5, 2, True),
]
