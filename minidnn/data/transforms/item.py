"""What a transform is given: an image, alone or with the objects in it, or with a label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernels.array import Array
from minidnn.data.transforms.pixels import as_image

# Entries of a target that have a row for every box, and stay or go with it (the area is as it was annotated).
PER_OBJECT = ("labels", "difficult", "iscrowd", "area")


@dataclass(frozen=True)
class Item:
    """An image and the objects in it.

    Attributes:
        image: (C, H, W), uint8 or floating; or a Pillow image.
        boxes: floating (K, 4): x1, y1, x2, y2 in pixels, the corners of half-open rectangles; None: no boxes.
        labels: (K,); None: no labels.
        masks: (K, H, W), nonzero where the object is; without boxes and labels also maps of classes,
            whose values are kept. None: no masks.

    Raises:
        TypeError, ValueError: an entry is no array, or its shape does not belong to the others'.
    """

    image: Any
    boxes: Array | None = None
    labels: Array | None = None
    masks: Array | None = None

    def __post_init__(self) -> None:
        image = as_image(self.image)
        object.__setattr__(self, "image", image)
        counts = {}
        for name, array in (("boxes", self.boxes), ("labels", self.labels), ("masks", self.masks)):
            if array is not None:
                if not isinstance(array, np.ndarray):
                    raise TypeError(f"{name} must be an array, got {type(array).__name__}")
                counts[name] = array.shape[0] if array.ndim else 0
        if self.boxes is not None and (self.boxes.ndim != 2 or self.boxes.shape[1] != 4):
            raise ValueError(f"boxes must have shape (K, 4), got {self.boxes.shape}")
        if self.boxes is not None and self.boxes.dtype.kind != "f":
            raise TypeError(f"boxes must have a floating dtype, got {self.boxes.dtype}")
        if self.masks is not None and (self.masks.ndim != 3 or self.masks.shape[1:] != image.shape[1:]):
            raise ValueError(
                f"masks must have shape (K, {image.shape[1]}, {image.shape[2]}) as the image has, "
                f"got {self.masks.shape}"
            )
        if len(set(counts.values())) > 1:
            raise ValueError(f"boxes, labels and masks must be equally many, got {counts}")


class Geometry(ABC):
    """Where pixels go: one movement, for an image, the boxes in it and the masks of its objects."""

    @abstractmethod
    def image(self, image: Array) -> Array:
        """Return the moved image (C, H', W'), in new memory."""

    @abstractmethod
    def masks(self, masks: Array) -> Array:
        """Return moved masks (K, H', W'): values are picked, never blended, and 0 comes in from outside."""

    @abstractmethod
    def boxes(self, boxes: Array, height: int, width: int) -> Array:
        """Return the smallest boxes (K, 4), not yet clipped, around where the boxes of an image H, W went."""


def moved(picture: Any, geometry: Geometry) -> Any:
    """Return a picture moved by a geometry; what is left of its objects moves with the image.

    Boxes are clipped to the new image. An object whose box is then without area, or whose mask without
    pixels, is dropped: box, label and mask.

    Args:
        picture: an image (array or Pillow), an `Item`, or a data set's (image, label or target, ...).

    Raises:
        TypeError, ValueError: as `as_image` and `Item`.
    """
    if isinstance(picture, tuple):
        return _tuple_moved(picture, geometry)
    if isinstance(picture, Item):
        return _item_moved(picture, geometry)[0]
    return geometry.image(as_image(picture))


def recolored(picture: Any, function: Callable[[Array], Array]) -> Any:
    """Return a picture whose image went through `function`, which moves nothing; the rest is as it was.

    Args, Raises: as `moved`.
    """
    if isinstance(picture, tuple):
        return recolored(picture[0], function), *picture[1:]
    if isinstance(picture, Item):
        return replace(picture, image=function(picture.image))
    return function(as_image(picture))


def size_of(picture: Any) -> tuple[int, int]:
    """Return height and width of a picture's image."""
    _, height, width = _image_of(picture).shape
    return height, width


def channels_of(picture: Any) -> int:
    """Return the number of channels of a picture's image."""
    return len(_image_of(picture))


def _image_of(picture: Any) -> Array:
    if isinstance(picture, tuple):
        return _image_of(picture[0])
    return as_image(picture.image if isinstance(picture, Item) else picture)


def _item_moved(item: Item, geometry: Geometry) -> tuple[Item, Array]:
    """The moved item, and the places (K',) of the objects that are left."""
    image = geometry.image(item.image)
    _, height, width = item.image.shape
    _, new_height, new_width = image.shape
    masks = None if item.masks is None else geometry.masks(item.masks)
    if item.boxes is None and item.labels is None:
        return Item(image, masks=masks), np.arange(0 if masks is None else len(masks))
    visible = np.ones(next(len(rows) for rows in (item.boxes, item.labels) if rows is not None), bool)
    boxes = None
    if item.boxes is not None:
        limits = np.array([new_width, new_height, new_width, new_height], item.boxes.dtype)
        boxes = np.clip(geometry.boxes(item.boxes, height, width), 0, limits).astype(item.boxes.dtype)
        visible &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    if masks is not None:
        visible &= masks.any(axis=(1, 2))
    rows = [None if array is None else array[visible] for array in (boxes, item.labels, masks)]
    return Item(image, *rows), np.flatnonzero(visible)


def _tuple_moved(picture: tuple[Any, ...], geometry: Geometry) -> tuple[Any, ...]:
    """(image, label, ...) or (image, target, ...): a target is a mapping that may have boxes and masks."""
    image, *rest = picture
    if not rest or not isinstance(rest[0], Mapping):
        return moved(image, geometry), *rest
    target = dict(rest[0])
    item = Item(image, target.get("boxes"), target.get("labels"), target.get("masks"))
    result, left = _item_moved(item, geometry)
    target.update({name: target[name][left] for name in PER_OBJECT if name in target})
    target.update({name: getattr(result, name) for name in ("boxes", "masks") if name in target})
    return result.image, target, *rest[1:]
