"""The sliding window: its places, sizes and scores one by one, and that it finds objects of all sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, nn, no_grad
from minidnn.data.resize import resize
from minidnn.detection import box_iou
from minidnn.detection.convolutional_form import convolutional_form
from minidnn.detection.sliding_window import (
    CropScorer,
    DenseScorer,
    SlidingWindowDetector,
    image_pyramid,
)

SIDE = 8


def square_finder() -> nn.Sequential:
    """Says "square" of a window whose inner 4 x 4 pixels are bright and whose border is dark."""
    classifier = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(SIDE * SIDE, 2))
    template = np.full((SIDE, SIDE), -1.0)
    template[2:6, 2:6] = 48 / 16  # as much as the border
    classifier[0].weight.data[...] = 1
    classifier[2].weight.data[...] = np.stack((np.zeros(SIDE * SIDE), template.ravel()))
    classifier[2].bias.data[...] = [0, -36.0]  # three quarters of the perfect 48
    return classifier.eval()


def scorers() -> list[Any]:
    classifier = square_finder()
    return [CropScorer(classifier, SIDE, 1), DenseScorer(convolutional_form(classifier, (1, SIDE, SIDE)))]


def test_windows_one_by_one() -> None:
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 5, 4)).double()
    image = np.random.default_rng(0).normal(size=(2, 10, 16))
    got = CropScorer(classifier, (3, 5), (2, 3), batch_size=4).score(image)
    assert got.shape == (4, 4, 4)
    for row, column in np.ndindex(4, 4):
        crop = image[None, :, 2 * row : 2 * row + 3, 3 * column : 3 * column + 5]
        with no_grad():
            want = classifier(Tensor(np.ascontiguousarray(crop))).numpy()[0]
        np.testing.assert_allclose(got[row, column], want, rtol=1e-12)


def test_all_windows_at_once_are_the_windows_one_by_one() -> None:
    """Scores and detections, with a stride that pooling makes."""
    classifier = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 2), nn.Flatten(), nn.Linear(45, 3)
    ).double()
    classifier.eval()
    crops = CropScorer(classifier, (10, 10), 2)
    dense = DenseScorer(convolutional_form(classifier, (3, 10, 10)))
    image = np.random.default_rng(1).random((3, 31, 24))
    np.testing.assert_allclose(dense.score(image), crops.score(image), rtol=1e-10, atol=1e-12)
    (one,), (other,) = (SlidingWindowDetector(s, score_thresh=0.3)([image]) for s in (crops, dense))
    assert len(one["scores"]) > 3
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-10)


def test_the_pyramid_by_hand() -> None:
    image = np.random.default_rng(2).random((2, 20, 33))
    levels = list(image_pyramid(image, (7, 9), 1.5))
    assert [level.image.shape[1:] for level in levels] == [(20, 33), (13, 22), (9, 15)]
    assert np.array_equal(levels[0].image, image)
    np.testing.assert_array_equal(levels[2].image, resize(image, (9, 15)))
    assert levels[1].scale == (13 / 20, 22 / 33)
    assert list(image_pyramid(image, (21, 9), 1.5)) == []


@pytest.mark.parametrize("kind", [0, 1])
def test_squares_of_all_sizes_are_found(kind: int) -> None:
    """The window reaches as far around a square as the square is wide."""
    image = np.zeros((1, 64, 96), np.float32)
    image[0, 10:14, 20:24] = 1
    image[0, 30:42, 60:72] = 1
    wanted = np.array([[18, 8, 26, 16], [54, 24, 78, 48]], np.float32)
    (found,) = SlidingWindowDetector(scorers()[kind], factor=1.2, score_thresh=0.5)([image])
    assert found["boxes"].dtype == np.float32
    assert (found["labels"] == 1).all()
    overlaps = box_iou(wanted, found["boxes"])
    assert overlaps.max(axis=1).min() > 0.7
    assert overlaps.max(axis=0).min() > 0.3  # nothing is found elsewhere
    best = found["boxes"][overlaps[0].argmax()]
    np.testing.assert_allclose(best, wanted[0], atol=1e-4)


def test_plain_images_and_images_smaller_than_the_window() -> None:
    detector = SlidingWindowDetector(scorers()[0])
    for shape in ((1, 20, 30), (1, 7, 30)):
        (found,) = detector([np.zeros(shape, np.float32)])
        assert found["boxes"].shape == (0, 4)
    assert detector([]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1.0}, "factor must be above 1, got 1.0"),
        ({"score_thresh": 1.5}, "score_thresh must be at most 1"),
        ({"nms_thresh": -0.1}, "nms_thresh must be at least 0"),
        ({"detections_per_img": 0}, "detections_per_img must be at least 1"),
    ],
)
def test_numbers_that_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SlidingWindowDetector(scorers()[0], **arguments)


def test_images_and_windows_that_are_refused() -> None:
    detector = SlidingWindowDetector(scorers()[0])
    with pytest.raises(
        ValueError, match=r"images must have shape \(C, H, W\) with pixels each, got \(9, 9\)"
    ):
        detector([np.zeros((9, 9), np.float32)])
    with pytest.raises(TypeError, match="images"):
        detector([np.zeros((1, 9, 9), np.uint8)])
    with pytest.raises(ValueError, match="stride must be at least 1"):
        CropScorer(square_finder(), 8, 0)
