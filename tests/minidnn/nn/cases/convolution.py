"""Cases of the convolution layers."""

from __future__ import annotations

from tests.minidnn.case import ModuleCase

CASES = [
    ModuleCase("Conv2d", "plain", (3, 4, 3), {}, lambda draw: (draw.normal(2, 3, 6, 5),)),
    ModuleCase(
        "Conv2d",
        "odd",
        (3, 6, (3, 2)),
        {"stride": (2, 1), "padding": (1, 2), "bias": False},
        lambda draw: (draw.normal(2, 3, 7, 5),),
    ),
    ModuleCase(
        "Conv2d",
        "positional",
        (4, 6, (2, 3), (1, 2), 1, (2, 1), 2, True, "zeros"),
        {},
        lambda draw: (draw.normal(2, 4, 6, 7),),
    ),
    ModuleCase(
        "Conv2d", "same", (2, 3, (3, 5)), {"padding": "same"}, lambda draw: (draw.normal(2, 2, 6, 7),)
    ),
    ModuleCase("Conv2d", "valid", (2, 3, 2), {"padding": "valid"}, lambda draw: (draw.normal(2, 2, 4, 5),)),
    ModuleCase(
        "Conv2d",
        "depthwise",
        (3, 6, (3, 2)),
        {"groups": 3, "padding": 1},
        lambda draw: (draw.normal(2, 3, 5, 4),),
    ),
    ModuleCase("Conv2d", "unbatched", (2, 3, 3), {}, lambda draw: (draw.normal(2, 5, 4),)),
    ModuleCase(
        "Conv2d",
        "reflect",
        (2, 3, (3, 2)),
        {"padding": (2, 1), "padding_mode": "reflect", "stride": (1, 2)},
        lambda draw: (draw.normal(2, 2, 5, 6),),
    ),
    ModuleCase(
        "Conv2d",
        "replicate-same",
        (2, 3, (2, 4)),
        {"padding": "same", "padding_mode": "replicate"},
        lambda draw: (draw.normal(2, 2, 5, 6),),
    ),
    ModuleCase(
        "Conv2d",
        "replicate-unbatched",
        (2, 3, 3),
        {"padding": 1, "padding_mode": "replicate"},
        lambda draw: (draw.normal(2, 4, 5),),
    ),
    ModuleCase("LazyConv2d", "batch", (4, (3, 2)), {"groups": 2}, lambda draw: (draw.normal(2, 4, 5, 6),)),
    ModuleCase(
        "LazyConv2d",
        "unbatched",
        (4, 3, 2, 1),
        {"bias": False},
        lambda draw: (draw.normal(3, 5, 6),),
    ),
    ModuleCase("ConvTranspose2d", "plain", (3, 4, 3), {}, lambda draw: (draw.normal(2, 3, 4, 5),)),
    ModuleCase(
        "ConvTranspose2d",
        "odd",
        (3, 2, (3, 4)),
        {"stride": (2, 3), "padding": (1, 2), "output_padding": (1, 0), "bias": False},
        lambda draw: (draw.normal(2, 3, 4, 3),),
    ),
    ModuleCase(
        "ConvTranspose2d",
        "positional",
        (4, 6, (3, 2), (2, 1), 1, (1, 0), 2, True, (1, 2)),
        {},
        lambda draw: (draw.normal(2, 4, 3, 5),),
    ),
    ModuleCase(
        "ConvTranspose2d",
        "output-size",
        (2, 3, 3),
        {"stride": (2, 3), "padding": 1},
        lambda draw: (draw.normal(2, 2, 4, 3), [8, 9]),
    ),
    ModuleCase(
        "ConvTranspose2d",
        "output-shape-unbatched",
        (2, 3, 3),
        {"stride": 2},
        lambda draw: (draw.normal(2, 4, 3), [3, 10, 7]),
    ),
]
