"""Folders of images with objects as COCO keeps them: one JSON file for all images.

Lin et al., "Microsoft COCO: common objects in context", ECCV 2014; cocodataset.org, "Data format", "Object
detection".
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kernels.array import Array, shown
from kernels.window import Pair
from minidnn.data.annotations import (
    BACKGROUND,
    DetectionItem,
    DetectionTransform,
    Target,
    check_box,
    class_numbers,
    label_of,
    read_sized_image,
)
from minidnn.data.mask_formats import mask_of_polygons, mask_of_run_lengths

# COCO's coordinates are rounded, so a box may end a little outside of its image; it is cut there.
SLACK = 1.0


@dataclass(frozen=True)
class CocoObject:
    """One object as the file describes it.

    Attributes:
        what: file and id, for messages.
        label: of its class.
        box: x1, y1, x2, y2, half-open.
        area: its own, as a rule of its mask.
        crowd: whether it is a group whose members are not told apart.
        segmentation: polygons or run lengths, in the file's form; None where masks are not asked for.
    """

    what: str
    label: int
    box: tuple[float, ...]
    area: float
    crowd: bool
    segmentation: Any


@dataclass(frozen=True)
class CocoImage:
    """One image.

    Attributes:
        path: the file.
        size: (H, W).
        objects: in the file's order.
    """

    path: Path
    size: Pair
    objects: list[CocoObject] = field(default_factory=list)


class CocoFolder:
    """Images with objects in COCO's form; item i is (image, target), see `minidnn.data.annotations`.

    The target has "iscrowd" (L,), bool, and "area" (L,), float32, too. The whole annotation file is read and
    checked at once; images are read and masks are drawn when they are asked for. Images without objects are
    items as well.

    Args:
        folder: where the images lie.
        annotations: the JSON file, for example instances_val2017.json.
        classes: the labels' names, "background" first, to which categories belong by name;
            `models.labels.COCO` keeps the data set's own numbers, as the published detectors do. None takes
            the categories by their ids, numbered from 1 without gaps.
        masks: whether targets have "masks"; then every object needs a segmentation.
        drop_empty: leave out objects whose box is empty, of which COCO's training images have two.
        transform: applied to every item when it is fetched.

    Attributes:
        classes: the labels' names.
        images: what was read, image by image, in the file's order.

    Raises:
        FileNotFoundError: the folder or the annotation file is missing.
        ValueError: no readable JSON, an entry that lacks a part, a missing image, an id that nothing has or
            two have, a class that is not in `classes`, a box that is empty, outside the image or with corners
            in reversed order; when an item is fetched: an image that is broken or has another size, a broken
            mask.
        ImportError: when an item is fetched without Pillow.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        annotations: str | os.PathLike[str],
        classes: Sequence[str] | None = None,
        masks: bool = False,
        drop_empty: bool = False,
        transform: DetectionTransform | None = None,
    ) -> None:
        self.annotations = Path(annotations)
        self.masks = masks
        self.drop_empty = drop_empty
        self.transform = transform
        if not Path(folder).is_dir():
            raise FileNotFoundError(f"folder must hold the images, but {folder} is no folder")
        content = _read_json(self.annotations)
        names = self._category_names(content)
        self.classes = tuple(classes or (BACKGROUND, *names.values()))
        numbers = class_numbers(self.classes)
        labels = {
            number: label_of(f"{annotations}: category {number}", name, numbers)
            for number, name in names.items()
        }
        images = self._images(content, Path(folder))
        for what, entry in _entries(self.annotations, content, "annotations"):
            self._add(what, entry, images, labels)
        self.images = list(images.values())

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> DetectionItem:
        entry = self.images[index]
        image = read_sized_image(entry.path, entry.size, self.annotations)
        target: Target = {
            "boxes": np.array([found.box for found in entry.objects], np.float32).reshape(-1, 4),
            "labels": np.array([found.label for found in entry.objects], np.int64),
            "iscrowd": np.array([found.crowd for found in entry.objects], bool),
            "area": np.array([found.area for found in entry.objects], np.float32),
        }
        if self.masks:
            masks = [_mask(found, entry.size) for found in entry.objects]
            target["masks"] = np.array(masks, np.uint8).reshape(-1, *entry.size)
        return (image, target) if self.transform is None else self.transform((image, target))

    # ---- the file's three lists --------------------------------------------------------------------

    def _category_names(self, content: Mapping[str, Any]) -> dict[int, str]:
        """The names by id, sorted by id."""
        names: dict[int, str] = {}
        for what, entry in _entries(self.annotations, content, "categories"):
            number, name = _integer(what, entry, "id"), _string(what, entry, "name")
            if number in names:
                raise ValueError(f"{what} must have an id of its own, got {number} again")
            names[number] = name
        return dict(sorted(names.items()))

    def _images(self, content: Mapping[str, Any], folder: Path) -> dict[int, CocoImage]:
        """The images by id, as yet without objects."""
        images: dict[int, CocoImage] = {}
        for what, entry in _entries(self.annotations, content, "images"):
            number = _integer(what, entry, "id")
            path = folder / _string(what, entry, "file_name")
            size = _integer(what, entry, "height"), _integer(what, entry, "width")
            if min(size) < 1:
                raise ValueError(f"{what} must have a width and height of 1 pixel and more, got {size[::-1]}")
            if number in images:
                raise ValueError(f"{what} must have an id of its own, got {number} again")
            if not path.is_file():
                raise ValueError(f"{what} needs the file {path}, which is missing")
            images[number] = CocoImage(path, size)
        return images

    def _add(
        self,
        what: str,
        entry: Mapping[str, Any],
        images: Mapping[int, CocoImage],
        labels: Mapping[int, int],
    ) -> None:
        """Check an object and give it to its image."""
        if "id" in entry:
            what = f"{self.annotations}: annotation {_integer(what, entry, 'id')}"
        image, label = (
            _known(what, entry, name, known)
            for name, known in (("image_id", images), ("category_id", labels))
        )
        x, y, width, height = given = _numbers(what, entry, "bbox", 4)
        if self.drop_empty and 0 in (width, height):
            return
        limits = (image.size[1], image.size[0]) * 2
        box = tuple(map(_cut, (x, y, x + width, y + height), limits))
        check_box(what, f"{given} (x, y, width, height)", box, image.size)
        crowd = entry.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise ValueError(f"{what} must have iscrowd 0 or 1, got {shown(crowd)}")
        (area,) = _numbers(what, {"area": [entry.get("area", width * height)]}, "area", 1)
        segmentation = entry.get("segmentation") if self.masks else None
        if self.masks and not segmentation:
            raise ValueError(f"{what} must have a segmentation, since masks are asked for")
        image.objects.append(CocoObject(what, label, box, area, bool(crowd), segmentation))


def _cut(value: float, limit: float) -> float:
    """A coordinate, moved into [0, limit] if it is no farther from there than rounding explains."""
    nearest = min(max(value, 0.0), float(limit))
    return nearest if abs(value - nearest) <= SLACK else value


def _mask(found: CocoObject, size: Pair) -> Array:
    """The mask (H, W) of an object."""
    shape = found.segmentation
    try:
        if not isinstance(shape, dict):
            return mask_of_polygons(shape, size)
        if shape.get("size") != list(size):
            raise ValueError(f"size must be {list(size)}, the image's, got {shown(shape.get('size'))}")
        return mask_of_run_lengths(shape.get("counts", ()), size)
    except ValueError as error:
        raise ValueError(f"{found.what} has a broken segmentation: {error}") from None


# ---- reading entries -------------------------------------------------------------------------------


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no readable JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} must hold an object with images, annotations and categories, got {shown(content)}"
        )
    return content


def _entries(path: Path, content: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of one of the file's lists, each with how messages call it."""
    entries = content.get(name)
    if not isinstance(entries, list):
        raise ValueError(f"{path} must have a list {name!r}, got {shown(entries)}")
    for place, entry in enumerate(entries):
        what = f"{path}: {name}[{place}]"
        if not isinstance(entry, dict):
            raise ValueError(f"{what} must be an object, got {shown(entry)}")
        yield what, entry


def _integer(what: str, entry: Mapping[str, Any], name: str) -> int:
    value = entry.get(name)
    if type(value) is not int:
        raise ValueError(f"{what} must have an integer {name!r}, got {shown(value)}")
    return value


def _string(what: str, entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{what} must have a text {name!r}, got {shown(value)}")
    return value


def _numbers(what: str, entry: Mapping[str, Any], name: str, count: int) -> list[float]:
    values = entry.get(name)
    numbers: list[float] = values if isinstance(values, list) and len(values) == count else []
    if not numbers or not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise ValueError(f"{what} must have {count} finite numbers as {name!r}, got {shown(values)}")
    return numbers


def _known(what: str, entry: Mapping[str, Any], name: str, known: Mapping[int, Any]) -> Any:
    number = _integer(what, entry, name)
    if number not in known:
        raise ValueError(f"{what} has {name} {number}, which the file does not list")
    return known[number]
