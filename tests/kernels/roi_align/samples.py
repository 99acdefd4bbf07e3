"""Samples of ROI align."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.regions import REGIONS, drawn_regions
from tests.kernels.sample import Draw, Sample


def samples(
    label: str,
    shape: tuple[int, ...],
    regions: list[list[float]],
    bins: tuple[int, int],
    scale: float = 1.0,
    ratio: int = -1,
    aligned: bool = False,
) -> list[Sample]:
    """Both directions of one configuration."""
    options = (scale, ratio, aligned)

    def rois(draw: Draw) -> np.ndarray:
        return np.array(regions, draw.dtype).reshape(len(regions), 5)

    terms = _terms(regions, bins, scale, ratio)
    return [
        Sample(
            "roi_align_forward",
            label,
            lambda draw: (draw.normal(*shape), rois(draw), bins, *options),
            reduction_length=terms,
        ),
        Sample(
            "roi_align_backward",
            label,
            lambda draw: (draw.normal(len(regions), shape[1], *bins), rois(draw), shape, *options),
            reduction_length=terms * bins[0] * bins[1],
        ),
    ]


def _terms(regions: list[list[float]], bins: tuple[int, int], scale: float, ratio: int) -> int:
    """An upper bound of the terms in one bin of all regions: four for every sample."""
    per_bin = [
        math.prod(
            ratio if ratio > 0 else max(math.ceil(abs(high - low) * scale / count), 1)
            for low, high, count in ((y1, y2, bins[0]), (x1, x2, bins[1]))
        )
        for _, x1, y1, x2, y2 in regions
    ]
    return 4 * max(sum(per_bin), 1)


def both(label: str, *arguments: Any, **keywords: Any) -> list[Sample]:
    """With and without `aligned`."""
    return [
        *samples(label, *arguments, **keywords),
        *samples(f"{label}-aligned", *arguments, aligned=True, **keywords),
    ]


SHAPE = (2, 3, 7, 9)
# With `aligned` and the adaptive grid torchvision cannot allocate a region reversed along one axis only.
REVERSED = REGIONS["malformed"][:1]
SAMPLES = [
    *(
        sample
        for label, regions in REGIONS.items()
        for sample in both(f"{label}-fixed", SHAPE, regions, (2, 4), ratio=2)
    ),
    *(
        sample
        for label, regions in REGIONS.items()
        if label != "malformed"
        for sample in both(f"{label}-adaptive", SHAPE, regions, (4, 2))
    ),
    *samples("malformed-adaptive", SHAPE, REGIONS["malformed"], (2, 3)),
    *samples("reversed-adaptive-aligned", SHAPE, REVERSED, (2, 3), aligned=True),
    *both("three-bins", SHAPE, REGIONS["inside"], (3, 3), ratio=3),
    *both("one-bin", SHAPE, REGIONS["inside"], (1, 1)),
    *both("zero-means-adaptive", SHAPE, REGIONS["inside"], (2, 2), ratio=0),
    *both("scaled", SHAPE, [[0, 16, 20, 100, 90], [1, 8, 24, 72, 56]], (4, 2), 1 / 16),
    *both("enlarged", SHAPE, [[0, 0.5, 0.25, 3, 2], [1, 1, 1, 4, 3.25]], (2, 2), 2.0, ratio=1),
    *both("single-pixel", (1, 1, 1, 1), [[0, 0, 0, 0, 0], [0, -1, 0, 1, 2]], (2, 1), ratio=2),
    *both("no-channels", (1, 0, 4, 5), [[0, 0, 0, 2, 2]], (2, 2)),
    *both("empty-batch", (0, 2, 4, 5), [], (2, 2)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    batch = draw(st.integers(1, 2))
    shape = (batch, draw(st.integers(1, 3)), draw(st.integers(1, 8)), draw(st.integers(1, 8)))
    # Powers of two: sample positions are then exact, and no dtype steps over the border alone.
    size, ratio = st.sampled_from([1, 2, 4]), st.sampled_from([-1, 1, 2])
    rows = samples(
        "drawn",
        shape,
        draw(drawn_regions(batch)),
        (draw(size), draw(size)),
        draw(st.sampled_from([1.0, 0.5, 0.25])),
        draw(ratio),
        draw(st.booleans()),
    )
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _forward(
    x: np.ndarray, rois: np.ndarray, bins: tuple[int, int], scale: float, ratio: int, aligned: bool
) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch
    from tests.torchvision_bridge import torchvision_ops

    torchvision_ops()
    return torch.ops.torchvision.roi_align(to_torch(x), to_torch(rois), scale, *bins, ratio, aligned).numpy()


def _backward(
    grad_output: np.ndarray,
    rois: np.ndarray,
    shape: tuple[int, ...],
    scale: float,
    ratio: int,
    aligned: bool,
) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch
    from tests.torchvision_bridge import torchvision_ops

    torchvision_ops()
    return torch.ops.torchvision._roi_align_backward(
        to_torch(grad_output), to_torch(rois), scale, *grad_output.shape[2:], *shape, ratio, aligned
    ).numpy()


ORACLES = {"roi_align_forward": _forward, "roi_align_backward": _backward}
