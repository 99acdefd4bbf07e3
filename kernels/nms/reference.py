"""Non-maximum suppression in NumPy: the definition in loops, and a kept box against all that are left."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.nms import batched_nms, nms
from kernels.nms.order import descending
from kernels.registry import implements


def overlap(a: Array, b: Array) -> np.floating:
    """The intersection over union of two boxes [x1, y1, x2, y2]."""
    width = max(min(a[2], b[2]) - max(a[0], b[0]), a.dtype.type(0))
    height = max(min(a[3], b[3]) - max(a[1], b[1]), a.dtype.type(0))
    intersection = width * height
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    ratio: np.floating = intersection / (area_a + area_b - intersection)
    return ratio


@implements(nms, "loops", "the definition: each box against those kept before it")
def nms_loops(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """All boxes are of one class."""
    return batched_nms_loops(boxes, scores, np.zeros(len(boxes), np.int64), iou_threshold)


@implements(batched_nms, "loops", "the definition: each box against those of its class kept before it")
def batched_nms_loops(boxes: Array, scores: Array, classes: Array, iou_threshold: float) -> Array:
    """A box is kept unless a kept one of its class overlaps it too much."""
    kept: list[int] = []
    for i in descending(scores):
        rivals = [k for k in kept if classes[k] == classes[i]]
        if not any(overlap(boxes[i], boxes[k]) > np.float64(iou_threshold) for k in rivals):
            kept.append(i)
    return np.array(kept, np.int64)


@implements(nms, "rows", "each kept box strikes out those left in one row of operations")
def nms_rows(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """The best box that is left is kept; what it covers leaves with it."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # (K,)
    left = descending(scores)
    kept: list[int] = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[left, :2])  # (L, 2): the intersections' upper left corners
        high = np.minimum(boxes[best, 2:], boxes[left, 2:])
        width, height = np.maximum(high - low, 0).T
        intersection = width * height
        ratio = intersection / (areas[best] + areas[left] - intersection)
        left = left[~(ratio > np.float64(iou_threshold))]
    return np.array(kept, np.int64)


@implements(batched_nms, "rows", "class by class, then sorted by score")
def batched_nms_rows(boxes: Array, scores: Array, classes: Array, iou_threshold: float) -> Array:
    """What is kept of every class, in the order of all scores."""
    keep = np.zeros(len(boxes), bool)
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        keep[members[nms_rows(boxes[members], scores[members], iou_threshold)]] = True
    order = descending(scores)
    return order[keep[order]]
