"""Cases of the layers that pool regions of interest."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kernels.regions import REGIONS
from tests.kernels.sample import Draw
from tests.minidnn.case import ModuleCase


def case(module: str, label: str, arguments: tuple[Any, ...], **keywords: Any) -> ModuleCase:
    def inputs(draw: Draw) -> tuple[Any, ...]:
        return draw.normal(2, 3, 7, 9), np.array(REGIONS["half-boundaries"], draw.dtype)

    return ModuleCase(
        module, label, arguments, keywords, inputs, torch=f"torchvision.ops.{module}", constants=(1,)
    )


CASES = [
    case("RoIPool", "grid", ((2, 4), 1.0)),
    case("RoIPool", "keywords", (), output_size=2, spatial_scale=0.5),
    case("RoIAlign", "adaptive", ((2, 4), 1.0, -1)),
    case("RoIAlign", "every-argument", (2, 0.5, 2, True)),
    case("RoIAlign", "keywords", (), output_size=(4, 2), spatial_scale=2.0, sampling_ratio=1),
]
