"""Masks: from the small squares a mask head gives, to pixels of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array, check_floating
from kernels.window import Pair, pair
from minidnn.detection.boxes import check_boxes
from minidnn.functional import interpolate


def masks_of_labels(probabilities: Array, labels: Array) -> Array:
    """Return each detection's mask of its own class: from (K, C, M, M) and labels (K,), (K, 1, M, M)."""
    chosen: Array = probabilities[np.arange(len(labels)), labels]
    return chosen[:, None]


def paste_masks_in_image(masks: Array, boxes: Array, img_shape: Sequence[int], padding: int = 1) -> Array:
    """Return each mask enlarged to its box and set into an empty image.

    A mask is first given a border of `padding` zeros, and its box grows in proportion, so that
    the mask fades out across the box's edge. The grown corners are cut to whole pixels (towards 0), both
    of which the box then includes; the mask is enlarged bilinearly (`align_corners` off). What
    lies outside the image is lost.

    Args:
        masks: probabilities (K, 1, M, M).
        boxes: (K, 4), of the masks' dtype.
        img_shape: the image's (H, W).
        padding: the border.

    Returns:
        (K, 1, H, W).

    Raises:
        ValueError: another shape, corners that are not finite, or a size below 1.
        TypeError: another dtype than float32 or float64, or mixed dtypes.

    Source: He et al., "Mask R-CNN", 2017, section 3.1 ("Inference"); border and rounding as in torchvision.
    """
    check_floating(masks=masks, boxes=boxes)
    check_boxes("boxes", boxes)
    if masks.ndim != 4 or masks.shape[:2] != (len(boxes), 1) or masks.shape[2] != masks.shape[3]:
        raise ValueError(f"masks must have shape ({len(boxes)}, 1, M, M), got {tuple(masks.shape)}")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must have finite corners, got one that is not")
    size = pair("img_shape", img_shape, minimum=1)
    border = (padding, padding)
    padded = np.pad(masks, ((0, 0), (0, 0), border, border))  # (K, 1, M + 2 padding, M + 2 padding)
    grown = enlarge_boxes(boxes, padded.shape[-1] / masks.shape[-1]).astype(np.int64)
    images = np.zeros((len(boxes), 1, *size), masks.dtype)
    for image, mask, box in zip(images, padded, grown.tolist(), strict=True):
        _paste(image[0], mask, box)
    return images


def enlarge_boxes(boxes: Array, scale: float) -> Array:
    """Return the boxes (K, 4) `scale` times as large around their centres."""
    centre = (boxes[:, :2] + boxes[:, 2:]) * 0.5
    half = (boxes[:, 2:] - boxes[:, :2]) * 0.5 * scale
    return np.concatenate((centre - half, centre + half), axis=1)


def _paste(image: Array, mask: Array, box: Sequence[int]) -> None:
    """Write a mask (1, M, M) into the pixels of `image` (H, W) from x1 to x2 and y1 to y2, both included."""
    x1, y1, x2, y2 = box
    size: Pair = (max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1))
    enlarged = interpolate(mask[None], size=size, mode="bilinear").numpy()[0, 0]  # (y2 - y1 + 1, x2 - x1 + 1)
    height, width = image.shape
    top, bottom = max(y1, 0), min(y2 + 1, height)
    left, right = max(x1, 0), min(x2 + 1, width)
    if top < bottom and left < right:
        image[top:bottom, left:right] = enlarged[top - y1 : bottom - y1, left - x1 : right - x1]
