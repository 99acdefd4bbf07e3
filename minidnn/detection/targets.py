"""What a detector is to find in an image, as training hands it over, and the checks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kernels.array import Array, check_indices, check_shape
from minidnn.detection.boxes import check_boxes

# An image's objects: "boxes" (L, 4), "labels" (L,) int64 in [1, C), where they have masks "masks" (L, H, W)
# of 0 and 1.
Target = Mapping[str, Array]


def check_targets(targets: Sequence[Target] | None, images: int, names: Sequence[str]) -> Sequence[Target]:
    """Return the targets, having required one per image, each with the entries of the given names.

    Raises:
        ValueError: no targets, another number, an entry that is missing or has a wrong shape.
        TypeError: an entry of a wrong dtype.
    """
    if targets is None or len(targets) != images:
        given = "none" if targets is None else len(targets)
        raise ValueError(f"targets must be one for each of {images} images in training, got {given}")
    for i, target in enumerate(targets):
        for name in names:
            if name not in target:
                raise ValueError(f"targets[{i}] must have {name!r}, got {sorted(target)}")
        check_boxes(f"targets[{i}]['boxes']", target["boxes"])
        if "labels" in names:
            check_indices(f"targets[{i}]['labels']", target["labels"])
            check_shape(f"targets[{i}]['labels']", target["labels"], target["boxes"].shape[:1])
        if "masks" in names and (target["masks"].ndim != 3 or len(target["masks"]) != len(target["boxes"])):
            raise ValueError(
                f"targets[{i}]['masks'] must have shape ({len(target['boxes'])}, H, W), "
                f"got {tuple(target['masks'].shape)}"
            )
    return targets


def matched_boxes(boxes: Array, matches: Array) -> Array:
    """Return the box (N, 4) of each match (N,); of what has no match (below 0) any, of no boxes zeros."""
    if len(boxes) == 0:
        return np.zeros((len(matches), 4), boxes.dtype)
    chosen: Array = boxes[np.maximum(matches, 0)]
    return chosen
