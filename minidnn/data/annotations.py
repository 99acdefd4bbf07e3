"""What the readers of detection data sets share: targets, the classes' names, checks of boxes.

An item of such a set is (image, target): the image float32 (3, H, W) in [0, 1], the target the dictionary
that the detectors learn from and `minidnn.detection`'s average precision judges by:

    "boxes" (L, 4)      float32, half-open: x1, y1, x2, y2
    "labels" (L,)       int64, places in `classes`, of which 0 is the background
    "masks" (L, H, W)   uint8, 0 or 1, where masks are asked for
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from kernels.array import Array
from kernels.window import Pair
from minidnn.data.images import read_image

Target: TypeAlias = dict[str, Array]
DetectionItem: TypeAlias = tuple[Array, Target]
DetectionTransform: TypeAlias = Callable[[DetectionItem], DetectionItem]

BACKGROUND = "background"
# Objects that count for nothing if they are found or missed: VOC's difficult ones, COCO's crowds.
FLAGS = ("difficult", "iscrowd")


def flagged(target: Mapping[str, Array]) -> Array:
    """Return which objects (L,) of a target are difficult or crowds."""
    found = np.zeros(len(target["labels"]), bool)
    for flag in FLAGS:
        if flag in target:
            found |= target[flag].astype(bool)
    return found


def without_flagged(target: Mapping[str, Array]) -> Target:
    """Return the objects of a target that a training step is to find: neither difficult nor crowds."""
    kept = ~flagged(target)
    return {name: entry[kept] for name, entry in target.items()}


def class_numbers(classes: Sequence[str]) -> dict[str, int]:
    """Return the label of each class's name.

    Raises:
        ValueError: no background in place 0, no other class, or a name twice.
    """
    if len(classes) < 2 or classes[0] != BACKGROUND:
        raise ValueError(f"classes must begin with 'background' and name one more, got {list(classes)[:3]}")
    if len(set(classes)) < len(classes):
        twice = next(name for place, name in enumerate(classes) if name in classes[:place])
        raise ValueError(f"classes must have different names, got {twice!r} twice")
    return {name: label for label, name in enumerate(classes) if label > 0}


def label_of(what: str, name: str, numbers: Mapping[str, int]) -> int:
    """Return the label of a class (ValueError with near matches for one that is not in the list)."""
    if name not in numbers:
        near = difflib.get_close_matches(name, numbers, n=2) or list(numbers)[:8]
        raise ValueError(f"{what} is of class {name!r}, which is none of the classes ({', '.join(near)} ..)")
    return numbers[name]


def check_box(what: str, given: str, box: Sequence[float], size: Pair) -> None:
    """Require that a box x1, y1, x2, y2 has an area and lies in an image of `size` (H, W).

    Args:
        what: whose box, with its file; for the message.
        given: the box in the file's own words.
        box: as it is understood here.
        size: of the image.

    Raises:
        ValueError: it does not.
    """
    x1, y1, x2, y2 = box
    height, width = size
    problem = None
    if x2 < x1 or y2 < y1:
        problem = "whose corners are in reversed order"
    elif x1 == x2 or y1 == y2:
        problem = "which is empty"
    elif x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        problem = f"which must lie in the image, {width} pixels wide and {height} high"
    if problem:
        raise ValueError(f"{what} has the box {given}, {problem}")


def read_sized_image(path: Path, size: Pair, annotation: Path) -> Array:
    """Return the image file as float32 (3, H, W) in [0, 1].

    Raises:
        ValueError: it is broken, or not of the size that its annotation says.
    """
    image = read_image(path)
    if image.shape[1:] != size:
        raise ValueError(f"{path} has {image.shape[1:]} rows and columns, but {annotation} says {size}")
    return image
