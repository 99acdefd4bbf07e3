"""Scenes for detectors: the package's real digits, scattered over backgrounds of colour, noise and clutter.

A scene is drawn from nothing but (seed, split, index), so it is the same in whatever order, and by however
many threads, scenes are asked for, and there is no last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from kernels.array import Array, check_integer
from minidnn.data.annotations import BACKGROUND, DetectionItem, Target
from minidnn.data.dataset import ArrayDataset, check_split
from minidnn.data.digits import digits
from minidnn.data.resize import LUMA, resize

Box = tuple[int, int, int, int]

MOST_DIGITS = 5
# A digit's square, in pixels: twice to five times the 8 pixels that it was stored with.
SMALLEST_SIDE, LARGEST_SIDE = 16, 40
LARGEST_STRETCH = 1.2  # of a digit's width against its height, or the other way round
MOST_SHARED = 0.3  # of the smaller of two digits' boxes that lies in the other
PLACES_TRIED = 20
# Ink between these two shares of black is an edge: what is fainter is left out, what is darker is opaque.
FAINTEST_INK, FULL_INK = 0.2, 0.6
LEAST_CONTRAST = 0.3  # between an ink's luma and the background's
MOST_FRAGMENTS, MOST_LINES, MOST_PATCHES = 4, 3, 2
LARGEST_FRAGMENT = 12  # pixels: smaller than the smallest digit
LARGEST_NOISE = 0.06  # standard deviation of every pixel's

_SPLIT_NUMBERS = {"train": 0, "test": 1}


@dataclass(frozen=True)
class DigitScenes:
    """Pictures with one to five digits each, their boxes and their masks.

        image, target = DigitScenes("train", seed=3)[12_345]

    Digits are enlarged to sides of 16 to 40 pixels, stretched a little, and set in one after the other, the
    later over the earlier, in inks of colours that differ from the background. Beneath lie pieces of digits
    smaller than any digit, thin lines and patches of noise. Two digits' boxes share at most 30% of the
    smaller one's area; a digit that finds no such place in twenty tries is left out.

    A digit's mask has the pixels that its ink covers at least by half, as if nothing lay over it; its box is
    the mask's extent: first column, first row, last column + 1, last row + 1. All boxes lie within the image.

    Item i, for every i from 0 on, is (image, target): an image float32 (3, size, size) in [0, 1], and

        "boxes" float32 (L, 4)     x1, y1, x2, y2 in pixels
        "labels" int64 (L,)        the digit + 1: detectors keep 0 for the background
        "masks" uint8 (L, size, size)

    Args:
        split: "train" or "test": whose digits, see `digits`. No test scene has a digit, or a piece of one,
            that occurs in a training scene.
        seed: of all scenes, at least 0.
        size: height and width, at least 64.
        length: what `len` says, and so how many scenes an epoch of a loader has; items go on beyond it.

    Raises:
        ValueError: another split, or a number below its minimum; a negative index.
        TypeError: a number that is no integer.
    """

    split: str = "train"
    seed: int = 0
    size: int = 96
    length: int = 1000

    def __post_init__(self) -> None:
        check_split(self.split)
        for name, minimum in (("seed", 0), ("size", 64), ("length", 1)):
            check_integer(name, getattr(self, name), minimum=minimum)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels."""
        return (BACKGROUND, *_digits(self.split).classes)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> DetectionItem:
        check_integer("index", index, minimum=0)
        entropy = np.random.SeedSequence([self.seed, _SPLIT_NUMBERS[self.split], index])
        painter = _Painter(np.random.Generator(np.random.Philox(entropy)), self.split, self.size)
        painter.add_clutter()
        return painter.finish(painter.add_digits())


@cache
def _digits(split: str) -> ArrayDataset:
    return digits(8, split)


@dataclass(frozen=True)
class _Ink:
    """A digit as it is to be set in.

    Attributes:
        opacity: (h, w) in [0, 1].
        label: its class, from 1 on.
        extent: the box of the pixels of half opacity and more, within `opacity`.
    """

    opacity: Array
    label: int
    extent: Box


class _Painter:
    """A scene in the making.

    Args:
        draw: the only source of chance.
        split: whose digits.
        size: height and width.
    """

    def __init__(self, draw: np.random.Generator, split: str, size: int) -> None:
        self.draw = draw
        self.digits = _digits(split)
        self.size = size
        colour = draw.uniform(0, 1, 3)
        self.luma = float(LUMA @ colour)
        # Light that changes slowly over the scene.
        light = draw.normal(0, draw.uniform(0, 0.1), (3, 4, 4))  # (3, 4, 4)
        self.image = colour[:, None, None] + resize(light, size)  # (3, size, size)

    # ---- clutter -------------------------------------------------------------------------------

    def add_clutter(self) -> None:
        """Lay fragments of digits, lines and patches of noise, in this order."""
        for _ in range(self.draw.integers(MOST_FRAGMENTS + 1)):
            self._add_fragment()
        for _ in range(self.draw.integers(MOST_LINES + 1)):
            self._add_line()
        for _ in range(self.draw.integers(MOST_PATCHES + 1)):
            self._add_patch()

    def _add_fragment(self) -> None:
        """Three or four rows and columns of a digit, enlarged, but not to the size of a digit."""
        image = self._any_digit()[0]
        height, width = self.draw.integers(3, 5, 2)
        top, left = self.draw.integers(0, 9 - height), self.draw.integers(0, 9 - width)
        piece = image[top : top + height, left : left + width]
        sides = self.draw.integers(5, LARGEST_FRAGMENT + 1, 2)
        opacity = _edges(resize(piece, (int(sides[0]), int(sides[1]))))
        self._blend(opacity, self._anywhere(opacity), self._ink_colour())

    def _add_line(self) -> None:
        """A thin straight line between two points."""
        (x1, y1), (x2, y2) = self.draw.uniform(0, self.size, (2, 2))
        y, x = np.indices((self.size, self.size)) + 0.5  # (size, size)
        length = np.hypot(x2 - x1, y2 - y1)
        along = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / max(length**2, 1.0), 0, 1)
        distance = np.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1))
        opacity = np.clip(self.draw.uniform(0.5, 1.0) + 0.5 - distance, 0, 1)
        self._blend(opacity, (0, 0), self._ink_colour())

    def _add_patch(self) -> None:
        """A rectangle in which every pixel has a colour of its own."""
        height, width = self.draw.integers(6, 25, 2)
        colours = self.draw.uniform(0, 1, (3, height, width))
        opacity = np.full((height, width), self.draw.uniform(0.2, 0.7))
        self._blend(opacity, self._anywhere(opacity), colours)

    # ---- digits --------------------------------------------------------------------------------

    def add_digits(self) -> Target:
        """Set the digits in, and return the scene's target."""
        boxes: list[Box] = []
        labels: list[int] = []
        masks: list[Array] = []
        for _ in range(self.draw.integers(1, MOST_DIGITS + 1)):
            ink = self._ink()
            box = self._free_place(ink, boxes)
            if box is None:
                continue
            place = box[0] - ink.extent[0], box[1] - ink.extent[1]
            self._blend(ink.opacity, place, self._ink_colour())
            boxes.append(box)
            labels.append(ink.label)
            masks.append(_mask(ink, box, self.size))
        return {
            "boxes": np.array(boxes, np.float32),
            "labels": np.array(labels, np.int64),
            "masks": np.stack(masks),
        }

    def _any_digit(self) -> tuple[Array, int]:
        """A digit's ink (8, 8) and its class from 0 on."""
        index = int(self.draw.integers(len(self.digits)))
        return self.digits.inputs[index, 0], int(self.digits.targets[index])

    def _ink(self) -> _Ink:
        image, digit = self._any_digit()
        side = np.exp(self.draw.uniform(np.log(SMALLEST_SIDE), np.log(LARGEST_SIDE)))
        stretch = LARGEST_STRETCH ** self.draw.uniform(-0.5, 0.5)
        opacity = _edges(resize(image, (round(side * stretch), round(side / stretch))))
        return _Ink(opacity, digit + 1, _extent(opacity >= 0.5))

    def _free_place(self, ink: _Ink, boxes: list[Box]) -> Box | None:
        """A box for the ink within the scene that shares little with the others; None if none is found."""
        left, top, right, bottom = ink.extent
        width, height = right - left, bottom - top
        for _ in range(PLACES_TRIED):
            x = int(self.draw.integers(self.size - width + 1))
            y = int(self.draw.integers(self.size - height + 1))
            box = (x, y, x + width, y + height)
            if all(_shared(box, other) <= MOST_SHARED for other in boxes):
                return box
        return None

    # ---- paint ---------------------------------------------------------------------------------

    def _ink_colour(self) -> Array:
        """A colour (3, 1, 1) that stands out from the background."""
        while True:
            colour = self.draw.uniform(0, 1, 3)
            if abs(float(LUMA @ colour) - self.luma) >= LEAST_CONTRAST:
                return colour[:, None, None]

    def _anywhere(self, opacity: Array) -> tuple[int, int]:
        """Column and row of a place within the scene."""
        height, width = opacity.shape
        return int(self.draw.integers(self.size - width)), int(self.draw.integers(self.size - height))

    def _blend(self, opacity: Array, place: tuple[int, int], colours: Array) -> None:
        """Lay colours (3, h, w) over the scene, with their left upper corner at column and row `place`.

        What lies outside the scene is lost.
        """
        left, top = place
        rows, columns = _within(top, opacity.shape[0], self.size), _within(left, opacity.shape[1], self.size)
        seen = self.image[:, top + rows.start : top + rows.stop, left + columns.start : left + columns.stop]
        colours = np.broadcast_to(colours, (3, *opacity.shape))
        seen += opacity[rows, columns] * (colours[:, rows, columns] - seen)

    def finish(self, target: Target) -> DetectionItem:
        """Return the scene, with noise on every pixel, and its target."""
        noise = self.draw.normal(0, self.draw.uniform(0, LARGEST_NOISE), self.image.shape)
        return np.clip(self.image + noise, 0, 1).astype(np.float32), target


def _edges(ink: Array) -> Array:
    """The opacity of ink: edges are steeper than in the small image."""
    opacity: Array = np.clip((ink.astype(np.float64) - FAINTEST_INK) / (FULL_INK - FAINTEST_INK), 0, 1)
    return opacity


def _extent(mask: Array) -> Box:
    """The smallest box around a mask's pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _shared(one: Box, other: Box) -> float:
    """The share of the smaller of two boxes that lies in the other."""
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    return width * height / min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))


def _mask(ink: _Ink, box: Box, size: int) -> Array:
    """The pixels (size, size) of the scene that the ink, set into its box, covers at least by half."""
    mask = np.zeros((size, size), np.uint8)
    left, top, right, bottom = ink.extent
    mask[box[1] : box[3], box[0] : box[2]] = ink.opacity[top:bottom, left:right] >= 0.5
    return mask


def _within(start: int, length: int, size: int) -> slice:
    """Which of `length` positions, the first at `start`, lie in [0, size)."""
    return slice(max(0, -start), min(length, size - start))
