"""Folders of images with objects as PASCAL VOC keeps them: an XML file for every image.

Everingham et al., "The Pascal visual object classes (VOC) challenge", IJCV 88, 2010; the files' form is that
of the challenge's development kits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
from minidnn.data.images import open_indices

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CORNERS = ("xmin", "ymin", "xmax", "ymax")
# Pixels of a segmentation that belong to no object: 0, and those along the objects' borders.
VOID = 255


@dataclass(frozen=True)
class VocObject:
    """One object as its file describes it.

    Attributes:
        what: file and place, for messages.
        name: of its class.
        box: x1, y1, x2, y2, half-open.
        difficult: whether it counts for nothing.
    """

    what: str
    name: str
    box: tuple[float, ...]
    difficult: bool


@dataclass(frozen=True)
class VocImage:
    """One annotated image.

    Attributes:
        annotation, image, segmentation: the files; there need not be a segmentation.
        size: (H, W).
        objects: in the file's order.
    """

    annotation: Path
    image: Path
    segmentation: Path
    size: Pair
    objects: tuple[VocObject, ...]


class VocFolder:
    """Images with objects in VOC's form; item i is (image, target), see `minidnn.data.annotations`.

        FOLDER/Annotations/NAME.xml          size, and for each object its class and box
        FOLDER/JPEGImages/FILE               the image that NAME.xml names in <filename>
        FOLDER/ImageSets/Main/SPLIT.txt      the names of a split, one in the beginning of each line
        FOLDER/SegmentationObject/NAME.png   for masks: which object each pixel belongs to, counted from 1

    The target has "difficult" (L,), bool, too. VOC names the first and last pixel, counted from 1; the
    box becomes [xmin - 1, ymin - 1, xmax, ymax], which is half-open. All annotations are read and checked at
    once, images and masks when they are asked for.

    Args:
        folder: as above.
        split: which of ImageSets' lists; None takes all annotations, sorted by name.
        classes: the labels' names, "background" first; `models.labels.VOC` has the challenge's. None takes
            the names that occur, sorted.
        masks: whether targets have "masks"; then every image needs a segmentation, and the split's list is
            that in ImageSets/Segmentation.
        transform: applied to every item when it is fetched.

    Attributes:
        classes: the labels' names.
        images: what was read, image by image.

    Raises:
        FileNotFoundError: a folder or the split's list is missing, or no annotations are there.
        ValueError: a broken or missing XML file, one that lacks a part, a missing image or segmentation, a
            box that is empty, outside the image or with corners in reversed order, a class that is not in
            `classes`; when an item is fetched: an image that is broken or has another size, a segmentation
            that does not fit.
        ImportError: when an item is fetched without Pillow.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        split: str | None = None,
        classes: Sequence[str] | None = None,
        masks: bool = False,
        transform: DetectionTransform | None = None,
    ) -> None:
        home = Path(folder)
        self.masks = masks
        self.transform = transform
        self.images = [_read(home, name) for name in _names(home, split, masks)]
        objects = [found for image in self.images for found in image.objects]
        if classes is None:
            classes = (BACKGROUND, *sorted({found.name for found in objects}))
        numbers = class_numbers(classes)
        self.classes = tuple(classes)
        self.labels = [
            np.array([label_of(found.what, found.name, numbers) for found in image.objects], np.int64)
            for image in self.images
        ]
        if masks:
            for image in self.images:
                _require(image.segmentation, image.annotation)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> DetectionItem:
        entry = self.images[index]
        image = read_sized_image(entry.image, entry.size, entry.annotation)
        target: Target = {
            "boxes": np.array([found.box for found in entry.objects], np.float32).reshape(-1, 4),
            "labels": self.labels[index],
            "difficult": np.array([found.difficult for found in entry.objects], bool),
        }
        if self.masks:
            target["masks"] = _read_masks(entry)
        return (image, target) if self.transform is None else self.transform((image, target))


def _names(home: Path, split: str | None, masks: bool) -> list[str]:
    """The names of the annotations."""
    annotations = home / "Annotations"
    if not annotations.is_dir():
        raise FileNotFoundError(f"{home} must hold a folder Annotations with an XML file per image")
    if split is None:
        names = sorted(path.stem for path in annotations.glob("*.xml"))
        if not names:
            raise FileNotFoundError(f"{annotations} must hold an XML file per image, there is none")
        return names
    path = home / "ImageSets" / ("Segmentation" if masks else "Main") / f"{split}.txt"
    if not path.is_file():
        raise FileNotFoundError(f"split must have a list of names, but there is no {path}")
    names = [line.split()[0] for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    if not names:
        raise ValueError(f"{path} must name at least one image, it is empty")
    return names


def _read(home: Path, name: str) -> VocImage:
    """What an XML file says."""
    from xml.etree import ElementTree

    path = home / "Annotations" / f"{name}.xml"
    if not path.is_file():
        raise ValueError(f"{path} is missing, but the list of the split names it")
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{path} is no readable XML: {error}") from None
    if root.tag != "annotation":
        raise ValueError(f"{path} must hold an <annotation>, got <{root.tag}>")
    size = _size(path, root)
    image = home / "JPEGImages" / _text(str(path), root, "filename")
    _require(image, path)
    objects = tuple(
        _object(f"{path}: object {place}", element, size)
        for place, element in enumerate(root.findall("object"), start=1)
    )
    return VocImage(path, image, home / "SegmentationObject" / f"{name}.png", size, objects)


def _require(path: Path, annotation: Path) -> None:
    if not path.is_file():
        raise ValueError(f"{annotation} needs the file {path}, which is missing")


def _size(path: Path, root: Element) -> Pair:
    """(H, W) of the image."""
    height, width = (_number(str(path), root, f"size/{side}") for side in ("height", "width"))
    if not (height.is_integer() and width.is_integer() and min(height, width) >= 1):
        raise ValueError(
            f"{path} must have a width and height of 1 pixel and more, got {width:g} and {height:g}"
        )
    return int(height), int(width)


def _object(what: str, element: Element, size: Pair) -> VocObject:
    """One <object>; its parts (a person's head) are passed over."""
    name = _text(what, element, "name")
    what = f"{what} ({name})"
    xmin, ymin, xmax, ymax = corners = [_number(what, element, f"bndbox/{corner}") for corner in CORNERS]
    box = (xmin - 1, ymin - 1, xmax, ymax)
    given = ", ".join(f"{corner} {value:g}" for corner, value in zip(CORNERS, corners, strict=True))
    check_box(what, f"{given} (from 1 on)", box, size)
    difficult = element.findtext("difficult", "0").strip()
    if difficult not in ("0", "1"):
        raise ValueError(f"{what} must have <difficult> 0 or 1, got {shown(difficult)}")
    return VocObject(what, name, box, difficult == "1")


def _text(what: str, element: Element, path: str) -> str:
    text = (element.findtext(path) or "").strip()
    if not text:
        raise ValueError(f"{what} must have <{path.replace('/', '><')}>, it is missing or empty")
    return text


def _number(what: str, element: Element, path: str) -> float:
    text = _text(what, element, path)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} must have a number in <{path.replace('/', '><')}>, got {shown(text)}")
    return number


def _read_masks(entry: VocImage) -> Array:
    """The masks (L, H, W) of the objects; an object that was not segmented has an empty one."""
    indices = open_indices(entry.segmentation)
    if indices.shape != entry.size:
        raise ValueError(
            f"{entry.segmentation} has {indices.shape} rows and columns, "
            f"but {entry.annotation} says {entry.size}"
        )
    highest = int(indices[indices != VOID].max(initial=0))
    if highest > len(entry.objects):
        raise ValueError(
            f"{entry.segmentation} has pixels of object {highest}, "
            f"but {entry.annotation} has {len(entry.objects)}"
        )
    numbers = np.arange(1, len(entry.objects) + 1)
    masks: Array = (indices == numbers[:, None, None]).astype(np.uint8)
    return masks
