"""Bringing images to one size and one number of channels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kernels.array import Array, check_integer

# Luma of ITU-R recommendation BT.601: how much red, green and blue add to a grey value.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def resize(images: Array, size: int | tuple[int, int], antialias: bool = True) -> Array:
    """Return images resampled to height and width `size` (an int for a square) by linear interpolation.

    Pixel centres lie at half-integer positions. Enlarging interpolates between the two nearest pixels of each
    axis; reducing widens the triangle by the ratio, so that every pixel counts. Sums are taken in a fixed
    order, in float64 for floating images: the result is the same, bit for bit, on every machine.

    Args:
        images: float32, float64 or uint8 (..., H, W); uint8 is summed in float32 and rounded.
        size: the new height and width.
        antialias: whether to widen the triangle; without, two pixels of each axis count in any case.

    Raises:
        ValueError: sizes below 1, or images without pixels.
    """
    height, width = (size, size) if isinstance(size, int) else size
    check_integer("size", height, minimum=1)
    check_integer("size", width, minimum=1)
    if images.ndim < 2 or 0 in images.shape[-2:]:
        raise ValueError(f"images must have shape (..., H, W) with pixels, got {images.shape}")
    if (height, width) == images.shape[-2:]:
        return images
    wide = images.astype(np.float32 if images.dtype == np.uint8 else np.float64)
    rows = _resample(wide, height, -2, antialias)  # (..., height, W)
    resized = _resample(rows, width, -1, antialias)  # (..., height, width)
    return (np.rint(resized) if images.dtype == np.uint8 else resized).astype(images.dtype)


def _resample(images: Array, size: int, axis: int, antialias: bool) -> Array:
    """Interpolate along an axis, which is the last or the one before it."""
    indices, weights = _taps(images.shape[axis], size, antialias)
    result: Array | None = None
    for index, weight in zip(indices, weights.astype(images.dtype), strict=True):
        # `take` for one axis at a time is several times as fast as indexing.
        term = np.take(images, index, axis=axis)
        term *= weight if axis == -1 else weight[:, None]
        result = term if result is None else np.add(result, term, out=result)
    assert result is not None
    return result


# Random crops come in many sizes, and their tables are quickly made anew.
@lru_cache(maxsize=512)
def _taps(old: int, new: int, antialias: bool) -> tuple[Array, Array]:
    """For every new pixel the old pixels under its triangle, and their weights: (taps, new) each."""
    ratio = old / new
    radius = max(ratio, 1.0) if antialias else 1.0
    centres = (np.arange(new) + 0.5) * ratio - 0.5
    if not antialias:
        centres = np.clip(centres, 0, old - 1)
    first = np.floor(centres - radius).astype(np.int64) + 1
    positions = first + np.arange(int(np.ceil(2 * radius)) + 1)[:, None]
    weights = np.maximum(0.0, 1.0 - np.abs(positions - centres) / radius)
    weights *= (positions >= 0) & (positions < old)
    used = weights.any(axis=1)
    return np.clip(positions[used], 0, old - 1), weights[used] / weights.sum(axis=0)


@dataclass(frozen=True)
class FitImage:
    """A transform that brings an image (C, H, W) to a size and a number of channels.

    Attributes:
        size: the new height and width; None leaves them.
        channels: 1 (grey: luma of ITU-R BT.601) or 3 (a grey image is repeated); None leaves them.

    Raises:
        ValueError: a size below 1, another number of channels, or an image whose channels cannot be
            converted.
    """

    size: int | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            check_integer("size", self.size, minimum=1)
        if self.channels not in (None, 1, 3):
            raise ValueError(f"channels must be 1 or 3, got {self.channels!r}")

    def __call__(self, image: Array) -> Array:
        """Return the image in the wanted form, itself when it has it already."""
        if self.channels is not None and image.shape[0] != self.channels:
            image = self._convert(image)
        return image if self.size is None else resize(image, self.size)

    def _convert(self, image: Array) -> Array:
        if image.shape[0] not in (1, 3):
            raise ValueError(f"image must have 1 or 3 channels to be converted, got shape {image.shape}")
        if self.channels == 3:
            return np.repeat(image, 3, axis=0)
        red, green, blue = image
        grey: Array = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
        return grey[None]
