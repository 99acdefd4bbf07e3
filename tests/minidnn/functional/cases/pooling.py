"""Cases of pooling and unpooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kernels.planes import ties, with_holes
from tests.kernels.sample import Draw
from tests.minidnn.case import Case

HERE = __name__


def torch_global_avg_pool2d(x: Any) -> Any:
    import torch

    return torch.nn.functional.adaptive_avg_pool2d(x, (1, 1))


def torch_global_max_pool2d(x: Any) -> Any:
    import torch

    return torch.nn.functional.adaptive_max_pool2d(x, (1, 1))


def places(draw: Draw, planes: tuple[int, ...], pooled: tuple[int, int], size: int) -> np.ndarray:
    """Different indices into planes of `size` elements: (*planes, *pooled)."""
    count = pooled[0] * pooled[1]
    rows = [draw.generator.permutation(size)[:count] for _ in range(int(np.prod(planes)))]
    return np.array(rows, np.int64).reshape(*planes, *pooled)


INDICES = {"return_indices": True}
MAX = [
    Case("max_pool2d", "tiles", lambda draw: (draw.normal(2, 3, 6, 4), 2)),
    Case("max_pool2d", "ragged", lambda draw: (draw.normal(2, 3, 7, 5), (3, 2), (2, 1)), INDICES),
    Case("max_pool2d", "stride-not-given", lambda draw: (draw.normal(2, 2, 9, 8), (3, 2), None)),
    Case("max_pool2d", "one-element-tuples", lambda draw: (draw.normal(1, 2, 7, 6), (3,), (2,), (1,), (1,))),
    Case("max_pool2d", "lists", lambda draw: (draw.normal(1, 2, 7, 6), [3, 2], [2, 1], [1, 0], [1, 2])),
    Case("max_pool2d", "positional", lambda draw: (draw.normal(2, 2, 9, 8), 3, 2, 1, 2, True, True)),
    Case("max_pool2d", "padded", lambda draw: (-1 - draw.uniform(2, 2, 6, 7), (3, 4), 2, (1, 2)), INDICES),
    Case("max_pool2d", "dilated", lambda draw: (draw.normal(2, 2, 9, 8), (3, 2), 1, 0, (2, 3)), INDICES),
    Case(
        "max_pool2d",
        "ceil-window-above-input",
        lambda draw: (draw.normal(2, 2, 4, 2), 3, 2),
        {"ceil_mode": True},
    ),
    Case(
        "avg_pool2d",
        "ceil-window-above-input",
        lambda draw: (draw.normal(2, 2, 3, 1), (4, 2), 2),
        {"ceil_mode": True},
    ),
    Case(
        "max_pool2d",
        "ceil-dilated-window-above-input",
        lambda draw: (draw.normal(2, 5, 6), (3, 4), (3, 2), (1, 0), 2, True, True),
    ),
    Case("max_pool2d", "ceil", lambda draw: (draw.normal(2, 2, 6, 7), (3, 2), (2, 3)), {"ceil_mode": True}),
    Case("max_pool2d", "overlapping", lambda draw: (draw.normal(1, 3, 7, 9), 3, 2)),
    Case("max_pool2d", "ties", lambda draw: (ties(draw, 2, 2, 7, 6), 3, 2, 1), INDICES),
    Case("max_pool2d", "nan", lambda draw: (with_holes(draw, 2, 2, 6, 7), (2, 3)), INDICES),
    Case("max_pool2d", "unbatched", lambda draw: (draw.normal(3, 7, 5), (3, 2)), INDICES),
    Case("max_pool2d", "unbatched-output-only", lambda draw: (draw.normal(3, 7, 5), 2)),
    Case("max_pool2d", "single-pixel", lambda draw: (draw.normal(1, 1, 1, 1), 1)),
    Case("max_pool2d", "empty-batch", lambda draw: (draw.normal(0, 2, 6, 5), 2), INDICES),
]
AVERAGE = [
    Case("avg_pool2d", "tiles", lambda draw: (draw.normal(2, 3, 6, 4), 2)),
    Case("avg_pool2d", "ragged", lambda draw: (draw.normal(2, 3, 7, 5), (3, 2), (2, 1))),
    Case("avg_pool2d", "one-element-tuples", lambda draw: (draw.normal(1, 2, 7, 6), (3,), (2,), (1,))),
    Case(
        "avg_pool2d",
        "positional",
        lambda draw: (draw.normal(2, 2, 6, 7), [3, 2], [2, 3], [1, 0], True, False, 5),
    ),
    Case("avg_pool2d", "padded", lambda draw: (draw.normal(2, 2, 6, 7), (3, 4), 2), {"padding": (1, 2)}),
    Case(
        "avg_pool2d",
        "exclude-pad",
        lambda draw: (draw.normal(2, 2, 6, 7), (3, 4), 2, (1, 2)),
        {"count_include_pad": False},
    ),
    Case(
        "avg_pool2d",
        "ceil-padded",
        lambda draw: (draw.normal(1, 2, 5, 6), (2, 3), (3, 2), 1),
        {"ceil_mode": True},
    ),
    Case(
        "avg_pool2d",
        "ceil-exclude-pad",
        lambda draw: (draw.normal(1, 2, 5, 6), (2, 3), (3, 2), 1),
        {"ceil_mode": True, "count_include_pad": False},
    ),
    Case("avg_pool2d", "divisor", lambda draw: (draw.normal(2, 1, 5, 6), (2, 3)), {"divisor_override": 4}),
    Case("avg_pool2d", "unbatched", lambda draw: (draw.normal(3, 7, 5), (3, 2))),
    Case("avg_pool2d", "single-pixel", lambda draw: (draw.normal(1, 1, 1, 1), 1)),
    Case("avg_pool2d", "empty-batch", lambda draw: (draw.normal(0, 2, 6, 5), 2)),
]
ADAPTIVE = [
    *(
        Case(f"adaptive_{kind}_pool2d", label, inputs, keywords if kind == "max" else {})
        for kind in ("avg", "max")
        for label, inputs, keywords in [
            ("ragged", lambda draw: (draw.normal(2, 3, 7, 5), (3, 2)), INDICES),
            ("int", lambda draw: (draw.normal(2, 2, 7, 5), 3), INDICES),
            ("none-height", lambda draw: (draw.normal(2, 2, 4, 5), (None, 3)), INDICES),
            ("none-width", lambda draw: (draw.normal(2, 2, 4, 5), [3, None]), {}),
            ("overlapping", lambda draw: (draw.normal(1, 2, 5, 7), (4, 3)), INDICES),
            ("more-bins", lambda draw: (draw.normal(2, 1, 3, 2), (5, 7)), INDICES),
            ("one-bin", lambda draw: (draw.normal(2, 3, 4, 3), 1), INDICES),
            ("unbatched", lambda draw: (draw.normal(3, 7, 5), (3, 2)), INDICES),
            ("unbatched-one-bin", lambda draw: (draw.normal(3, 7, 5), (1, 1)), {}),
            ("empty-batch", lambda draw: (draw.normal(0, 2, 5, 4), (2, 3)), INDICES),
        ]
    ),
    Case("adaptive_max_pool2d", "positional-indices", lambda draw: (draw.normal(2, 2, 5, 7), (2, 3), True)),
    Case("adaptive_max_pool2d", "ties", lambda draw: (ties(draw, 2, 2, 7, 6), (3, 4)), INDICES),
    Case("adaptive_max_pool2d", "nan", lambda draw: (with_holes(draw, 2, 2, 5, 6), (3, 2)), INDICES),
    *(
        Case(f"global_{kind}_pool2d", label, inputs, torch=f"{HERE}.torch_global_{kind}_pool2d")
        for kind in ("avg", "max")
        for label, inputs in [
            ("ragged", lambda draw: (draw.normal(2, 3, 5, 4),)),
            ("unbatched", lambda draw: (draw.normal(3, 5, 4),)),
            ("one-row", lambda draw: (draw.normal(2, 1, 1, 6),)),
            ("empty-batch", lambda draw: (draw.normal(0, 2, 3, 4),)),
        ]
    ),
]
UNPOOL = [
    Case(
        "max_unpool2d", "tiles", lambda draw: (draw.normal(2, 3, 3, 2), places(draw, (2, 3), (3, 2), 24), 2)
    ),
    Case(
        "max_unpool2d",
        "window",
        lambda draw: (draw.normal(2, 2, 3, 4), places(draw, (2, 2), (3, 4), 70), (3, 2), (3, 3), (1, 0)),
    ),
    Case(
        "max_unpool2d",
        "size",
        lambda draw: (draw.normal(1, 2, 3, 2), places(draw, (1, 2), (3, 2), 35), 2),
        {"output_size": (7, 5)},
    ),
    Case(
        "max_unpool2d",
        "smaller-size-with-batch",
        lambda draw: (draw.normal(1, 2, 3, 2), places(draw, (1, 2), (3, 2), 20), 2, None, 0, [1, 2, 5, 4]),
    ),
    Case("max_unpool2d", "unbatched", lambda draw: (draw.normal(3, 3, 2), places(draw, (3,), (3, 2), 24), 2)),
    Case(
        "max_unpool2d",
        "unbatched-size",
        lambda draw: (draw.normal(3, 3, 2), places(draw, (3,), (3, 2), 28), 2),
        {"output_size": (7, 4)},
    ),
]
CASES = [*MAX, *AVERAGE, *ADAPTIVE, *UNPOOL]
