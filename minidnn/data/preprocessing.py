"""What image classifiers are shown: resized, cropped, normalised images. Needs Pillow.

The steps and their rounding are those of torchvision's reference transforms, which published weights
expect: Pillow resamples the 8-bit image, with the filter widened where it shrinks (antialiasing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.array import Array, check_integer
from minidnn.data.transforms import functional

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Preprocessing:
    """A transform from a Pillow image to the array that a classifier takes.

    1. Resize, until the shorter side has `resize` pixels and the longer int(resize long / short).
    2. Crop a square: in the centre, or the ten of Krizhevsky et al., "ImageNet classification with deep
       convolutional neural networks", 2012, section 4.1: the four corners and the centre, then the same
       mirrored; a classifier's answers to them are averaged.
    3. (value / 255 - mean[channel]) / std[channel].

    Attributes:
        crop: height and width of the square.
        resize: length of the shorter side, at least `crop`; or (height, width), whatever the image's shape.
        mean, std: one number per channel, for values in [0, 1]; there are as many as the image has bands.
        interpolation: "bilinear" or "bicubic".

    Raises:
        ValueError: sizes below 1, a crop larger than the resized image, unequal or unusable means and
            deviations, an unknown interpolation; on call, an image of another number of bands.
    """

    crop: int
    resize: int | tuple[int, int]
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        check_integer("crop", self.crop, minimum=1)
        for size in (self.resize,) if isinstance(self.resize, int) else self.resize:
            check_integer("resize", size, minimum=1)
            if self.crop > size:
                raise ValueError(f"crop must be at most resize, got crop {self.crop} and resize {size}")
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(f"mean and std must have one number per channel, got {self.mean} and {self.std}")
        if not np.isfinite([*self.mean, *self.std]).all() or min(self.std) <= 0:
            raise ValueError(f"mean must be finite and std above 0, got {self.mean} and {self.std}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be bilinear or bicubic, got {self.interpolation!r}")

    def __call__(self, image: Image) -> Array:
        """Return the centre of an 8-bit image as float32 (C, crop, crop)."""
        return self._normalised(functional.center_crop(self._resized(image), self.crop))

    def ten_crops(self, image: Image) -> Array:
        """Return the ten crops of an 8-bit image as float32 (10, C, crop, crop)."""
        return np.stack(
            [self._normalised(crop) for crop in functional.ten_crop(self._resized(image), self.crop)]
        )

    def _resized(self, image: Image) -> Image:
        from PIL.Image import Resampling

        if len(image.getbands()) != len(self.mean):
            raise ValueError(
                f"image must have {len(self.mean)} bands as mean and std have, got {image.getbands()}"
            )
        if isinstance(self.resize, int):
            short, long = sorted(image.size)
            shape = self.resize, self.resize * long // short
            size = shape if image.width <= image.height else shape[::-1]
        else:
            size = self.resize[::-1]
        return image.resize(size, Resampling[self.interpolation.upper()])

    def _normalised(self, crop: Array) -> Array:
        normalised: Array = functional.normalize(crop, self.mean, self.std)
        return normalised
