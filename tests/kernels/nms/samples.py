"""Samples of non-maximum suppression; corners in quarters, so that every dtype sees the same overlaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Draw, Sample


def crowd(draw: Draw, count: int, size: float) -> np.ndarray:
    """Boxes (count, 4) in quarters of a pixel, on a plane so small that many overlap."""
    corners = draw.uniform(count, 2, high=size)
    sides = draw.uniform(count, 2, low=0.5, high=size / 2)
    return np.round(np.concatenate((corners, corners + sides), axis=1) * 4) / 4


def tied_scores(draw: Draw, count: int) -> np.ndarray:
    """Scores (count,) of which about every third occurs more than once."""
    return (draw.integers(0, 2 * count, count) / (2 * count)).astype(np.float32).astype(draw.dtype)


def both(label: str, boxes: Any, scores: Any, threshold: float, classes: int = 3) -> list[Sample]:
    """Both operations on the same boxes and scores, each a table of values or a function of the Draw."""

    def given(value: Any, draw: Draw) -> np.ndarray:
        return value(draw) if callable(value) else np.array(value, draw.dtype)

    def single(draw: Draw) -> tuple[Any, ...]:
        return given(boxes, draw).reshape(-1, 4), given(scores, draw), threshold

    def batched(draw: Draw) -> tuple[Any, ...]:
        corners, values, _ = single(draw)
        return corners, values, draw.integers(0, classes, len(values)) - 1, threshold

    return [Sample("nms", label, single), Sample("batched_nms", label, batched)]


def random(label: str, count: int, size: float, threshold: float, classes: int = 3) -> list[Sample]:
    return both(
        label,
        lambda draw: crowd(draw, count, size),
        lambda draw: tied_scores(draw, count),
        threshold,
        classes,
    )


NAN, INFINITE = float("nan"), float("inf")
# IoU 1/2 with the first, 1 with the first, 1/3 with the first.
EXACT = [[0, 0, 4, 4], [0, 0, 4, 2], [0, 0, 4, 4], [0, 2, 4, 6]]
ODD = [[0, 0, 4, 4], [4, 4, 0, 0], [3, 1, 1, 5], [2, 2, 2, 2], [2, 2, 2, 2], [0, NAN, 4, 4], [0, 0, 4, 4]]
SAMPLES = [
    *both("the-threshold-itself", EXACT, [0.9, 0.8, 0.7, 0.6], 0.5, 1),
    *both("below-the-threshold", EXACT, [0.9, 0.8, 0.7, 0.6], 0.25, 1),
    *both("threshold-0", [*EXACT, [4, 4, 6, 6]], [0.1, 0.2, 0.3, 0.4, 0.5], 0.0, 2),
    *both("threshold-1", EXACT, [0.1, 0.1, 0.1, 0.1], 1.0, 1),
    *both("all-tied", EXACT, [0.5, 0.5, 0.5, 0.5], 0.25, 2),
    *both("odd-boxes", ODD, [0.1, 0.3, 0.2, 0.5, 0.4, 0.6, 0.05], 0.25, 1),
    *both("infinite", [[0, 0, INFINITE, 4], [0, 0, INFINITE, 4], [0, 0, 2, 2]], [0.1, 0.2, 0.3], 0.5, 1),
    *both("scores-not-finite", EXACT, [-INFINITE, NAN, INFINITE, NAN], 0.25, 2),
    *random("sparse", 150, 60, 0.5),
    *random("crowded", 150, 8, 0.25, 2),
    # With many kept boxes the comparison runs over several blocks.
    *random("blocks", 200, 60, 0.75, 1),
    *both("none", [], [], 0.5),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    quarters = st.integers(-12, 24).map(lambda number: number / 4)
    boxes = draw(st.lists(st.lists(quarters, min_size=4, max_size=4), max_size=9))
    scores = draw(st.lists(st.integers(0, 5), min_size=len(boxes), max_size=len(boxes)))
    threshold = draw(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
    return draw(st.sampled_from(both("drawn", boxes, scores, threshold, draw(st.integers(1, 3)))))


STRATEGY = _drawn()


def _nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    from tests.torch_bridge import to_torch
    from tests.torchvision_bridge import torchvision_ops

    return torchvision_ops().nms(to_torch(boxes), to_torch(scores), threshold).numpy()


def _batched(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Torchvision's operator on each class; its own batched form leaves the order of ties open."""
    kept = [
        members[_nms(boxes[members], scores[members], threshold)]
        for members in (np.flatnonzero(classes == label) for label in np.unique(classes))
    ]
    order = np.sort(np.concatenate([np.empty(0, np.int64), *kept]))
    from tests.torch_bridge import to_torch

    return order[to_torch(scores[order]).argsort(descending=True, stable=True).numpy()]


ORACLES = {"nms": _nms, "batched_nms": _batched}
