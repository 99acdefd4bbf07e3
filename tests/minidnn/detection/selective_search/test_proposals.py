"""The search as a whole: valid boxes, objects found, the same every time; and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn.detection import box_iou
from minidnn.detection.selective_search import FAST, QUALITY, Strategies, selective_search
from minidnn.detection.selective_search.descriptors import describe
from minidnn.detection.selective_search.segmentation import in_colour_space, segment
from tests.minidnn.detection.selective_search.scenes import OBJECTS, coloured_scene

pytest.importorskip("skimage", reason="scikit-image is not installed")
ONE = Strategies(("hsv",), (("colour", "texture", "size", "fill"),), (50,))


def as_set(boxes: np.ndarray) -> set[tuple[float, ...]]:
    return set(map(tuple, boxes.tolist()))


@pytest.mark.parametrize("seed", range(2))
def test_objects_are_found_by_valid_boxes(seed: int) -> None:
    boxes = selective_search(coloured_scene(seed))
    assert boxes.dtype == np.float64
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert boxes.min() == 0
    assert (boxes.max(axis=0)[2:] == [100, 75]).all()
    assert len(as_set(boxes)) == len(boxes)
    assert (0.0, 0.0, 100.0, 75.0) in as_set(boxes)
    assert box_iou(OBJECTS, boxes).max(axis=1).min() >= 0.8


def test_the_seed_orders_the_same_boxes() -> None:
    image = coloured_scene(3).astype(np.float32)
    first, again, other = (selective_search(image, ONE, seed) for seed in (0, 0, 1))
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert as_set(first) == as_set(other)


def test_one_strategy_gives_no_more_than_two_boxes_a_region_and_strategies_add_up() -> None:
    image = coloured_scene(4)
    labels = segment(in_colour_space(image.transpose(1, 2, 0), "hsv"), 50)
    boxes = selective_search(image, ONE)
    assert len(boxes) <= 2 * (labels.max() + 1) - 1
    regions = describe(labels, image.transpose(1, 2, 0))
    assert as_set(regions.boxes) <= as_set(boxes)
    assert as_set(boxes) <= as_set(selective_search(image, FAST))


def test_large_regions_come_first() -> None:
    """The rank of position i is uniform below i, so on average early boxes are larger."""
    boxes = selective_search(coloured_scene(5))
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    half = len(boxes) // 2
    assert areas[:half].mean() > areas[half:].mean()


def test_published_strategies() -> None:
    """Table 5: 8 and 80 hierarchies."""
    counts = [len(kind.colour_spaces) * len(kind.measures) * len(kind.thresholds) for kind in (FAST, QUALITY)]
    assert counts == [8, 80]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2)])
def test_small_images(shape: tuple[int, int]) -> None:
    boxes = selective_search(np.random.default_rng(0).random((3, *shape)))
    assert (0.0, 0.0, float(shape[1]), float(shape[0])) in as_set(boxes)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((1, 5, 5)), ValueError, r"image must have shape \(3, H, W\) with pixels, got \(1, 5, 5\)"),
        (np.zeros((3, 0, 5)), ValueError, "with pixels"),
        (np.full((3, 5, 5), 2.0), ValueError, r"image must have values in \[0, 1\], got 2.0 to 2.0"),
        (np.full((3, 5, 5), np.nan), ValueError, "got nan to nan"),
        (np.zeros((3, 5, 5), np.uint8), TypeError, "image"),
    ],
)
def test_images_that_are_refused(image: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        selective_search(image)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((("rgb",), (("size",),), (50,)), ValueError, "colour_spaces must be of hsv, .*, got 'rgb'"),
        ((("hsv",), (("sizes",),), (50,)), ValueError, "measures must be of colour, .*, got 'sizes'"),
        ((("hsv",), (("size",),), (0,)), ValueError, "thresholds must be at least 1, got 0"),
        ((("hsv",), (("size",),), (1.5,)), TypeError, "thresholds must be an integer"),
        (((), (("size",),), (50,)), ValueError, "must not be empty"),
        ((("hsv",), ((),), (50,)), ValueError, "must not be empty"),
    ],
)
def test_strategies_that_are_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Strategies(*arguments)


def test_a_negative_seed() -> None:
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        selective_search(np.zeros((3, 4, 4)), ONE, -1)
