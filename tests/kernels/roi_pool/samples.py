"""Samples of ROI pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernels.roi_pool import roi_pool_forward
from tests.kernels.planes import ties, with_holes
from tests.kernels.regions import REGIONS, drawn_regions
from tests.kernels.sample import Draw, Sample


def samples(
    label: str,
    shape: tuple[int, ...],
    regions: list[list[float]],
    bins: tuple[int, int],
    scale: float = 1.0,
    make: Any = Draw.normal,
) -> list[Sample]:
    """Both directions of one configuration."""

    def rois(draw: Draw) -> np.ndarray:
        return np.array(regions, draw.dtype).reshape(len(regions), 5)

    def backward(draw: Draw) -> tuple[Any, ...]:
        y, argmax = roi_pool_forward(make(draw, *shape), rois(draw), bins, scale)
        return draw.normal(*y.shape), argmax, rois(draw), shape

    return [
        Sample("roi_pool_forward", label, lambda draw: (make(draw, *shape), rois(draw), bins, scale)),
        Sample(
            "roi_pool_backward",
            label,
            backward,
            reduction_length=max(len(regions), 1) * bins[0] * bins[1],
        ),
    ]


SHAPE = (2, 3, 7, 9)
SAMPLES = [
    *(sample for label, regions in REGIONS.items() for sample in samples(label, SHAPE, regions, (2, 3))),
    *samples("one-bin", SHAPE, REGIONS["inside"], (1, 1)),
    *samples("more-bins-than-pixels", SHAPE, REGIONS["inside"], (9, 7)),
    *samples("scaled", SHAPE, [[0, 16, 20, 100, 90], [1, 8, 24, 72, 56]], (3, 2), 1 / 16),
    *samples("enlarged", SHAPE, [[0, 0.5, 0.25, 3, 2], [1, 1, 1, 4, 3.25]], (2, 2), 2.0),
    *samples("ties", SHAPE, REGIONS["inside"] + REGIONS["overlapping"], (3, 2), make=ties),
    *samples("nan", SHAPE, REGIONS["inside"], (2, 4), make=with_holes),
    *samples(
        "minus-infinity",
        SHAPE,
        REGIONS["inside"] + REGIONS["partly-outside"],
        (3, 4),
        make=lambda draw, *shape: with_holes(draw, *shape, value=-np.inf),
    ),
    *samples("single-pixel", (1, 1, 1, 1), [[0, 0, 0, 0, 0], [0, -1, 0, 1, 2]], (2, 1)),
    *samples("no-channels", (1, 0, 4, 5), [[0, 0, 0, 2, 2]], (2, 2)),
    *samples("empty-batch", (0, 2, 4, 5), [], (2, 2)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    batch = draw(st.integers(1, 2))
    shape = (batch, draw(st.integers(1, 3)), draw(st.integers(1, 8)), draw(st.integers(1, 8)))
    bins = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    make = draw(st.sampled_from([Draw.normal, ties, with_holes]))
    scale = draw(st.sampled_from([1.0, 0.5, 0.25]))
    rows = samples("drawn", shape, draw(drawn_regions(batch)), bins, scale, make)
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _forward(
    x: np.ndarray, rois: np.ndarray, bins: tuple[int, int], scale: float
) -> tuple[np.ndarray, np.ndarray]:
    import torch

    from tests.torch_bridge import to_torch
    from tests.torchvision_bridge import torchvision_ops

    torchvision_ops()
    y, argmax = torch.ops.torchvision.roi_pool(to_torch(x), to_torch(rois), scale, *bins)
    return y.numpy(), argmax.numpy().astype(np.int64)


def _backward(grad_output: np.ndarray, argmax: np.ndarray, rois: np.ndarray, shape: tuple[int, ...]) -> Any:
    import torch

    from tests.torch_bridge import to_torch
    from tests.torchvision_bridge import torchvision_ops

    torchvision_ops()
    return torch.ops.torchvision._roi_pool_backward(
        to_torch(grad_output),
        to_torch(rois),
        to_torch(argmax.astype(np.int32)),
        1.0,
        *grad_output.shape[2:],
        *shape,
    ).numpy()


ORACLES = {"roi_pool_forward": _forward, "roi_pool_backward": _backward}
