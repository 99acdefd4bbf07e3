"""Random light and colours, and what ends a row of transforms (see `functional/color.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernels.array import check_number
from minidnn.data.transforms import functional
from minidnn.data.transforms.functional import PrincipalColors
from minidnn.data.transforms.functional.color import check_std
from minidnn.data.transforms.item import channels_of, recolored
from minidnn.data.transforms.pixels import to_float
from minidnn.data.transforms.transform import RandomTransform, Transform

if TYPE_CHECKING:
    from numpy.random import Generator

# PCA colour's standard deviation in the paper.
ALEXNET_STD = 0.1


@dataclass(frozen=True)
class ColorJitter(RandomTransform):
    """Changes brightness, contrast, saturation and hue, in random order (see `functional.adjust_hue`, ...).

    Args:
        brightness, contrast, saturation: each factor is drawn evenly from [max(0, 1 - b), 1 + b].
        hue: at most 0.5; the turn is drawn evenly from [-hue, hue].

    Raises:
        TypeError, ValueError: a number that is negative, or a hue above 0.5.

    Source: the order of A. Howard, "Some improvements on deep convolutional neural network based image
        classification", arXiv:1312.5402, section 2.2.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation", "hue"):
            check_number(name, getattr(self, name), minimum=0)
        if self.hue > 0.5:
            raise ValueError(f"hue must be at most 0.5, got {self.hue}")

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the order and the factors; what is 0 is left out."""
        steps: tuple[tuple[Callable[[Any, float], Any], float, float, float], ...] = (
            (functional.adjust_brightness, self.brightness, 1.0, 0.0),
            (functional.adjust_contrast, self.contrast, 1.0, 0.0),
            (functional.adjust_saturation, self.saturation, 1.0, 0.0),
            (functional.adjust_hue, self.hue, 0.0, -0.5),
        )
        picture = recolored(picture, lambda image: image)
        for place in random.permutation(len(steps)):
            adjust, spread, centre, lowest = steps[place]
            if spread > 0:
                factor = random.uniform(max(lowest, centre - spread), centre + spread)
                picture = adjust(picture, factor)
        return picture


@dataclass(frozen=True)
class RandomChannelShift(RandomTransform):
    """Adds to every channel its own number (see `functional.shift_channels`).

    Args:
        amount: numbers are drawn evenly from [-amount, amount], in the image's range.

    Raises:
        TypeError, ValueError: a negative amount.
    """

    amount: float

    def __post_init__(self) -> None:
        check_number("amount", self.amount, minimum=0)

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the numbers, and add."""
        amounts = random.uniform(-self.amount, self.amount, channels_of(picture))
        return functional.shift_channels(picture, amounts.tolist())


@dataclass(frozen=True)
class RandomPCAColor(RandomTransform):
    """Adds a colour along the data set's principal components.

        image + sum_i a_i variance_i direction_i,   a_i normal with mean 0 and deviation `std`

    See `functional.shift_along_principal_colors`.

    Args:
        colors: from `functional.principal_colors` of the training images.
        std: of the weights, at least 0.

    Raises:
        TypeError, ValueError: a negative deviation.

    Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012,
        section 4.1.
    """

    colors: PrincipalColors
    std: float = ALEXNET_STD

    def __post_init__(self) -> None:
        check_number("std", self.std, minimum=0)

    def drawn(self, picture: Any, random: Generator) -> Any:
        """Draw the weights, and add."""
        weights = random.normal(0.0, self.std, 3)
        return functional.shift_along_principal_colors(picture, self.colors, weights.tolist())


@dataclass(frozen=True)
class Normalize(Transform):
    """(image - mean[channel]) / std[channel], of values in [0, 1] (see `functional.normalize`).

    Raises:
        ValueError: a deviation that is not above 0; on call, other numbers than channels.
    """

    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        check_std(self.std)

    def __call__(self, picture: Any, random: Generator | None = None) -> Any:
        """Return the normalised picture."""
        return functional.normalize(picture, self.mean, self.std)


@dataclass(frozen=True)
class ToFloat(Transform):
    """Values in [0, 1]: images of uint8 are divided by 255 and become float32 (see `functional.to_float`)."""

    def __call__(self, picture: Any, random: Generator | None = None) -> Any:
        """Return the picture with a floating image."""
        return recolored(picture, to_float)


@dataclass(frozen=True)
class TenCrop(Transform):
    """Makes the ten crops of an image, alone or with its label (see `functional.ten_crop`).

    Args:
        size: height and width of the crops; an int for a square.

    Raises:
        ValueError: on call, an image that is smaller than `size`.
    """

    size: int | tuple[int, int]

    def __call__(self, picture: Any, random: Generator | None = None) -> Any:
        """Return the crops (10, C, height, width) in the place of the image."""
        if isinstance(picture, tuple):
            return functional.ten_crop(picture[0], self.size), *picture[1:]
        return functional.ten_crop(picture, self.size)
