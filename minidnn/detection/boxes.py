"""Boxes on arrays: forms, areas, overlaps, clipping.

A box is [x1, y1, x2, y2] with x1 <= x2 and y1 <= y2 ("xyxy"): the corners, in pixels, of a half-open
rectangle, so that its width is x2 - x1. Nothing here is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kernels.array import Array, check_floating, check_number
from kernels.window import Pair, pair


def _from_xywh(boxes: Array) -> Array:
    return np.concatenate((boxes[..., :2], boxes[..., :2] + boxes[..., 2:]), axis=-1)


def _from_cxcywh(boxes: Array) -> Array:
    half = boxes[..., 2:] / 2
    return np.concatenate((boxes[..., :2] - half, boxes[..., :2] + half), axis=-1)


def _to_xywh(boxes: Array) -> Array:
    return np.concatenate((boxes[..., :2], boxes[..., 2:] - boxes[..., :2]), axis=-1)


def _to_cxcywh(boxes: Array) -> Array:
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate(((low + high) / 2, high - low), axis=-1)


_READ: dict[str, Callable[[Array], Array]] = {
    "xyxy": np.copy,
    "xywh": _from_xywh,
    "cxcywh": _from_cxcywh,
}
_WRITE: dict[str, Callable[[Array], Array]] = {"xyxy": np.copy, "xywh": _to_xywh, "cxcywh": _to_cxcywh}


def check_boxes(name: str, boxes: Array) -> None:
    """Require a floating array (K, 4).

    Raises:
        ValueError: another shape.
        TypeError: another dtype than float32 or float64, or no array.
    """
    check_floating(analytic=False, **{name: boxes})
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{name} must have shape (K, 4), got {tuple(boxes.shape)}")


def box_convert(boxes: Array, in_fmt: str, out_fmt: str) -> Array:
    """Return the boxes (K, 4) in another form.

        xyxy:    x1, y1, x2, y2                         both corners
        xywh:    x1, y1, x2 - x1, y2 - y1               upper left corner and size
        cxcywh:  (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1    centre and size

    Raises:
        ValueError: another shape or form.
        TypeError: another dtype than float32 or float64.
    """
    check_boxes("boxes", boxes)
    for name, form in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if form not in _READ:
            raise ValueError(f"{name} must be one of {', '.join(_READ)}, got {form!r}")
    return boxes.copy() if in_fmt == out_fmt else _WRITE[out_fmt](_READ[in_fmt](boxes))


def box_area(boxes: Array) -> Array:
    """Return (x2 - x1) (y2 - y1) for boxes (K, 4), as (K,).

    Raises:
        ValueError, TypeError: as `box_convert`.
    """
    check_boxes("boxes", boxes)
    area: Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def box_intersection(boxes1: Array, boxes2: Array) -> Array:
    """Return the areas (K, L) that each of boxes1 (K, 4) shares with each of boxes2 (L, 4).

    Raises:
        ValueError: another shape.
        TypeError: another dtype than float32 or float64, or mixed dtypes.
    """
    check_boxes("boxes1", boxes1)
    check_boxes("boxes2", boxes2)
    check_floating(boxes1=boxes1, boxes2=boxes2)
    low = np.maximum(boxes1[:, None, :2], boxes2[None, :, :2])  # (K, L, 2)
    high = np.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    size = np.maximum(high - low, 0)
    shared: Array = size[..., 0] * size[..., 1]
    return shared


def box_iou(boxes1: Array, boxes2: Array) -> Array:
    """Return the intersection over union (K, L) of each of boxes1 (K, 4) with each of boxes2 (L, 4).

        IoU(a, b) = |a and b| / |a or b|,   |a or b| = |a| + |b| - |a and b|

    Two boxes without area have 0. (torchvision has 0/0 there, which no matcher can compare.)

    Raises:
        ValueError, TypeError: as `box_intersection`.

    Source: Everingham et al., "The PASCAL visual object classes (VOC) challenge", IJCV 2010, section 4.2.
    """
    shared, union = _intersection_and_union(boxes1, boxes2)
    return ratio(shared, union)


def generalized_box_iou(boxes1: Array, boxes2: Array) -> Array:
    """Return the generalised IoU (K, L), in (-1, 1]: it tells near boxes from far ones that share nothing.

        GIoU(a, b) = IoU(a, b) - (|c| - |a or b|) / |c|,   c the smallest box around a and b

    Raises:
        ValueError, TypeError: as `box_intersection`.

    Source: Rezatofighi et al., "Generalized intersection over union", CVPR 2019, algorithm 1.
    """
    shared, union = _intersection_and_union(boxes1, boxes2)
    low = np.minimum(boxes1[:, None, :2], boxes2[None, :, :2])  # (K, L, 2)
    high = np.maximum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    size = np.maximum(high - low, 0)
    hull = size[..., 0] * size[..., 1]
    return ratio(shared, union) - ratio(hull - union, hull)


def _intersection_and_union(boxes1: Array, boxes2: Array) -> tuple[Array, Array]:
    shared = box_intersection(boxes1, boxes2)
    return shared, box_area(boxes1)[:, None] + box_area(boxes2)[None, :] - shared


def ratio(part: Array, whole: Array) -> Array:
    """Return part / whole, 0 where the whole is 0."""
    zero = np.zeros(np.broadcast(part, whole).shape, np.result_type(part, whole, np.float32))
    quotient: Array = np.divide(part, whole, out=zero, where=np.asarray(whole) != 0)
    return quotient


def clip_boxes_to_image(boxes: Array, size: Pair) -> Array:
    """Return the boxes (..., 4) with corners moved into the image of `size` (H, W): x in [0, W], y in [0, H].

    Raises:
        ValueError: a last axis other than 4, or a size below 1.
        TypeError: another dtype than float32 or float64.
    """
    check_floating(boxes=boxes)
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"boxes must have shape (..., 4), got {tuple(boxes.shape)}")
    height, width = pair("size", size, minimum=1)
    clipped: Array = np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))
    return clipped


def remove_small_boxes(boxes: Array, min_size: float) -> Array:
    """Return the indices of the boxes (K, 4) of which no side is shorter than `min_size`.

    Raises:
        ValueError: another shape, or a negative size.
        TypeError: another dtype than float32 or float64.
    """
    check_boxes("boxes", boxes)
    size = boxes[:, 2:] - boxes[:, :2]  # (K, 2)
    return np.flatnonzero((size >= check_number("min_size", min_size, minimum=0)).all(axis=1))
