"""Boxes and masks go where the pixels go: judged by the extents of moved masks, and by counting pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn.data import transforms
from minidnn.data.transforms import Item, functional
from tests.minidnn.data.transforms.cases import displacement, image

HEIGHT, WIDTH = 47, 62
BOXES = np.array([[5, 8, 30, 20], [40, 1, 60, 45], [20, 25, 27, 33], [0, 0, 62, 47]], np.float32)
LABELS = np.array([3, 1, 4, 9])


def extent(mask: np.ndarray) -> list[int]:
    """x1, y1, x2, y2 of the pixels of a mask."""
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def scene() -> Item:
    """Masks that fill their boxes, the image bright where the third one is."""
    masks = np.zeros((len(BOXES), HEIGHT, WIDTH), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, BOXES.astype(int), strict=True):
        mask[y1:y2, x1:x2] = 1
    return Item(np.repeat(masks[2:3] * np.uint8(255), 3, axis=0), BOXES.copy(), LABELS.copy(), masks)


EXACT: dict[str, Callable[[Any], Any]] = {
    "hflip": functional.hflip,
    "crop": lambda item: functional.crop(item, 3, 4, 38, 51),
    "crop beyond": lambda item: functional.crop(item, -5, -2, 60, 80),
    "crop of a part": lambda item: functional.crop(item, 10, 25, 20, 20),
    "twice as large": lambda item: functional.resized_crop(item, 2, 6, 40, 50, (80, 100)),
    "elastic": lambda item: functional.elastic(item, displacement(HEIGHT, WIDTH)),
    "far": lambda item: functional.affine(item, translate=(30, -21)),
}
# A turned box is the smallest around its corners, which lie anywhere in their pixels.
WITHIN_A_PIXEL: dict[str, Callable[[Any], Any]] = {
    "smaller": lambda item: functional.resized_crop(item, 2, 6, 40, 50, (31, 17)),
    "rotate": lambda item: functional.rotate(item, 25),
    "rotate far": lambda item: functional.rotate(item, -141),
    "shear": lambda item: functional.affine(item, shear=(20, 0)),
    "affine": lambda item: functional.affine(item, 10, (7, -9), 0.8, (-12, 9)),
}


@pytest.mark.parametrize(
    ("move", "bound"),
    [*((move, 0) for move in EXACT.values()), *((move, 1.0) for move in WITHIN_A_PIXEL.values())],
    ids=[*EXACT, *WITHIN_A_PIXEL],
)
def test_boxes_are_the_extents_of_the_moved_masks(move: Callable[[Any], Any], bound: float) -> None:
    before = scene()
    result = move(before)
    assert result.masks.shape[1:] == result.image.shape[1:]
    assert len(result.boxes) == len(result.labels) == len(result.masks) >= 2
    assert result.boxes.dtype == np.float32
    assert set(result.labels) <= set(LABELS)
    for box, mask in zip(result.boxes, result.masks, strict=True):
        clear_of_corners = np.abs(box - extent(mask))
        assert clear_of_corners.max() <= bound, (box, extent(mask))
    assert np.array_equal(before.boxes, BOXES)
    # The image shows the object of the third mask (label 4) where that mask went.
    if 4 in result.labels:
        (third,) = result.masks[result.labels == 4]
        assert ((result.image[0] > 127) != third.astype(bool)).mean() < 0.02


def test_what_leaves_the_image_is_dropped() -> None:
    result = functional.crop(scene(), 0, 30, 20, 12)
    assert result.labels.tolist() == [1, 9]
    assert result.boxes.tolist() == [[10, 1, 12, 20], [0, 0, 12, 20]]
    assert len(result.masks) == 2
    far = functional.elastic(scene(), np.full((2, HEIGHT, WIDTH), 100.0))
    assert len(far.boxes) == len(far.masks) == 0
    beyond = functional.affine(scene(), translate=(100, 0))
    assert beyond.boxes.shape == (0, 4)
    assert beyond.labels.shape == (0,)
    assert beyond.masks.shape == (0, HEIGHT, WIDTH)


def test_a_mask_without_pixels_is_dropped_though_its_box_is_not_empty() -> None:
    ring = np.zeros((1, 9, 11), np.uint8)
    ring[0, 1:8, 1:10] = 1
    ring[0, 2:7, 2:9] = 0
    item = Item(np.zeros((1, 9, 11), np.uint8), np.array([[1.0, 1, 10, 8]]), np.array([5]), ring)
    assert len(functional.crop(item, 3, 3, 3, 3).boxes) == 0
    assert len(functional.crop(item, 1, 1, 3, 3).boxes) == 1


def test_items_without_some_of_their_parts() -> None:
    whole = scene()
    boxes_only = functional.hflip(Item(whole.image, whole.boxes))
    assert boxes_only.boxes[0].tolist() == [32, 8, 57, 20]
    assert boxes_only.labels is None
    maps = functional.rotate(Item(whole.image, masks=np.full((1, HEIGHT, WIDTH), 7, np.int64)), 30).masks
    assert set(np.unique(maps)) == {0, 7}
    assert maps.dtype == np.int64
    assert functional.hflip(Item(whole.image)).boxes is None
    none = functional.rotate(Item(whole.image, np.zeros((0, 4)), np.zeros(0, int)), 30)
    assert none.boxes.shape == (0, 4)
    warped = functional.elastic(Item(whole.image, np.zeros((0, 4))), displacement(HEIGHT, WIDTH))
    assert warped.boxes.shape == (0, 4)


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.float32])
@pytest.mark.parametrize("move", [*EXACT.values(), *WITHIN_A_PIXEL.values()], ids=[*EXACT, *WITHIN_A_PIXEL])
def test_masks_of_any_dtype_keep_it(move: Callable[[Any], Any], dtype: Any) -> None:
    whole = scene()
    want = move(whole).masks
    got = move(Item(whole.image, whole.boxes, whole.labels, whole.masks.astype(dtype))).masks
    assert got.dtype == dtype
    assert np.array_equal(got, want)


def test_a_data_sets_target_follows() -> None:
    whole = scene()
    target = {
        "boxes": whole.boxes,
        "labels": whole.labels,
        "masks": whole.masks,
        "iscrowd": np.array([0, 1, 0, 0]),
        "image_id": 17,
    }
    moved_image, moved = functional.crop((whole.image, target), 0, 30, 20, 12)
    assert moved_image.shape == (3, 20, 12)
    assert moved["labels"].tolist() == [1, 9]
    assert moved["iscrowd"].tolist() == [1, 0]
    assert moved["image_id"] == 17
    assert len(target["labels"]) == 4
    turned_image, label = functional.rotate((whole.image, np.int64(3)), 10)
    assert turned_image.shape == whole.image.shape
    assert label == 3
    masks_and_labels = functional.crop(
        (whole.image, {"masks": whole.masks, "labels": whole.labels}), 0, 0, 5, 5
    )[1]
    assert masks_and_labels["labels"].tolist() == [9]


def test_colours_leave_objects_alone() -> None:
    whole = scene()
    result = functional.adjust_brightness(whole, 0.5)
    assert result.boxes is whole.boxes
    assert result.masks is whole.masks
    assert result.image.max() == 127
    picture, label = functional.normalize((image((9, 7), "uint8"), 4), [0.5] * 3, [0.5] * 3)
    assert picture.dtype == np.float32
    assert label == 4


def test_random_transforms_move_scenes() -> None:
    augment = transforms.Compose(
        [
            transforms.RandomResizedCrop((40, 33), scale=(0.3, 1)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(15, (0.1, 0.1), (0.8, 1.2), (5, 5)),
            transforms.RandomElastic(20, 4),
            transforms.Cutout(9),
            transforms.ColorJitter(0.3, 0.3, 0.3, 0.1),
        ]
    )
    drops = 0
    for seed in range(20):
        result = augment(scene(), np.random.default_rng(seed))
        assert result.image.shape == (3, 40, 33)
        drops += 4 - len(result.boxes)
        assert (result.boxes >= 0).all()
        assert (result.boxes <= [33, 40, 33, 40]).all()
        for box, mask in zip(result.boxes, result.masks, strict=True):
            # Boxes of boxes: never smaller than the mask, up to the pixels in which edges lie.
            x1, y1, x2, y2 = extent(mask)
            assert x1 >= box[0] - 1.5
            assert y1 >= box[1] - 1.5
            assert x2 <= box[2] + 1.5
            assert y2 <= box[3] + 1.5
    assert drops > 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"boxes": [[0, 0, 1, 1]]}, TypeError, "boxes must be an array, got list"),
        ({"boxes": np.zeros((2, 3))}, ValueError, r"boxes must have shape \(K, 4\), got \(2, 3\)"),
        ({"boxes": np.zeros((2, 4), int)}, TypeError, "boxes must have a floating dtype, got int64"),
        ({"boxes": np.zeros((2, 4)), "labels": np.zeros(3)}, ValueError, "equally many, got .*2.*3"),
        ({"masks": np.zeros((1, 9, 8))}, ValueError, r"masks must have shape \(K, 9, 7\)"),
        ({"labels": np.int64(3)}, TypeError, "labels must be an array"),
    ],
)
def test_refused_items(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Item(np.zeros((3, 9, 7), np.uint8), **arguments)
