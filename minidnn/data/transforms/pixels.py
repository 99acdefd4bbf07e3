"""What every function on images agrees on: the form of an image, and how results come back to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from kernels.array import Array, check_number

Fill: TypeAlias = float | Sequence[float]

DTYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))


def as_image(picture: Any) -> Array:
    """Return an array (C, H, W) as it is, and a Pillow image as one of uint8 (a view of its memory).

    Raises:
        TypeError: neither, or an array of another dtype than uint8, float32 and float64.
        ValueError: an array of another rank or without pixels, or a Pillow image of another kind than 8-bit
            bands (a palette, bits, 16-bit numbers).
    """
    image = picture if isinstance(picture, np.ndarray) else _from_pillow(picture)
    if image.dtype not in DTYPES:
        raise TypeError(f"image must have dtype uint8, float32 or float64, got {image.dtype}")
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"image must have shape (C, H, W) with pixels, got {image.shape}")
    return image


def _from_pillow(picture: Any) -> Array:
    if not hasattr(picture, "getbands"):  # Pillow need not be installed to find out
        raise TypeError(f"image must be an array (C, H, W) or a Pillow image, got {type(picture).__name__}")
    pixels = np.asarray(picture)  # (H, W) or (H, W, C)
    if pixels.dtype != np.uint8 or picture.mode.startswith("P"):
        raise ValueError(f"image must be a Pillow image of 8-bit bands, got mode {picture.mode}; convert it")
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def white(image: Array) -> float:
    """Return the largest value of a pixel: 255 for uint8, 1 for floating images."""
    return 255.0 if image.dtype == np.uint8 else 1.0


def working(image: Array) -> Array:
    """Return the image in the dtype that is computed in: float32 for uint8, its own otherwise."""
    return image.astype(np.float32) if image.dtype == np.uint8 else image


def as_pixels(values: Array, like: Array) -> Array:
    """Return computed values in `like`'s dtype: for uint8 rounded (halves to even) and clipped."""
    if like.dtype != np.uint8:
        return values.astype(like.dtype, copy=False)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def to_float(picture: Any) -> Array:
    """Return an image (C, H, W) with values in [0, 1]: uint8 divided by 255 in float32, others as they are.

    Raises:
        TypeError, ValueError: as `as_image`.
    """
    image = as_image(picture)
    return image.astype(np.float32) / np.float32(255) if image.dtype == np.uint8 else image


def per_channel(name: str, values: Fill, image: Array) -> Array:
    """Return one finite number, or one for each channel, as an array (1 or C, 1, 1) of the working dtype.

    Raises:
        ValueError: another number of them than channels, or one that is not finite.
    """
    numbers = np.atleast_1d(np.asarray(values, np.float32 if image.dtype == np.uint8 else image.dtype))
    if numbers.shape not in ((1,), image.shape[:1]):
        raise ValueError(
            f"{name} must be one number or one for each of {image.shape[0]} channels, got {values!r}"
        )
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite, got {values!r}")
    return numbers[:, None, None]


def filled(image: Array, height: int, width: int, fill: Fill) -> Array:
    """Return a new image (C, height, width) of the fill's value, in the dtype of `image`.

    Raises:
        ValueError: as `per_channel`; for uint8 a fill outside [0, 255].
    """
    values = per_channel("fill", fill, image)
    if image.dtype == np.uint8 and (values.min() < 0 or values.max() > 255):
        raise ValueError(f"fill must be in [0, 255] for images of uint8, got {fill!r}")
    result = np.empty((image.shape[0], height, width), image.dtype)
    result[:] = as_pixels(values, image)
    return result


def check_interval(name: str, interval: Sequence[float], minimum: float) -> tuple[float, float]:
    """Return (low, high) with minimum <= low <= high (ValueError or TypeError otherwise)."""
    if not isinstance(interval, Sequence) or len(interval) != 2:
        raise ValueError(f"{name} must be two numbers (low, high), got {interval!r}")
    low, high = (check_number(name, bound, minimum=minimum) for bound in interval)
    if low > high:
        raise ValueError(f"{name} must be (low, high) with low <= high, got {interval!r}")
    return low, high
