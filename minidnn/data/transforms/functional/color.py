"""What changes values and leaves pixels where they are: light, contrast, colour, normalisation.

Every function takes what the geometric ones take (`geometric.py`) and changes the image only. Values are in
[0, 255] for uint8 and in [0, 1] for floating images, and are clipped to that range. uint8 is computed in
float32 and rounded; blends (brightness, contrast, saturation) are cut, as torchvision's and Pillow's are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, check_number
from minidnn.data.resize import LUMA
from minidnn.data.transforms.item import recolored
from minidnn.data.transforms.pixels import Fill, as_pixels, per_channel, to_float, white, working


def adjust_brightness(picture: Any, factor: float) -> Any:
    """Return factor image: 0 is black, 1 the image itself.

    Raises:
        TypeError, ValueError: what is given is no picture, or a factor below 0.
    """
    check_number("factor", factor, minimum=0)
    return recolored(picture, lambda image: _blended(image, np.zeros(1, _number_type(image)), factor))


def adjust_contrast(picture: Any, factor: float) -> Any:
    """Return factor image + (1 - factor) m, with m the mean of the grey image: 0 is all grey.

    Grey is the luma 0.299 R + 0.587 G + 0.114 B of ITU-R recommendation BT.601, or the one channel.

    Raises:
        TypeError, ValueError: as `adjust_brightness`; neither 1 nor 3 channels.
    """
    check_number("factor", factor, minimum=0)
    return recolored(picture, lambda image: _blended(image, _grey(image).mean(), factor))


def adjust_saturation(picture: Any, factor: float) -> Any:
    """Return factor image + (1 - factor) grey: 0 is the grey image, see `adjust_contrast`. Grey images stay.

    Raises:
        TypeError, ValueError: as `adjust_contrast`.
    """
    check_number("factor", factor, minimum=0)
    return recolored(picture, lambda image: _blended(image, _grey(image), factor))


def _grey(image: Array) -> Array:
    """The grey image (1, H, W), in the working dtype."""
    if image.shape[0] == 1:
        return working(image)
    red, green, blue = working(_three_channels(image))
    grey: Array = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
    return grey[None]


def _three_channels(image: Array) -> Array:
    if image.shape[0] != 3:
        raise ValueError(f"image must have 1 or 3 channels, got shape {image.shape}")
    return image


def _blended(image: Array, other: Array, factor: float) -> Array:
    """factor image + (1 - factor) other, clipped, and cut for uint8; above 1 away from `other`."""
    number = _number_type(image)
    blend = working(image) * number(factor)
    blend += other * number(1 - factor)
    pixels: Array = np.clip(blend, 0, white(image), out=blend).astype(image.dtype, copy=False)
    return pixels


def _number_type(image: Array) -> type[np.floating[Any]]:
    """The scalar type that an image is computed in."""
    return np.float64 if image.dtype == np.float64 else np.float32


def _clipped(values: Array, like: Array) -> Array:
    """Computed values as pixels of `like`'s kind; `values` is written over."""
    return as_pixels(np.clip(values, 0, white(like), out=values), like)


def adjust_hue(picture: Any, factor: float) -> Any:
    """Return the picture with its colours turned by `factor` of the full circle of hues. Grey images stay.

    With V the largest and C the spread of a pixel's three values, and h its hue in sixths of the circle
    (0 red, 2 green, 4 blue), the hexagonal colour model gives back

        value = V - C max(0, min(k, 4 - k, 1)),  k = (n + h + 6 factor) mod 6

    with n = 5, 3, 1 for red, green and blue.

    Args:
        picture: see above.
        factor: in [-0.5, 0.5].

    Raises:
        TypeError, ValueError: what is given is no picture, another factor, or neither 1 nor 3 channels.

    Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978 (the hexcone model).
    """
    if abs(check_number("factor", factor)) > 0.5:
        raise ValueError(f"factor must be in [-0.5, 0.5], got {factor}")
    return recolored(picture, lambda image: image.copy() if len(image) == 1 else _turned(image, factor))


def _turned(image: Array, factor: float) -> Array:
    planes = working(_three_channels(image))
    number = _number_type(image)
    value = planes.max(axis=0)
    spread = value - planes.min(axis=0)
    hue = _hue(planes, value, spread) + number(6 * factor)
    result = np.empty_like(planes)
    for channel, offset in enumerate((5, 3, 1)):
        place = np.mod(hue + number(offset), number(6))
        share = np.clip(np.minimum(place, 4 - place), 0, 1)
        np.subtract(value, spread * share, out=result[channel])
    return _clipped(result, image)


def _hue(planes: Array, value: Array, spread: Array) -> Array:
    """The hue (H, W) in (-1, 5] sixths of the circle; 0 where a pixel is grey."""
    red, green, blue = planes
    divisor = np.where(spread > 0, spread, 1)
    third = np.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor)
    hue: Array = np.where(value == red, (green - blue) / divisor, third)
    return hue


def shift_channels(picture: Any, amounts: Fill) -> Any:
    """Return image + amount, one number for all channels or one for each, in the image's range.

    Raises:
        TypeError, ValueError: what is given is no picture, or another number of amounts than channels.
    """
    return recolored(
        picture, lambda image: _clipped(working(image) + per_channel("amounts", amounts, image), image)
    )


class PrincipalColors(NamedTuple):
    """How the colours of a data set vary.

    Attributes:
        variances: (3,), descending, of values in [0, 1]: the eigenvalues of the covariance matrix.
        directions: (3, 3), a unit vector in each column: the eigenvectors.
    """

    variances: Array
    directions: Array


def principal_colors(images: Iterable[Any]) -> PrincipalColors:
    """Return the principal components of all pixels' colours in a data set.

    With x over all pixels of all images and m their mean: the eigenvalues and eigenvectors of the matrix
    mean((x - m) (x - m)^T), (3, 3), in float64; a component's sign is the one that makes its sum positive.

    Args:
        images: of three channels and any sizes; uint8 is divided by 255. A data set's tuples are taken by
            their image.

    Raises:
        TypeError, ValueError: an item that is no image of three channels, or none at all.

    Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012,
        section 4.1.
    """
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for item in images:
        image = to_float(item[0] if isinstance(item, tuple) else item)
        if image.shape[0] != 3:
            raise ValueError(f"images must have 3 channels, got shape {image.shape}")
        pixels = image.reshape(3, -1).astype(np.float64)
        count += pixels.shape[1]
        total += pixels.sum(axis=1)
        products += pixels @ pixels.T
    if count == 0:
        raise ValueError("images must have at least 1 image, got none")
    mean = total / count
    variances, directions = np.linalg.eigh(products / count - np.outer(mean, mean))
    descending = directions[:, ::-1]
    signs = np.where(descending.sum(axis=0) < 0, -1.0, 1.0)
    return PrincipalColors(np.maximum(variances[::-1], 0), descending * signs)


def shift_along_principal_colors(picture: Any, colors: PrincipalColors, weights: Sequence[float]) -> Any:
    """Return image + sum_i weights[i] variances[i] directions[:, i]: the same colour is added to every pixel.

    Args:
        picture: see above; three channels.
        colors: from `principal_colors`; their range is [0, 1], for uint8 the sum is multiplied by 255.
        weights: three numbers.

    Raises:
        TypeError, ValueError: what is given is no picture of three channels.

    Source: as `principal_colors`.
    """
    amounts = colors.directions @ (colors.variances * np.asarray(weights))

    def shifted(image: Array) -> Array:
        _three_channels(image)
        return _clipped(working(image) + per_channel("amounts", amounts * white(image), image), image)

    return recolored(picture, shifted)


def normalize(picture: Any, mean: Sequence[float], std: Sequence[float]) -> Any:
    """Return (image - mean[channel]) / std[channel]; uint8 is divided by 255 first and becomes float32.

    Raises:
        TypeError, ValueError: what is given is no picture, other numbers than channels, or a deviation that
            is not above 0.
    """
    check_std(std)

    def normalized(image: Array) -> Array:
        planes = to_float(image)
        centred = planes - per_channel("mean", mean, planes)
        centred /= per_channel("std", std, planes)
        return np.ascontiguousarray(centred)

    return recolored(picture, normalized)


def check_std(std: Sequence[float]) -> None:
    """Require deviations above 0 (ValueError otherwise)."""
    if not np.all(np.asarray(std) > 0):
        raise ValueError(f"std must be above 0, got {std!r}")
