"""Cases of the pooling layers."""

from __future__ import annotations

from tests.minidnn.case import ModuleCase
from tests.minidnn.functional.cases.pooling import places

CASES = [
    ModuleCase("MaxPool2d", "tiles", (2,), {}, lambda draw: (draw.normal(2, 3, 6, 4),)),
    ModuleCase(
        "MaxPool2d",
        "every-argument",
        ((3, 2), (2, 1), (1, 0), (1, 2), True, True),
        {},
        lambda draw: (draw.normal(2, 2, 7, 9),),
    ),
    ModuleCase(
        "MaxPool2d",
        "keywords",
        (),
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        lambda draw: (draw.normal(3, 8, 7),),
    ),
    ModuleCase("AvgPool2d", "tiles", (2,), {}, lambda draw: (draw.normal(2, 3, 6, 4),)),
    ModuleCase(
        "AvgPool2d",
        "every-argument",
        ((3, 2), (2, 1), 1, True, False, 5),
        {},
        lambda draw: (draw.normal(2, 2, 6, 7),),
    ),
    ModuleCase(
        "AvgPool2d",
        "keywords",
        (3,),
        {"stride": 2, "padding": 1, "count_include_pad": False},
        lambda draw: (draw.normal(2, 8, 7),),
    ),
    ModuleCase("AdaptiveAvgPool2d", "grid", ((3, 2),), {}, lambda draw: (draw.normal(2, 3, 7, 5),)),
    ModuleCase("AdaptiveAvgPool2d", "one-bin", (1,), {}, lambda draw: (draw.normal(2, 3, 7, 5),)),
    ModuleCase("AdaptiveAvgPool2d", "none", ((None, 2),), {}, lambda draw: (draw.normal(3, 4, 5),)),
    ModuleCase("AdaptiveMaxPool2d", "grid", ((3, 2),), {}, lambda draw: (draw.normal(2, 3, 7, 5),)),
    ModuleCase(
        "AdaptiveMaxPool2d", "indices", (2,), {"return_indices": True}, lambda draw: (draw.normal(3, 7, 5),)
    ),
    ModuleCase(
        "MaxUnpool2d",
        "tiles",
        (2,),
        {},
        lambda draw: (draw.normal(2, 3, 3, 2), places(draw, (2, 3), (3, 2), 24)),
    ),
    ModuleCase(
        "MaxUnpool2d",
        "window-and-size",
        ((3, 2), (3, 3), (1, 0)),
        {},
        lambda draw: (draw.normal(2, 2, 3, 4), places(draw, (2, 2), (3, 4), 72), (6, 12)),
    ),
]
