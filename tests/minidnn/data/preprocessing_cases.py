"""Images and settings on which preprocessing is compared with torchvision's transforms."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Beside the other stored answers of this folder's tests.
STORED = Path(__file__).parent / "preprocessing.npz"
SHAPES = ((61, 47), (47, 62), (32, 32), (33, 100), (201, 131))
# Length of the shorter side, crop, filter.
SETTINGS = ((32, 32, "bilinear"), (37, 28, "bilinear"), (41, 32, "bicubic"), (80, 71, "bilinear"))
# Of these the answers are stored.
STORED_CASES = (((61, 47), SETTINGS[1]), ((33, 100), SETTINGS[2]), ((40, 30), (48, 33, "bilinear")))


def pixels(height: int, width: int) -> np.ndarray:
    """Colours (H, W, 3): waves with noise on them."""
    noise = np.random.Generator(np.random.PCG64(height * 1000 + width)).integers(0, 60, (height, width, 3))
    rows, columns = np.indices((height, width))
    waves = [
        np.sin(rows / 5) * 90 + 95,
        np.cos(columns / 3) * 90 + 95,
        np.sin((rows + columns) / 9) * 90 + 95,
    ]
    return (np.stack(waves, axis=-1) + noise).astype(np.uint8)
