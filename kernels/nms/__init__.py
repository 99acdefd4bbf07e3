"""Non-maximum suppression: the contracts of its two forms, over all boxes and class by class.

Source: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation",
2014, section 2.3; the arithmetic is that of torchvision.ops.nms.
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_indices, check_number, check_shape
from kernels.registry import dispatch

__all__ = ["batched_nms", "nms"]


def nms(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """Return the indices of the boxes that no better box covers, best first.

        kept = []
        for i in order of score:  keep i  unless  IoU(boxes[i], boxes[k]) > iou_threshold for a kept k

        IoU(a, b) = |a and b| / (|a| + |b| - |a and b|),   |a| = (x2 - x1) (y2 - y1)

    A box that was suppressed suppresses nothing.

    Shapes: boxes (K, 4) of [x1, y1, x2, y2], scores (K,); result (M,), M <= K.
    Dtypes: boxes and scores float32 or float64, the same; the result is int64.
    Edge contract: of equal scores the lower index comes first; a NaN score comes before every number, as in
        PyTorch's sort, so that it shows. IoU is computed in the boxes' dtype, each step rounded, and an IoU
        equal to the threshold suppresses nothing. An IoU that is NaN suppresses nothing either: two boxes
        without area have it, two of infinite area, and a box with a NaN corner. Boxes with reversed corners
        meet no other box. K may be 0.

    Raises:
        ValueError: another shape, or an iou_threshold outside [0, 1].
        TypeError: another dtype, mixed dtypes, or a threshold that is no number.
    """
    _check_scored_boxes(boxes, scores)
    return dispatch(nms, boxes, scores, _check_threshold(iou_threshold))


def batched_nms(boxes: Array, scores: Array, classes: Array, iou_threshold: float) -> Array:
    """Return the indices of the boxes that no better box of the same class covers, best first.

        kept = []
        for i in order of score:  keep i  unless  IoU(boxes[i], boxes[k]) > iou_threshold for a kept k
                                                  with classes[k] = classes[i]

    Shapes: boxes (K, 4) of [x1, y1, x2, y2], scores and classes (K,); result (M,), M <= K.
    Dtypes: boxes and scores float32 or float64, the same; classes int64, any values; the result is int64.
    Edge contract: as `nms`; the result is ordered over all classes. (Shifting each class's boxes to a place
        of its own, a customary trick, rounds the corners and may keep other boxes.)

    Raises:
        ValueError: as `nms`, or classes not (K,).
        TypeError: as `nms`, or classes that are not int64.
    """
    _check_scored_boxes(boxes, scores)
    check_indices("classes", classes)
    check_shape("classes", classes, scores.shape)
    return dispatch(batched_nms, boxes, scores, classes, _check_threshold(iou_threshold))


def _check_scored_boxes(boxes: Array, scores: Array) -> None:
    check_floating(boxes=boxes, scores=scores)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must have shape (K, 4), got {tuple(boxes.shape)}")
    check_shape("scores", scores, boxes.shape[:1])


def _check_threshold(iou_threshold: float) -> float:
    threshold = check_number("iou_threshold", iou_threshold, minimum=0)
    if threshold > 1:
        raise ValueError(f"iou_threshold must be at most 1, got {threshold}")
    return threshold
