"""Pictures whose regions are known."""

from __future__ import annotations

import numpy as np

OBJECTS = np.array([[8.0, 10, 40, 34], [50, 8, 78, 44], [20, 45, 44, 66], [60, 52, 90, 70]])


def coloured_scene(seed: int) -> np.ndarray:
    """Ellipses and rectangles (of OBJECTS) of plain colours with a little noise, (3, 75, 100) in [0, 1]."""
    generator = np.random.default_rng(seed)
    image = np.full((3, 75, 100), 0.5)
    rows, columns = np.indices(image.shape[1:])
    for place, (x1, y1, x2, y2) in enumerate(OBJECTS):
        across = (columns + 0.5 - (x1 + x2) / 2) / (x2 - x1)
        down = (rows + 0.5 - (y1 + y2) / 2) / (y2 - y1)
        inside = across**2 + down**2 <= 0.25 if place % 2 else np.maximum(abs(across), abs(down)) <= 0.5
        colour = np.full(3, 0.1)
        colour[place % 3] = 0.9
        image[:, inside] = colour[:, None]
    return np.clip(image + generator.normal(0, 0.01, image.shape), 0, 1)


def patches(seed: int, height: int = 11, width: int = 14, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels (H, W) of a random division of the plane into connected regions, and channels (H, W, C)."""
    generator = np.random.default_rng(seed)
    columns = np.sort(generator.choice(np.arange(1, width), 3, replace=False))
    rows = np.sort(generator.choice(np.arange(1, height), 2, replace=False))
    across = np.searchsorted(columns, np.arange(width), side="right")
    down = np.searchsorted(rows, np.arange(height), side="right")
    labels = down[:, None] * (len(columns) + 1) + across
    base = generator.random((labels.max() + 1, channels))
    values = 0.7 * base[labels] + 0.3 * generator.random((height, width, channels))
    return labels, values
