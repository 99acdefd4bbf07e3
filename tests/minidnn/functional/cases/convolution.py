"""Cases of convolution and transposed convolution."""

from __future__ import annotations

from tests.minidnn.case import Case

CASES = [
    Case("conv2d", "plain", lambda draw: (draw.normal(2, 3, 6, 5), draw.normal(4, 3, 3, 2))),
    Case("conv2d", "bias", lambda draw: (draw.normal(2, 3, 6, 5), draw.normal(4, 3, 3, 2), draw.normal(4))),
    Case(
        "conv2d",
        "stride-padding",
        lambda draw: (draw.normal(2, 2, 7, 6), draw.normal(3, 2, 3, 2), draw.normal(3)),
        {"stride": (2, 3), "padding": (2, 1)},
    ),
    Case(
        "conv2d",
        "positional",
        lambda draw: (draw.normal(2, 4, 7, 9), draw.normal(6, 2, 3, 2), draw.normal(6), 2, (1, 0), (1, 2), 2),
    ),
    Case(
        "conv2d",
        "one-element-tuples",
        lambda draw: (draw.normal(1, 2, 7, 6), draw.normal(3, 2, 3, 2)),
        {"stride": (2,), "padding": [1], "dilation": (2,)},
    ),
    Case(
        "conv2d",
        "dilation",
        lambda draw: (draw.normal(2, 2, 9, 7), draw.normal(3, 2, 3, 2), draw.normal(3)),
        {"dilation": (2, 3)},
    ),
    Case(
        "conv2d",
        "groups",
        lambda draw: (draw.normal(2, 4, 7, 5), draw.normal(6, 2, 3, 2), draw.normal(6)),
        {"stride": (2, 1), "groups": 2},
    ),
    Case(
        "conv2d",
        "depthwise",
        lambda draw: (draw.normal(2, 3, 5, 6), draw.normal(3, 1, 3, 2), draw.normal(3)),
        {"padding": (1, 0), "groups": 3},
    ),
    Case(
        "conv2d",
        "depthwise-multiplier",
        lambda draw: (draw.normal(2, 3, 5, 6), draw.normal(6, 1, 2, 3)),
        {"stride": (1, 2), "dilation": (2, 1), "groups": 3},
    ),
    Case(
        "conv2d",
        "same",
        lambda draw: (draw.normal(2, 2, 5, 6), draw.normal(3, 2, 3, 5), draw.normal(3)),
        {"padding": "same"},
    ),
    # Odd totals would make PyTorch warn of its copy: the kernels' samples hold the asymmetric windows.
    Case(
        "conv2d",
        "same-dilated",
        lambda draw: (draw.normal(2, 2, 5, 6), draw.normal(3, 2, 2, 4)),
        {"padding": "same", "dilation": 2},
    ),
    Case(
        "conv2d",
        "valid",
        lambda draw: (draw.normal(2, 2, 5, 6), draw.normal(3, 2, 2, 3)),
        {"padding": "valid", "stride": 2},
    ),
    Case("conv2d", "unbatched", lambda draw: (draw.normal(2, 5, 4), draw.normal(3, 2, 3, 2), draw.normal(3))),
    Case(
        "conv2d",
        "unbatched-depthwise",
        lambda draw: (draw.normal(2, 5, 4), draw.normal(2, 1, 3, 2)),
        {"groups": 2},
    ),
    Case("conv2d", "single-pixel", lambda draw: (draw.normal(1, 1, 1, 1), draw.normal(1, 1, 1, 1))),
    Case(
        "conv2d",
        "empty-batch",
        lambda draw: (draw.normal(0, 2, 5, 4), draw.normal(3, 2, 3, 2), draw.normal(3)),
    ),
    Case(
        "conv_transpose2d",
        "output-padding-all-there-is",
        lambda draw: (draw.normal(2, 3, 4, 3), draw.normal(3, 4, 2, 3), draw.normal(4)),
        {"padding": (3, 2), "dilation": 2, "output_padding": (1, 0)},
    ),
    Case("conv_transpose2d", "plain", lambda draw: (draw.normal(2, 3, 4, 5), draw.normal(3, 4, 3, 2))),
    Case(
        "conv_transpose2d",
        "stride-padding",
        lambda draw: (draw.normal(2, 3, 4, 5), draw.normal(3, 2, 3, 4), draw.normal(2)),
        {"stride": (2, 3), "padding": (1, 2)},
    ),
    Case(
        "conv_transpose2d",
        "output-padding",
        lambda draw: (draw.normal(2, 2, 3, 4), draw.normal(2, 3, 3, 2), draw.normal(3)),
        {"stride": (2, 3), "padding": 1, "output_padding": (1, 2)},
    ),
    Case(
        "conv_transpose2d",
        "output-padding-by-dilation",
        lambda draw: (draw.normal(2, 2, 3, 4), draw.normal(2, 3, 2, 3), draw.normal(3)),
        {"output_padding": (2, 1), "dilation": (3, 2)},
    ),
    Case(
        "conv_transpose2d",
        "positional",
        lambda draw: (
            draw.normal(2, 4, 3, 5),
            draw.normal(4, 3, 3, 2),
            draw.normal(6),
            (2, 1),
            1,
            (1, 0),
            2,
            (1, 2),
        ),
    ),
    Case(
        "conv_transpose2d",
        "depthwise",
        lambda draw: (draw.normal(1, 3, 4, 3), draw.normal(3, 1, 4, 4)),
        {"stride": 2, "padding": 1, "groups": 3},
    ),
    Case(
        "conv_transpose2d",
        "unbatched",
        lambda draw: (draw.normal(2, 3, 4), draw.normal(2, 3, 3, 2), draw.normal(3)),
        {"stride": 2},
    ),
    Case(
        "conv_transpose2d",
        "empty-batch",
        lambda draw: (draw.normal(0, 2, 3, 4), draw.normal(2, 3, 3, 2), draw.normal(3)),
    ),
]
