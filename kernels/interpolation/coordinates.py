"""Which inputs an output of a resized axis looks at: the index arithmetic, once for every version."""

from __future__ import annotations

import numpy as np


def nearest_source(position: int, length: int, output_length: int, scale: float | None) -> int:
    """Return floor(position * step), in float32 as PyTorch computes it, kept below `length`.

    The two most common ratios are exact instead of rounded.
    """
    if output_length == length:
        return position
    if output_length == 2 * length:
        return position // 2
    step = np.float32(1 / scale) if scale is not None else np.float32(length) / np.float32(output_length)
    return min(int(np.floor(np.float32(position) * step)), length - 1)


def linear_sources(
    position: int, length: int, output_length: int, scale: float | None, align_corners: bool
) -> tuple[int, int, float]:
    """Return the two neighbours of the coordinate that `position` looks at, and the weight of the second."""
    if output_length == length:
        return position, position, 0.0
    if align_corners:
        coordinate = position * (length - 1) / (output_length - 1) if output_length > 1 else 0.0
    else:
        step = 1 / scale if scale is not None else length / output_length
        coordinate = max((position + 0.5) * step - 0.5, 0.0)
    low = min(int(coordinate), length - 1)
    return low, min(low + 1, length - 1), min(coordinate - low, 1.0)
