"""Masks as COCO's files write them: polygons, and run lengths as numbers or as text.

Source: Lin et al., "Microsoft COCO: common objects in context", ECCV 2014, and cocodataset.org, "Data
format". Which pixels a polygon covers, and how run lengths become text, only COCO's published code
(pycocotools) says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, shown
from kernels.window import Pair

# A polygon is drawn on a grid this many times as fine; a pixel's column is judged by its middle line.
FINE = 5
MIDDLE = FINE // 2

# Text: characters from "0" on stand for five bits and one that says whether more follow.
FIRST_CHARACTER = ord("0")
GROUP_BITS = 5
LARGEST_SHIFT = 60


def run_lengths(mask: Array) -> dict[str, list[int]]:
    """Return a mask (H, W) of truth values as {"size": [H, W], "counts": [...]}, COCO's run lengths.

    The pixels are read down the columns; counts are the lengths of runs of false and true in turn, the first
    of false pixels (0 if there are none).
    """
    pixels = np.concatenate(([False], mask.ravel(order="F")))
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    return {"size": list(mask.shape), "counts": np.diff([0, *changes, mask.size]).tolist()}


def mask_of_run_lengths(counts: Sequence[int] | str, size: Pair) -> Array:
    """Return the mask, bool (H, W), that run lengths stand for: the inverse of `run_lengths`.

    Args:
        counts: the lengths, or their text; see `counts_of_text`.
        size: (H, W).

    Raises:
        ValueError: a damaged text, lengths that are not integers from 0 up, or that do not add up to H W.
    """
    numbers = counts_of_text(counts) if isinstance(counts, str) else counts
    if not isinstance(numbers, Sequence) or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"counts must be integers from 0 up, got {shown(counts)}")
    height, width = size
    if sum(numbers) != height * width:
        raise ValueError(f"counts must add up to the {height} x {width} pixels, got {sum(numbers)}")
    pixels = np.repeat(np.arange(len(numbers)) % 2 == 1, numbers)  # (W H,)
    return np.ascontiguousarray(pixels.reshape(width, height).T)


def counts_of_text(text: str) -> list[int]:
    """Return the run lengths that a text stands for.

    A number is cut into groups of five bits, the lowest first, in two's complement. Each group is a
    character, 48 + group, and 32 more if another follows. From the fourth number on what is written is the
    difference from the number two places before.

    Raises:
        ValueError: another character, or a number without an end.
    """
    counts: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - FIRST_CHARACTER
        if not 0 <= code < 64 or shift > LARGEST_SHIFT:
            raise ValueError(f"counts must be a text of COCO's run lengths, got {shown(text)}")
        number |= (code & 31) << shift
        shift += GROUP_BITS
        if code & 32:
            continue
        if code & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    if shift:
        raise ValueError(
            f"counts must be a text of COCO's run lengths, got one that is cut off: {shown(text)}"
        )
    return counts


def mask_of_polygons(polygons: Sequence[Sequence[float]], size: Pair) -> Array:
    """Return the mask, bool (H, W), of the pixels in any of the polygons.

    A polygon is x1, y1, x2, y2, .. in pixels, closed by itself. Corners are rounded to a fifth of a pixel.
    Each column is cut along its middle; where an edge crosses the cut, inside and outside change places for
    what lies below.

    Args:
        polygons: at least one, of at least three points, none farther outside than the image is large.
        size: (H, W).

    Raises:
        ValueError: no polygons, numbers that are no such points.
    """
    if not isinstance(polygons, Sequence) or not polygons:
        raise ValueError(f"polygons must be at least one list of numbers, got {shown(polygons)}")
    mask = np.zeros(size, bool)
    for polygon in polygons:
        mask |= _filled(_points(polygon, size), size)
    return mask


def _points(polygon: Any, size: Pair) -> Array:
    """The corners (K, 2), x and y, in fifths of a pixel."""
    if not isinstance(polygon, Sequence) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"a polygon must be x and y of at least three points, got {shown(polygon)}")
    if not all(type(number) in (int, float) and math.isfinite(number) for number in polygon):
        raise ValueError(f"a polygon must be of finite numbers, got {shown(polygon)}")
    points = np.array(polygon, np.float64).reshape(-1, 2)
    height, width = size
    limit = np.array([width, height])
    if (points < -limit).any() or (points > 2 * limit).any():
        raise ValueError(
            f"a polygon must lie in its image of {height} x {width} pixels, got {shown(polygon)}"
        )
    return np.trunc(FINE * points + 0.5).astype(np.int64)


def _filled(points: Array, size: Pair) -> Array:
    """The mask (H, W) of one polygon."""
    height, width = size
    crossings = np.zeros(width * height + 1, np.int64)  # counted down the columns
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        np.add.at(crossings, _crossings(start, end, size), 1)
    inside = np.cumsum(crossings[:-1]) % 2 == 1
    filled: Array = inside.reshape(width, height).T
    return filled


def _crossings(start: Array, end: Array, size: Pair) -> Array:
    """The pixels, counted down the columns, at which an edge crosses the columns' middles."""
    height, width = size
    x, y = _line(start, end)
    moved = x[1:] != x[:-1]
    left, top = (np.minimum(line[1:], line[:-1])[moved] for line in (x, y))
    columns, place = np.divmod(left, FINE)
    kept = (place == MIDDLE) & (columns >= 0) & (columns < width)
    # The first row whose centre lies below the crossing; the row after the last is the next column's first.
    rows = np.ceil(np.clip((top[kept] + 0.5) / FINE - 0.5, 0, height)).astype(np.int64)
    crossed: Array = columns[kept] * height + rows
    return crossed


def _line(start: Array, end: Array) -> tuple[Array, Array]:
    """The points x and y of the fine grid from start to end, one for each step along the longer side."""
    longer = int(abs(end[1] - start[1]) > abs(end[0] - start[0]))  # 0 for x, 1 for y
    first, last = (start, end) if start[longer] <= end[longer] else (end, start)
    steps = np.arange(last[longer] - first[longer] + 1)
    slope = (last[1 - longer] - first[1 - longer]) / max(len(steps) - 1, 1)
    along = first[longer] + steps
    across = np.trunc(first[1 - longer] + slope * steps + 0.5).astype(np.int64)
    return (across, along) if longer else (along, across)
