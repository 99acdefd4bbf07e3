"""Random boxes and targets for the tests of detection parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.kernels.sample import Draw


def random_boxes(seed: int, count: int, size: float) -> np.ndarray:
    """Boxes (count, 4) in float64 with corners in [0, 2 size) and sides of at least a twentieth of it."""
    draw = Draw(seed)
    corners = draw.uniform(count, 2, high=size)
    return np.concatenate((corners, corners + draw.uniform(count, 2, low=size / 20, high=size)), axis=1)


def random_targets(seed: int, shapes: Sequence[tuple[int, int]]) -> list[dict[str, np.ndarray]]:
    """For each image of (height, width) five objects of classes 1 to 4, with boxes and filled masks."""
    draw = Draw(seed)
    targets = []
    for height, width in shapes:
        low = draw.uniform(5, 2, high=0.5) * [width, height]
        boxes = np.concatenate((low, low + draw.uniform(5, 2, low=6, high=30)), axis=1)
        boxes = np.minimum(boxes, [width, height, width, height])
        rows, columns = np.arange(height)[:, None], np.arange(width)
        masks = [(rows >= y1) & (rows < y2) & (columns >= x1) & (columns < x2) for x1, y1, x2, y2 in boxes]
        targets.append(
            {"boxes": boxes, "labels": draw.integers(1, 5, 5), "masks": np.stack(masks).astype(np.uint8)}
        )
    return targets
