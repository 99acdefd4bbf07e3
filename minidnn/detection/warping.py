"""Regions of an image as squares of one size, with some of their surroundings."""

from __future__ import annotations

import numpy as np

from kernels.array import Array, check_floating, check_integer
from minidnn.detection.boxes import check_boxes


def warp_regions(image: Array, boxes: Array, size: int = 227, padding: int = 16) -> Array:
    """Return each box's part of the image, enlarged or reduced to a square, whatever its shape.

    The box itself fills the square but for `padding` pixels at each side, which show what is around it.
    Values between pixels' centres are interpolated bilinearly; outside the image there are zeros, which stand
    for the mean where the mean has been subtracted.

        x of the result's column j:  x1 + (j + 1/2 - padding) / (size - 2 padding) (x2 - x1)

    Args:
        image: (C, H, W), its mean subtracted.
        boxes: (K, 4) of positive sides, of the image's dtype.
        size: height and width of the squares.
        padding: pixels of surroundings, less than half of `size`.

    Returns:
        (K, C, size, size), of the image's dtype.

    Raises:
        ValueError: another shape, a box without area or with a corner that is not finite, a size below 1,
            a padding that leaves nothing for the box.
        TypeError: another dtype than float32 or float64, mixed dtypes, sizes that are not integers.

    Source: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic
    segmentation", 2014, appendix A.
    """
    check_floating(image=image, boxes=boxes)
    check_boxes("boxes", boxes)
    if image.ndim != 3:
        raise ValueError(f"image must have shape (C, H, W), got {tuple(image.shape)}")
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError("boxes must have finite corners with x1 < x2 and y1 < y2, got one that has not")
    check_integer("size", size, minimum=1)
    if 2 * check_integer("padding", padding, minimum=0) >= size:
        raise ValueError(f"padding must be less than half of size {size}, got {padding}")
    places = (np.arange(size) + 0.5 - padding) / (size - 2 * padding)  # 0 and 1 are the box's sides
    warped = np.empty((len(boxes), image.shape[0], size, size), image.dtype)
    for square, (x1, y1, x2, y2) in zip(warped, boxes.astype(np.float64), strict=True):
        rows = _read_between(image, y1 + places * (y2 - y1))  # (C, size, W)
        columns = _read_between(rows.swapaxes(1, 2), x1 + places * (x2 - x1))  # (C, size, size), x first
        square[...] = columns.swapaxes(1, 2)
    return warped


def _read_between(image: Array, places: Array) -> Array:
    """The image (C, H, W) at places (K,) along its second axis, pixel i's centre being i + 1/2: (C, K, W)."""
    count = image.shape[1]
    lower = np.floor(places - 0.5).astype(np.int64)
    share = places - 0.5 - lower
    result = np.zeros((image.shape[0], len(places), image.shape[2]), image.dtype)
    for index, weight in ((lower, 1 - share), (lower + 1, share)):
        inside = (index >= 0) & (index < count)
        weights = np.where(inside, weight, 0).astype(image.dtype)
        result += image[:, np.clip(index, 0, count - 1)] * weights[:, None]
    return result
