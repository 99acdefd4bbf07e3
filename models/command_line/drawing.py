"""Detections drawn on a picture: boxes, names with scores, and masks. Needs Pillow."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kernels.array import Array

if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]

# Multiples of the golden section lie far apart on the circle of hues, however many classes there are.
GOLDEN_SECTION = 0.618034
MASK_OPACITY = 0.45


class Found(NamedTuple):
    """One detection.

    Attributes:
        number: of the class.
        name: of the class.
        score: its probability.
        box: x1, y1, x2, y2 in pixels.
        mask: whether each pixel (H, W) belongs to it; None without masks.
    """

    number: int
    name: str
    score: float
    box: tuple[float, float, float, float]
    mask: Array | None


def colour_of(number: int) -> Colour:
    """Return the colour of a class: bright, and unlike those of the classes beside it."""
    red, green, blue = colorsys.hsv_to_rgb(number * GOLDEN_SECTION % 1, 0.85, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw(picture: Image, detections: Sequence[Found]) -> Image:
    """Return a copy of a colour picture with the detections on it, the best on top."""
    from PIL import Image, ImageDraw, ImageFont

    pixels: Array = np.asarray(picture, np.float32)  # (H, W, 3)
    for found in reversed(detections):
        if found.mask is not None:
            share = MASK_OPACITY * found.mask[..., None]  # (H, W, 1)
            pixels = (1 - share) * pixels + share * np.array(colour_of(found.number), np.float32)
    result = Image.fromarray(np.round(pixels).astype(np.uint8))
    pen = ImageDraw.Draw(result)
    width = max(1, round(min(picture.size) / 200))
    size = max(10, round(min(picture.size) / 30))
    font = ImageFont.load_default(size=size)
    for found in reversed(detections):
        colour = colour_of(found.number)
        pen.rectangle(found.box, outline=colour, width=width)
        text = f"{found.name} {found.score:.0%}"
        # Above the box, or within it where the picture ends; never over its right edge.
        left = min(found.box[0] + width, result.width - pen.textlength(text, font))
        place = max(left, 0), max(found.box[1] - size - 2 * width, 0)
        pen.rectangle(pen.textbbox(place, text, font), fill=colour)
        pen.text(place, text, fill=_readable_on(colour), font=font)
    return result


def _readable_on(colour: Colour) -> str:
    """Black or white, by the luminance of ITU-R BT.601."""
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else "white"
