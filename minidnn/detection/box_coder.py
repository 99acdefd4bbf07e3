"""How a regressor's numbers say a box: relative to a proposal, in steps of its own size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kernels.array import Array, check_floating, check_number
from minidnn.detection.boxes import box_convert, check_boxes

# A regressor may say that a 16-pixel anchor is a box of 1000 pixels, but no more: exp would overflow.
LARGEST_GROWTH = math.log(1000 / 16)


class BoxCoder:
    """Codes boxes g relative to proposals p, both as centre (x, y) and size (w, h):

        code = [wx (gx - px) / pw,  wy (gy - py) / ph,  ww log(gw / pw),  wh log(gh / ph)]

    The weights bring the four numbers to about unit variance.

    Args:
        weights: wx, wy, ww, wh, all positive: (1, 1, 1, 1) for the region proposal network, (10, 10, 5, 5)
            for the detector.
        bbox_xform_clip: what ww log(gw / pw) / ww is cut to when decoding.

    Raises:
        ValueError: not four weights, or one that is not positive.

    Source: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic
    segmentation", 2014, appendix C; Ren et al., "Faster R-CNN", 2015, equation 2.
    """

    def __init__(self, weights: Sequence[float], bbox_xform_clip: float = LARGEST_GROWTH) -> None:
        if len(weights) != 4 or any(check_number("weights", weight) <= 0 for weight in weights):
            raise ValueError(f"weights must be four positive numbers, got {tuple(weights)}")
        self.weights = tuple(weights)
        self.bbox_xform_clip = check_number("bbox_xform_clip", bbox_xform_clip)

    def encode_single(self, reference_boxes: Array, proposals: Array) -> Array:
        """Return the codes (K, 4) of reference_boxes (K, 4) relative to proposals (K, 4) of positive size.

        Raises:
            ValueError: another shape, or unequal numbers of boxes.
            TypeError: another dtype than float32 or float64, or mixed dtypes.
        """
        check_floating(reference_boxes=reference_boxes, proposals=proposals)
        check_boxes("reference_boxes", reference_boxes)
        check_boxes("proposals", proposals)
        if len(reference_boxes) != len(proposals):
            raise ValueError(
                f"proposals must be as many as the {len(reference_boxes)} reference_boxes, "
                f"got {len(proposals)}"
            )
        wanted = box_convert(reference_boxes, "xyxy", "cxcywh")  # (K, 4)
        given = box_convert(proposals, "xyxy", "cxcywh")
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = (wanted[:, :2] - given[:, :2]) / given[:, 2:]  # (K, 2)
            growth = np.log(wanted[:, 2:] / given[:, 2:])
        code: Array = np.concatenate((steps, growth), axis=1) * np.array(self.weights, steps.dtype)
        return code

    def encode(self, reference_boxes: Sequence[Array], proposals: Sequence[Array]) -> list[Array]:
        """Return the codes of each image's boxes: `encode_single` on lists."""
        pairs = zip(reference_boxes, proposals, strict=True)
        return [self.encode_single(wanted, given) for wanted, given in pairs]

    def decode_single(self, rel_codes: Array, boxes: Array) -> Array:
        """Return the boxes (K, C, 4) that rel_codes (K, 4 C), C codes for each of boxes (K, 4), stand for.

        Raises:
            ValueError: another shape.
            TypeError: another dtype than float32 or float64, or mixed dtypes.
        """
        check_floating(rel_codes=rel_codes, boxes=boxes)
        check_boxes("boxes", boxes)
        if rel_codes.ndim != 2 or len(rel_codes) != len(boxes) or rel_codes.shape[1] % 4:
            raise ValueError(f"rel_codes must have shape ({len(boxes)}, 4 C), got {tuple(rel_codes.shape)}")
        codes = rel_codes.reshape(len(boxes), rel_codes.shape[1] // 4, 4)  # (K, C, 4)
        codes = codes / np.array(self.weights, codes.dtype)
        given = box_convert(boxes, "xyxy", "cxcywh")[:, None]  # (K, 1, 4)
        centre = codes[..., :2] * given[..., 2:] + given[..., :2]  # (K, C, 2)
        half = np.exp(np.minimum(codes[..., 2:], self.bbox_xform_clip)) * given[..., 2:] / 2
        return np.concatenate((centre - half, centre + half), axis=2)

    def decode(self, rel_codes: Array, boxes: Sequence[Array]) -> Array:
        """Return the boxes (K, C, 4) of all images together: `decode_single` on a list of boxes."""
        return self.decode_single(rel_codes, np.concatenate(list(boxes)))
