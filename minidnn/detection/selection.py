"""From the boxes and scores of all regions and classes to an image's detections."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.nms import batched_nms
from kernels.window import Pair
from minidnn.detection.boxes import clip_boxes_to_image, remove_small_boxes

# Detections with a shorter side are dropped.
SMALLEST_SIDE = 1e-2


def select_detections(
    boxes: Array, scores: Array, image_shape: Pair, score_thresh: float, nms_thresh: float, most: int
) -> dict[str, Array]:
    """Return {"boxes" (D, 4), "labels" (D,), "scores" (D,)}, best first; labels count from 1.

    Boxes are clipped to the image; those with a side below 0.01 or a score not above `score_thresh` are
    dropped. Then a box goes whose IoU with a better one of its class is above `nms_thresh`, and of the rest
    the best `most` stay.

    Args:
        boxes: each region's box for each class, (P, C, 4).
        scores: (P, C).
        image_shape: (H, W).
        score_thresh, nms_thresh, most: as above.
    """
    clipped = clip_boxes_to_image(boxes, image_shape).reshape(-1, 4)
    likely = scores.reshape(-1)
    labels = np.tile(np.arange(1, scores.shape[1] + 1), len(scores))
    keep = remove_small_boxes(clipped, SMALLEST_SIDE)
    keep = keep[likely[keep] > score_thresh]
    kept = batched_nms(clipped[keep], likely[keep], labels[keep], nms_thresh)
    best = keep[kept[:most]]
    return {"boxes": clipped[best], "labels": labels[best], "scores": likely[best]}
