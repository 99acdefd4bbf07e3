"""Cases of the locally connected layer."""

from __future__ import annotations

from tests.minidnn.case import Case

TORCH = "tests.torch_locally_connected.locally_connected2d"

CASES = [
    Case(
        "locally_connected2d",
        "plain",
        lambda draw: (draw.normal(2, 3, 5, 4), draw.normal(3, 3, 4, 3, 3, 2)),
        torch=TORCH,
    ),
    Case(
        "locally_connected2d",
        "bias-unbatched",
        lambda draw: (draw.normal(2, 4, 5), draw.normal(3, 3, 3, 2, 2, 3), draw.normal(3, 3, 3)),
        torch=TORCH,
    ),
    Case(
        "locally_connected2d",
        "stride-padding",
        lambda draw: (draw.normal(2, 2, 7, 6), draw.normal(5, 3, 3, 2, 3, 2), draw.normal(3, 5, 3)),
        {"stride": (2, 3), "padding": (2, 1)},
        torch=TORCH,
    ),
    Case(
        "locally_connected2d",
        "asymmetric-padding",
        lambda draw: (draw.normal(1, 2, 4, 5), draw.normal(4, 4, 3, 2, 3, 2), draw.normal(3, 4, 4)),
        {"padding": ((0, 2), (0, 0))},
        torch=TORCH,
    ),
    Case(
        "locally_connected2d",
        "positional-dilation",
        lambda draw: (
            draw.normal(2, 1, 7, 9),
            draw.normal(4, 3, 2, 1, 3, 2),
            draw.normal(2, 4, 3),
            2,
            (2, 0),
            (2, 3),
        ),
        torch=TORCH,
    ),
    Case(
        "locally_connected2d",
        "single-pixel",
        lambda draw: (draw.normal(1, 1, 1, 1), draw.normal(1, 1, 1, 1, 1, 1), draw.normal(1, 1, 1)),
        torch=TORCH,
    ),
    Case(
        "locally_connected2d",
        "empty-batch",
        lambda draw: (draw.normal(0, 2, 3, 4), draw.normal(2, 3, 3, 2, 2, 2), draw.normal(3, 2, 3)),
        torch=TORCH,
    ),
]
