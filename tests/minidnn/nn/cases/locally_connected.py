"""Cases of the locally connected layer."""

from __future__ import annotations

from tests.minidnn.case import ModuleCase

TORCH = "tests.torch_locally_connected.LocallyConnected2d"

CASES = [
    ModuleCase(
        "LocallyConnected2d",
        "plain",
        (3, 4, (5, 4), (3, 2)),
        {},
        lambda draw: (draw.normal(2, 3, 5, 4),),
        torch=TORCH,
    ),
    ModuleCase(
        "LocallyConnected2d",
        "stride-padding-no-bias",
        (2, 3, 6, 3),
        {"stride": (2, 3), "padding": (2, 1), "bias": False},
        lambda draw: (draw.normal(2, 2, 6, 6),),
        torch=TORCH,
    ),
    ModuleCase(
        "LocallyConnected2d",
        "dilation-unbatched",
        (2, 2, (7, 5), (3, 2), 1, 0, (2, 3)),
        {},
        lambda draw: (draw.normal(2, 7, 5),),
        torch=TORCH,
    ),
]
