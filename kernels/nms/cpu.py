"""Non-maximum suppression in Numba: a box against the kept ones of its class, a block of them at a time.

The kept boxes are packed side by side, so the comparison is vector code; it ends at the first block that
holds a box covering too much. Memory is linear in the number of boxes: there is no matrix of overlaps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import compiled, contiguous
from kernels.cpu.vector_math import like
from kernels.nms import batched_nms, nms
from kernels.nms.order import descending
from kernels.registry import implements

# Kept boxes compared between two looks at whether one of them covers too much.
BLOCK = 64


@compiled(rounding=True)
def _covered(box: Any, area: Any, kept: Any, kept_areas: Any, limit: Any) -> bool:
    """Whether a box of `kept` (4, M) overlaps `box` (4,) by more than `limit`."""
    left, top, right, bottom = kept
    hits = 0
    zero = like(area, 0)
    for k in range(kept_areas.size):
        x1 = box[0] if box[0] > left[k] else left[k]
        y1 = box[1] if box[1] > top[k] else top[k]
        x2 = box[2] if box[2] < right[k] else right[k]
        y2 = box[3] if box[3] < bottom[k] else bottom[k]
        width, height = x2 - x1, y2 - y1
        intersection = (width if width > zero else zero) * (height if height > zero else zero)
        hits += intersection / (area + kept_areas[k] - intersection) > limit
    return hits > 0


@compiled
def _keep(boxes: Any, areas: Any, classes: Any, limit: Any) -> Any:
    """Which of the boxes (K, 4) are kept (K,); they come class by class, in each by score."""
    keep = np.zeros(len(boxes), np.bool_)
    kept, kept_areas = np.empty((4, len(boxes)), boxes.dtype), np.empty(len(boxes), boxes.dtype)
    count = 0
    for i in range(len(boxes)):
        if i > 0 and classes[i] != classes[i - 1]:
            count = 0
        covered = False
        for block in range((count + BLOCK - 1) // BLOCK):
            part = slice(block * BLOCK, min((block + 1) * BLOCK, count))
            if _covered(boxes[i], areas[i], kept[:, part], kept_areas[part], limit):
                covered = True
                break
        if not covered:
            keep[i] = True
            kept[:, count], kept_areas[count] = boxes[i], areas[i]
            count += 1
    return keep


def _limit(iou_threshold: float, dtype: np.dtype[Any]) -> Any:
    """The largest number of the dtype that is not above the threshold: IoUs compare alike with both."""
    limit = dtype.type(iou_threshold)
    return np.nextafter(limit, dtype.type(-1)) if float(limit) > iou_threshold else limit


def _kept(boxes: Array, classes: Array, order: Array, iou_threshold: float) -> Array:
    """Those of `order` that are kept; it comes class by class."""
    ordered = boxes[order]  # (K, 4)
    areas = (ordered[:, 2] - ordered[:, 0]) * (ordered[:, 3] - ordered[:, 1])
    kept: Array = order[_keep(ordered, areas, contiguous(classes), _limit(iou_threshold, boxes.dtype))]
    return kept


@implements(nms, "blocks", "each box against the kept ones, 64 at a time, until one covers it")
def nms_blocks(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """All boxes are of one class."""
    return _kept(boxes, np.zeros(len(boxes), np.int64), descending(scores), iou_threshold)


@implements(batched_nms, "blocks", "class by class, each box against the kept ones, 64 at a time")
def batched_nms_blocks(boxes: Array, scores: Array, classes: Array, iou_threshold: float) -> Array:
    """Classes lie one behind the other; what is kept goes back into the order of all scores."""
    order = descending(scores)
    by_class = order[np.argsort(classes[order], kind="stable")]
    keep = np.zeros(len(boxes), bool)
    keep[_kept(boxes, classes[by_class], by_class, iou_threshold)] = True
    return order[keep[order]]
