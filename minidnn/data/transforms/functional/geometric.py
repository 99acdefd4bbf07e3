"""What moves pixels: mirror, crop, resize, turn, shear, warp. Boxes and masks go where the pixels go.

Every function takes an image (C, H, W) of uint8 or floating values, a Pillow image, an `Item`, or a tuple
(image, label or target) as data sets give, and returns the same kind, images as arrays. Coordinates of boxes
are those of the pixels' edges: the image covers [0, W] x [0, H], and pixel i has its centre at i + 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import Array, check_integer, check_number
from kernels.window import pair
from minidnn.data.resize import resize
from minidnn.data.transforms.item import Geometry, moved, size_of
from minidnn.data.transforms.pixels import Fill, as_image, filled
from minidnn.data.transforms.sampling import sample


def hflip(picture: Any) -> Any:
    """Return the picture mirrored left to right: x becomes W - x.

    Raises:
        TypeError, ValueError: what is given is no picture.
    """
    return moved(picture, _Mirror())


@dataclass(frozen=True)
class _Mirror(Geometry):
    def image(self, image: Array) -> Array:
        return image[:, :, ::-1].copy()

    def masks(self, masks: Array) -> Array:
        return self.image(masks)

    def boxes(self, boxes: Array, height: int, width: int) -> Array:
        x1, y1, x2, y2 = boxes.T
        return np.stack((width - x2, y1, width - x1, y2), axis=1)


def crop(picture: Any, top: int, left: int, height: int, width: int, fill: Fill = 0) -> Any:
    """Return the window of the picture whose upper left pixel is (top, left); what lies outside is the fill.

    Args:
        picture: see above.
        top, left: may be negative.
        height, width: of the window, at least 1.
        fill: one number or one per channel, in the image's range; masks are filled with 0.

    Raises:
        TypeError, ValueError: what is given is no picture, a size below 1, or a fill outside the range.
    """
    return moved(picture, _Crop(*_checked_window(top, left, height, width), fill))


@dataclass(frozen=True)
class _Crop(Geometry):
    top: int
    left: int
    height: int
    width: int
    fill: Fill = 0

    def image(self, image: Array) -> Array:
        return self._window(image, self.fill).copy()

    def masks(self, masks: Array) -> Array:
        return self._window(masks, 0).copy()

    def boxes(self, boxes: Array, height: int, width: int) -> Array:
        moved_boxes: Array = boxes - np.array([self.left, self.top, self.left, self.top], boxes.dtype)
        return moved_boxes

    def _window(self, planes: Array, fill: Fill) -> Array:
        """The window (planes, height, width): a view where it lies within."""
        _, height, width = planes.shape
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.height, height), min(self.left + self.width, width)
        inside = planes[:, top : max(bottom, top), left : max(right, left)]
        if inside.shape[1:] == (self.height, self.width):
            return inside
        window = filled(planes, self.height, self.width, fill)
        if inside.size:
            window[:, top - self.top : bottom - self.top, left - self.left : right - self.left] = inside
        return window


def resized_crop(
    picture: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | tuple[int, int],
    antialias: bool = True,
) -> Any:
    """Return a window of the picture, see `crop`, resized by linear interpolation, see `data.resize`.

    Args:
        picture, top, left, height, width: see `crop`; the fill is 0.
        size: the new height and width; an int for a square.
        antialias: let every pixel count where the window shrinks; otherwise the nearest two of each axis do.

    Raises:
        TypeError, ValueError: as `crop`; a size below 1.
    """
    window = _checked_window(top, left, height, width)
    return moved(picture, _ResizedCrop(*window, 0, pair("size", size, minimum=1), antialias))


@dataclass(frozen=True)
class _ResizedCrop(_Crop):
    size: tuple[int, int] = (1, 1)
    antialias: bool = True

    def image(self, image: Array) -> Array:
        window = self._window(image, self.fill)
        resized = resize(window, self.size, self.antialias)
        return resized.copy() if resized is window else resized

    def masks(self, masks: Array) -> Array:
        """Pick the pixels in which the new pixels' centres lie."""
        window = self._window(masks, 0)
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(np.intp)
            for new, old in zip(self.size, (self.height, self.width), strict=True)
        )
        picked: Array = window[:, rows[:, None], columns]
        return picked

    def boxes(self, boxes: Array, height: int, width: int) -> Array:
        y, x = self.size[0] / self.height, self.size[1] / self.width
        resized: Array = super().boxes(boxes, height, width) * np.array([x, y, x, y], boxes.dtype)
        return resized


def center_crop(picture: Any, size: int | tuple[int, int]) -> Any:
    """Return the middle of the picture; where it cannot be the very middle, the nearest even offset is taken.

    Raises:
        TypeError, ValueError: what is given is no picture, or smaller than `size`.
    """
    height, width = pair("size", size, minimum=1)
    return crop(picture, *_centre(size_of(picture), (height, width)), height, width)


def _centre(old: Sequence[int], new: tuple[int, int]) -> tuple[int, int]:
    """Top and left of the middle, as torchvision has it: halves are rounded to the even number."""
    if new[0] > old[0] or new[1] > old[1]:
        raise ValueError(f"size must be at most the image's {tuple(old)}, got {new}")
    return round((old[0] - new[0]) / 2), round((old[1] - new[1]) / 2)


def ten_crop(picture: Any, size: int | tuple[int, int]) -> Array:
    """Return ten crops of an image (array or Pillow): the four corners, the centre, and the same mirrored.

        upper left, upper right, lower left, lower right, centre, then those of the mirrored image

    Shapes: image (C, H, W), result (10, C, height, width).

    Raises:
        TypeError, ValueError: what is given is no image, or smaller than `size`.

    Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012,
        section 4.1.
    """
    image = as_image(picture)
    height, width = pair("size", size, minimum=1)
    middle = _centre(image.shape[1:], (height, width))
    bottom, right = image.shape[1] - height, image.shape[2] - width
    places = ((0, 0), (0, right), (bottom, 0), (bottom, right), middle)
    crops = [
        side[:, top : top + height, left : left + width]
        for side in (image, image[:, :, ::-1])
        for top, left in places
    ]
    return np.stack(crops)


def affine(
    picture: Any,
    angle: float = 0.0,
    translate: Sequence[float] = (0.0, 0.0),
    scale: float = 1.0,
    shear: Sequence[float] = (0.0, 0.0),
    interpolation: str = "bilinear",
    fill: Fill = 0,
) -> Any:
    """Return the picture turned, sheared and scaled about its centre, then moved.

        (x', y') = centre + translate + scale R Sy Sx ((x, y) - centre)

        R = [cos a, -sin a; sin a, cos a],  Sx = [1, -tan sx; 0, 1],  Sy = [1, 0; -tan sy, 1]

    Rows count downwards, so a positive angle turns clockwise. The size stays. A box becomes the smallest one
    around its four moved corners.

    Args:
        picture: see above.
        angle: a, in degrees.
        translate: pixels to the right and down.
        scale: above 0.
        shear: sx and sy in degrees, between -90 and 90.
        interpolation: "bilinear" or "nearest"; masks have nearest always.
        fill: what lies outside: one number or one per channel, in the image's range.

    Raises:
        TypeError, ValueError: what is given is no picture, or an argument outside its range.
    """
    return moved(picture, _Affine(_matrix(angle, translate, scale, shear), interpolation, fill))


def rotate(picture: Any, angle: float, interpolation: str = "bilinear", fill: Fill = 0) -> Any:
    """Return the picture turned about its centre by `angle` degrees, anticlockwise; see `affine`.

    Raises:
        TypeError, ValueError: as `affine`.
    """
    return affine(picture, -check_number("angle", angle), interpolation=interpolation, fill=fill)


def _matrix(angle: float, translate: Sequence[float], scale: float, shear: Sequence[float]) -> Array:
    """The linear part and the translation, (2, 3), of a map about the centre."""
    turn = math.radians(check_number("angle", angle))
    if check_number("scale", scale) <= 0:
        raise ValueError(f"scale must be above 0, got {scale}")
    for name, both in (("translate", translate), ("shear", shear)):
        if not isinstance(both, Sequence) or len(both) != 2:
            raise ValueError(f"{name} must be two numbers (x, y), got {both!r}")
    slants = [math.radians(check_number("shear", slant)) for slant in shear]
    if max(map(abs, slants)) >= math.pi / 2:
        raise ValueError(f"shear must be between -90 and 90 degrees, got {shear!r}")
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shear_x = np.array([[1.0, -math.tan(slants[0])], [0.0, 1.0]])
    shear_y = np.array([[1.0, 0.0], [-math.tan(slants[1]), 1.0]])
    shift = [[check_number("translate", pixels)] for pixels in translate]
    return np.hstack([scale * rotation @ shear_y @ shear_x, shift])


@dataclass(frozen=True)
class _Affine(Geometry):
    """(x', y') = matrix[:, :2] ((x, y) - centre) + matrix[:, 2] + centre."""

    matrix: Array
    interpolation: str
    fill: Fill

    def image(self, image: Array) -> Array:
        return sample(image, *self._sources(image), self.interpolation, self.fill)

    def masks(self, masks: Array) -> Array:
        return _picked(masks, *self._sources(masks))

    def boxes(self, boxes: Array, height: int, width: int) -> Array:
        centre = np.array([width / 2, height / 2])
        corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]] - centre  # (K, 4, 2)
        there = corners @ self.matrix[:, :2].T + self.matrix[:, 2] + centre
        return np.concatenate((there.min(axis=1), there.max(axis=1)), axis=1)

    def _sources(self, planes: Array) -> tuple[Array, Array]:
        """The rows and columns (H, W), as `sample` counts them, that the new pixels come from."""
        _, height, width = planes.shape
        inverse = np.linalg.inv(self.matrix[:, :2])
        # About the centre, pixel centres are at i + 1/2 - n/2.
        x = np.arange(width) - (width - 1) / 2 - self.matrix[0, 2]
        y = np.arange(height)[:, None] - (height - 1) / 2 - self.matrix[1, 2]
        columns = inverse[0, 0] * x + inverse[0, 1] * y + (width - 1) / 2
        rows = inverse[1, 0] * x + inverse[1, 1] * y + (height - 1) / 2
        return rows, columns


def elastic(picture: Any, displacement: Array, interpolation: str = "bilinear", fill: Fill = 0) -> Any:
    """Return the picture warped by a field of displacements.

        pixel (x, y) is read at (x + displacement[0, y, x], y + displacement[1, y, x])

    A box becomes the extent of the pixels that are read inside it.

    Args:
        picture: see above.
        displacement: floating (2, H, W), to the right and down, in pixels.
        interpolation, fill: see `affine`.

    Raises:
        TypeError, ValueError: what is given is no picture, a displacement of another shape or that is not
            finite, or an argument outside its range.

    Source: Simard et al., "Best practices for convolutional neural networks applied to visual document
        analysis", ICDAR 2003, section 2.
    """
    if not isinstance(displacement, np.ndarray) or displacement.dtype.kind != "f":
        raise TypeError("displacement must be a floating array (2, H, W)")
    if displacement.shape != (2, *size_of(picture)):
        raise ValueError(
            f"displacement must have shape {(2, *size_of(picture))} for this image, got {displacement.shape}"
        )
    if not np.isfinite(displacement).all():
        raise ValueError("displacement must be finite")
    return moved(picture, _Elastic(displacement, interpolation, fill))


@dataclass(frozen=True)
class _Elastic(Geometry):
    displacement: Array
    interpolation: str
    fill: Fill

    def image(self, image: Array) -> Array:
        return sample(image, *self._sources(), self.interpolation, self.fill)

    def masks(self, masks: Array) -> Array:
        return _picked(masks, *self._sources())

    def boxes(self, boxes: Array, height: int, width: int) -> Array:
        rows, columns = (centres + 0.5 for centres in self._sources())
        extents = [
            _extent((x1 <= columns) & (columns < x2) & (y1 <= rows) & (rows < y2)) for x1, y1, x2, y2 in boxes
        ]
        return np.array(extents, boxes.dtype).reshape(-1, 4)

    def _sources(self) -> tuple[Array, Array]:
        _, height, width = self.displacement.shape
        return np.arange(height)[:, None] + self.displacement[1], np.arange(width) + self.displacement[0]


def _picked(masks: Array, rows: Array, columns: Array) -> Array:
    """The masks at the nearest pixels, of any dtype; 0 outside."""
    _, height, width = masks.shape
    y, x = np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return np.where(inside, masks[:, y.clip(0, height - 1), x.clip(0, width - 1)], masks.dtype.type(0))


def _extent(mask: Array) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the pixels that are true; zeros where none is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _checked_window(top: int, left: int, height: int, width: int) -> tuple[int, int, int, int]:
    return (
        check_integer("top", top),
        check_integer("left", left),
        check_integer("height", height, minimum=1),
        check_integer("width", width, minimum=1),
    )
