"""Many small pictures as one, each on a scale of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.array import Array, check_integer, check_number, check_rank


def normalised(pictures: Any, centred: bool = False) -> Array:
    """Return every picture stretched to [0, 1] by itself.

        y = (x - min x) / (max x - min x)      or, centred:      y = 1/2 + x / (2 max |x|)

    Centred, 0 becomes middle grey: what is lighter was positive. A constant picture becomes 0, a centred one
    of zeros 1/2.

    Args:
        pictures: (N, C, H, W) or (N, H, W), finite.
        centred: keep 0 in the middle, as suits weights and gradients.

    Returns:
        A new array of pictures' shape and dtype.

    Raises:
        ValueError: another rank.
        TypeError: pictures of integers.
    """
    pictures = np.asarray(pictures)
    check_rank("pictures", pictures, 3, 4)
    if pictures.dtype.kind != "f":
        raise TypeError(f"pictures must be of floating point, got {pictures.dtype}")
    inner = tuple(range(1, pictures.ndim))
    if centred:
        largest = np.abs(pictures).max(axis=inner, keepdims=True, initial=0)
        around: Array = 0.5 + 0.5 * pictures / np.where(largest > 0, largest, 1)
        return around
    lowest = pictures.min(axis=inner, keepdims=True, initial=np.inf)
    extent = pictures.max(axis=inner, keepdims=True, initial=-np.inf) - lowest
    stretched: Array = (pictures - lowest) / np.where(extent > 0, extent, 1)
    return stretched


def grid(pictures: Any, columns: int | None = None, gap: int = 1, value: float = 1.0) -> Array:
    """Return pictures side by side, row by row, as one picture.

    Args:
        pictures: (N, C, H, W) or (N, H, W), at least one.
        columns: pictures in a row; as many as make the grid nearly square if not given.
        gap: pixels between them.
        value: of the gaps, and of places that are left over.

    Returns:
        (C, R (H + gap) - gap, columns (W + gap) - gap), R = ceil(N / columns), or without C; pictures' dtype.

    Raises:
        ValueError: another rank, no picture, fewer than one column, a negative gap.
        TypeError: numbers that are no integers.
    """
    pictures = np.asarray(pictures)
    check_rank("pictures", pictures, 3, 4)
    count = len(pictures)
    if count == 0:
        raise ValueError(f"pictures must hold at least one, got shape {pictures.shape}")
    columns = math.ceil(math.sqrt(count)) if columns is None else check_integer("columns", columns, minimum=1)
    gap = check_integer("gap", gap, minimum=0)
    height, width = (size + gap for size in pictures.shape[-2:])
    rows = -(-count // columns)
    extent = (*pictures.shape[1:-2], rows * height - gap, columns * width - gap)
    whole = np.full(extent, check_number("value", value), pictures.dtype)
    for place, picture in enumerate(pictures):
        top, left = place // columns * height, place % columns * width
        whole[..., top : top + height - gap, left : left + width - gap] = picture
    return whole
