"""Non-maximum suppression on the GPU: all overlaps as bits, then one block walks over them, see nms.cu."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import THREADS, Source, c_type, contiguous, empty_beside, floating
from kernels.nms import batched_nms, nms
from kernels.registry import implements

SOURCE = Source(__file__, "nms.cu")
IDEA = "a bit for every two boxes, and one block that takes the boxes in their order"
BITS = 64


def _kept(boxes: Any, scores: Any, classes: Any, iou_threshold: float) -> Any:
    """How many are kept only the device knows: the host waits for that number."""
    boxes, count = contiguous(boxes), boxes.shape[0]
    kept = empty_beside(boxes, (count,), np.int64)
    if not count:
        return kept
    macros = {"REAL": c_type(boxes.dtype)}
    order = empty_beside(boxes, (count,), np.int64)
    SOURCE.launch_each("rank_boxes", count, (contiguous(scores), order, np.int64(count)), macros)
    words = -(-count // BITS)
    covers = empty_beside(boxes, (count, words), np.uint64)
    sizes = map(np.int64, (covers.size, count, words))
    arguments = (boxes, contiguous(classes), order, covers, *sizes, np.float64(iou_threshold))
    SOURCE.launch_each("find_overlaps", covers.size, arguments, macros)
    covered, kept_count = empty_beside(boxes, (words,), np.uint64), empty_beside(boxes, (), np.int64)
    arguments = (order, covers, covered, kept, kept_count, np.int64(count), np.int64(words))
    SOURCE.launch("keep_boxes", (1,), (THREADS,), arguments, macros)
    return kept[: int(kept_count.get())]


@implements(nms, "bits", IDEA, fits=floating)
def nms_bits(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """All boxes are of one class."""
    kept: Array = _kept(boxes, scores, None, iou_threshold)
    return kept


@implements(batched_nms, "bits", IDEA, fits=floating)
def batched_nms_bits(boxes: Array, scores: Array, classes: Array, iou_threshold: float) -> Array:
    """Boxes of different classes do not cover each other."""
    kept: Array = _kept(boxes, scores, classes, iou_threshold)
    return kept
