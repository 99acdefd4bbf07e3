"""Random movements. Boxes and masks follow, see `functional/geometric.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.array import Array, check_flag, check_integer, check_number
from kernels.window import pair
from minidnn.data.transforms import functional
from minidnn.data.transforms.item import recolored, size_of
from minidnn.data.transforms.pixels import Fill, check_interval
from minidnn.data.transforms.sampling import INTERPOLATIONS, gaussian_blur
from minidnn.data.transforms.transform import RandomTransform

if TYPE_CHECKING:
    from numpy.random import Generator

# So often a window of random size and shape is drawn anew when it does not fit into the image.
WINDOWS_TRIED = 10


@dataclass(frozen=True)
class RandomHorizontalFlip(RandomTransform):
    """Mirrors the picture with probability `p` (see `functional.hflip`).

    Raises:
        TypeError, ValueError: p is no number in [0, 1].
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if check_number("p", self.p, minimum=0) > 1:
            raise ValueError(f"p must be in [0, 1], got {self.p}")

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Mirror, or leave the picture (its image as an array) as it is."""
        if random.random() < self.p:
            return functional.hflip(picture)
        return recolored(picture, lambda image: image)


@dataclass(frozen=True)
class RandomCrop(RandomTransform):
    """Cuts out a window whose place is drawn evenly (see `functional.crop`).

    Args:
        size: height and width of the window; an int for a square.
        padding: pixels of fill that the picture first gets on each side.
        fill: one number or one per channel, in the image's range; masks are filled with 0.

    Raises:
        TypeError, ValueError: a size below 1, a negative padding; on call, a picture that is smaller than the
            window even when padded.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2 (4 pixels around
        CIFAR's images).
    """

    size: int | tuple[int, int]
    padding: int = 0
    fill: Fill = 0

    def __post_init__(self) -> None:
        pair("size", self.size, minimum=1)
        check_integer("padding", self.padding, minimum=0)

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the window's place, and cut."""
        height, width = pair("size", self.size, minimum=1)
        rows, columns = (length + 2 * self.padding for length in size_of(picture))
        if height > rows or width > columns:
            raise ValueError(
                f"size must be at most {(rows, columns)}, the padded image's, got {(height, width)}"
            )
        top = int(random.integers(0, rows - height + 1)) - self.padding
        left = int(random.integers(0, columns - width + 1)) - self.padding
        return functional.crop(picture, top, left, height, width, self.fill)


@dataclass(frozen=True)
class RandomResizedCrop(RandomTransform):
    """Cuts out a window of random area and shape, and resizes it (see `functional.resized_crop`).

    The window's share of the area is drawn evenly, the logarithm of width / height too, and so is its place.
    If ten windows in a row do not fit, the largest central one of an allowed shape is taken.

    Args:
        size: the new height and width; an int for a square.
        scale: smallest and largest share of the area.
        ratio: smallest and largest width / height.
        antialias: see `functional.resized_crop`.

    Raises:
        TypeError, ValueError: a size below 1, a share or ratio that is not above 0, or low above high.

    Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6.
    """

    size: int | tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    antialias: bool = True

    def __post_init__(self) -> None:
        pair("size", self.size, minimum=1)
        check_flag("antialias", self.antialias)
        for name in ("scale", "ratio"):
            if check_interval(name, getattr(self, name), minimum=0)[0] == 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the window, cut and resize."""
        window = self._window(*size_of(picture), random)
        return functional.resized_crop(picture, *window, self.size, self.antialias)

    def _window(self, height: int, width: int, random: Generator) -> tuple[int, int, int, int]:
        """Top, left, height and width."""
        for _ in range(WINDOWS_TRIED):
            area = height * width * random.uniform(*self.scale)
            ratio = math.exp(random.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
            rows, columns = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < rows <= height and 0 < columns <= width:
                top = random.integers(0, height - rows + 1)
                left = random.integers(0, width - columns + 1)
                return int(top), int(left), rows, columns
        ratio = min(max(width / height, self.ratio[0]), self.ratio[1])
        rows = min(height, max(1, round(width / ratio)))
        columns = min(width, max(1, round(height * ratio)))
        return (height - rows) // 2, (width - columns) // 2, rows, columns


@dataclass(frozen=True)
class RandomAffine(RandomTransform):
    """Turns, moves, scales and shears the picture about its centre (see `functional.affine`).

        RandomAffine(degrees=0, shear=(15, 0))    shears only, rows against each other

    Args:
        degrees: the angle is drawn evenly from [-degrees, degrees].
        translate: largest shares of width and of height by which the picture moves, either way.
        scale: smallest and largest factor.
        shear: largest angles along x and along y, in degrees, below 90.
        interpolation: "bilinear" or "nearest".
        fill: what lies outside: one number or one per channel, in the image's range.

    Raises:
        TypeError, ValueError: an argument outside its range.
    """

    degrees: float
    translate: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    shear: tuple[float, float] = (0.0, 0.0)
    interpolation: str = "bilinear"
    fill: Fill = 0

    def __post_init__(self) -> None:
        check_number("degrees", self.degrees, minimum=0)
        if check_interval("scale", self.scale, minimum=0)[0] == 0:
            raise ValueError(f"scale must be above 0, got {self.scale}")
        for name, limit in (("translate", None), ("shear", 90)):
            both = getattr(self, name)
            if not isinstance(both, Sequence) or len(both) != 2:
                raise ValueError(f"{name} must be two numbers (x, y), got {both!r}")
            for number in both:
                check_number(name, number, minimum=0, below=limit)
        check_interpolation(self.interpolation)

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw angle, movement, factor and slants, and apply them."""
        height, width = size_of(picture)
        angle = random.uniform(-self.degrees, self.degrees)
        shares = [random.uniform(-share, share) for share in self.translate]
        scale = random.uniform(*self.scale)
        slants = [random.uniform(-slant, slant) for slant in self.shear]
        shift = shares[0] * width, shares[1] * height
        return functional.affine(picture, angle, shift, scale, slants, self.interpolation, self.fill)


@dataclass(frozen=True)
class RandomRotation(RandomTransform):
    """Turns the picture about its centre by an angle drawn evenly from [-degrees, degrees].

    Args, Raises: see `RandomAffine`; see `functional.rotate` for what is computed.
    """

    degrees: float
    interpolation: str = "bilinear"
    fill: Fill = 0

    def __post_init__(self) -> None:
        check_number("degrees", self.degrees, minimum=0)
        check_interpolation(self.interpolation)

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the angle, and turn."""
        angle = random.uniform(-self.degrees, self.degrees)
        return functional.rotate(picture, angle, self.interpolation, self.fill)


@dataclass(frozen=True)
class RandomElastic(RandomTransform):
    """Warps the picture by a smooth random field of displacements (see `functional.elastic`).

        displacement = alpha G_sigma * u,  u uniform in [-1, 1] for each pixel and direction

    G_sigma is a Gaussian whose sum is 1, so the field's standard deviation is about
    alpha / (2 sqrt(3 pi) sigma) pixels. (torchvision's ElasticTransform counts alpha in half pixels.)

    Args:
        alpha: how strong, at least 0.
        sigma: how smooth, in pixels, above 0.
        interpolation, fill: see `RandomAffine`.

    Raises:
        TypeError, ValueError: an argument outside its range.

    Source: Simard et al., "Best practices for convolutional neural networks applied to visual document
        analysis", ICDAR 2003, section 2.
    """

    alpha: float = 50.0
    sigma: float = 5.0
    interpolation: str = "bilinear"
    fill: Fill = 0

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, minimum=0)
        if check_number("sigma", self.sigma, minimum=0) == 0:
            raise ValueError(f"sigma must be above 0, got {self.sigma}")
        check_interpolation(self.interpolation)

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the field, and warp."""
        field = self.displacement(*size_of(picture), random)
        return functional.elastic(picture, field, self.interpolation, self.fill)

    def displacement(self, height: int, width: int, random: Generator) -> Array:
        """Return a field of displacements (2, height, width), float32."""
        noise = random.random((2, height, width), np.float32) * 2 - 1
        return gaussian_blur(noise, self.sigma) * np.float32(self.alpha)


def check_interpolation(interpolation: str) -> None:
    """Require "bilinear" or "nearest" (ValueError otherwise)."""
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation must be bilinear or nearest, got {interpolation!r}")
