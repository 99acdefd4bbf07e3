"""What the contracts refuse, examples by hand, and properties of what is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.nms import batched_nms, nms
from kernels.nms.order import descending
from tests.kernels.nms.samples import crowd
from tests.kernels.sample import Draw
from tests.kernels.tables import host_versions

BOXES = np.array([[0.0, 0, 4, 4], [0, 0, 4, 3], [10, 10, 12, 12]])
SCORES = np.array([0.5, 0.9, 0.1])
CLASSES = np.array([0, 1, 0])
VERSIONS = host_versions("nms")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nms(BOXES[:, :3], SCORES, 0.5), ValueError, "boxes must have shape (K, 4), got (3, 3)"),
        (lambda: nms(BOXES[0], SCORES, 0.5), ValueError, "boxes must have shape (K, 4), got (4,)"),
        (lambda: nms(BOXES, SCORES[:2], 0.5), ValueError, "scores must have shape (3,), got (2,)"),
        (lambda: nms(BOXES, SCORES, -0.1), ValueError, "iou_threshold must be at least 0, got -0.1"),
        (lambda: nms(BOXES, SCORES, 1.5), ValueError, "iou_threshold must be at most 1, got 1.5"),
        (lambda: nms(BOXES, SCORES, float("nan")), ValueError, "iou_threshold must be finite"),
        (lambda: nms(BOXES, SCORES, "0.5"), TypeError, "iou_threshold must be a number"),
        (lambda: nms(BOXES.astype(int), SCORES, 0.5), TypeError, "boxes must have dtype"),
        (lambda: nms(BOXES, SCORES.astype(np.float32), 0.5), TypeError, "scores has dtype float32 but boxes"),
        (lambda: batched_nms(BOXES, SCORES, CLASSES[:1], 0.5), ValueError, "classes must have shape (3,)"),
        (lambda: batched_nms(BOXES, SCORES, SCORES, 0.5), TypeError, "classes must be an int64 array"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("version", VERSIONS)
def test_by_hand(version: str) -> None:
    """The second box covers 3/4 of the first; the third stands apart."""
    with kernels.use(nms=version, batched_nms=version):
        assert nms(BOXES, SCORES, 0.5).tolist() == [1, 2]
        assert nms(BOXES, SCORES, 0.75).tolist() == [1, 0, 2]
        assert batched_nms(BOXES, SCORES, CLASSES, 0.5).tolist() == [1, 0, 2]
        assert batched_nms(BOXES, SCORES, CLASSES * 0, 0.5).tolist() == [1, 2]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_suppressed_suppresses_nothing(version: str) -> None:
    """A row of boxes, each overlapping its neighbours by 3/5: every second one stays."""
    boxes = np.array([[i, 0.0, i + 4, 1] for i in range(5)])
    with kernels.use(nms=version):
        assert nms(boxes, np.linspace(1, 0, 5), 0.5).tolist() == [0, 2, 4]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_third_is_compared_in_the_boxes_dtype(version: str, dtype: Any) -> None:
    """1/3 in float32 is above the number 1/3 of a threshold, in float64 it is the same number."""
    boxes = np.array([[0, 0, 4, 4], [0, 2, 4, 6]], dtype)
    with kernels.use(nms=version):
        kept = nms(boxes, np.array([1, 0], dtype), 1 / 3)
    assert kept.tolist() == ([0] if dtype is np.float32 else [0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_versions_decide_alike_on_corners_of_any_kind(dtype: Any) -> None:
    """Thousands of overlaps that no dtype holds exactly, among them the threshold's own."""
    generator = np.random.default_rng(5)
    boxes = np.repeat(generator.uniform(0, 1, (40, 4)), 12, axis=0)
    boxes[:, 2:] += boxes[:, :2] + generator.choice([0.1, 0.2, 0.3], (480, 2))
    boxes, scores = boxes.astype(dtype), generator.uniform(0, 1, 480).astype(dtype)
    overlaps = _overlaps(boxes)
    for threshold in (1 / 3, float(overlaps[overlaps < 0.9].max()), float(np.median(overlaps))):
        kept = []
        for version in VERSIONS:
            with kernels.use(nms=version):
                kept.append(nms(boxes, scores, threshold).tolist())
        assert all(indices == kept[0] for indices in kept)


def _overlaps(boxes: np.ndarray) -> np.ndarray:
    """IoU (K, K) in the boxes' dtype."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return shared / (areas[:, None] + areas - shared)


def test_kept_boxes_do_not_overlap_and_the_others_are_covered() -> None:
    draw = Draw(8)
    boxes, scores = crowd(draw, 500, 40), draw.distinct(500)
    kept = nms(boxes, scores, 0.25)
    overlaps = _overlaps(boxes)
    assert np.all(np.diff(scores[kept]) < 0)
    assert np.all(overlaps[np.ix_(kept, kept)] - np.eye(len(kept)) <= 0.25)
    for other in np.setdiff1d(np.arange(500), kept):
        better = kept[scores[kept] > scores[other]]
        assert (overlaps[other, better] > 0.25).any()


def test_order_is_stable_with_nan_first() -> None:
    nan, infinite = np.nan, np.inf
    assert descending(np.array([1, 2, 1, nan, -infinite, 2, nan])).tolist() == [3, 6, 1, 5, 0, 2, 4]
    assert descending(np.array([])).tolist() == []
