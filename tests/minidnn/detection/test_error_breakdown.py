"""Kinds of errors: by hand, and against a plain rewriting of the rules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minidnn.detection import error_breakdown
from tests.kernels.sample import Draw

SIMILAR = ({1, 2}, {4, 5})


def image(*rows: tuple[float, float, float, float, int, float]) -> dict[str, np.ndarray]:
    """Rows of x1, y1, x2, y2, label, score."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return {"boxes": table[:, :4], "labels": table[:, 4].astype(np.int64), "scores": table[:, 5]}


def test_one_detection_of_each_kind() -> None:
    objects = image(
        *((100.0 * place, 0, 100.0 * place + 10, 10, label, 1) for place, label in enumerate((1, 1, 2, 3, 1)))
    )
    found = image(
        (0, 0, 10, 10, 1, 0.9),  # correct
        (100, 0, 110, 4, 1, 0.8),  # localisation: IoU 0.4
        (200, 0, 210, 10, 1, 0.95),  # similar: it is a 2
    )
    shares = error_breakdown([found], [objects], SIMILAR)
    assert shares == pytest.approx((1 / 3, 1 / 3, 1 / 3, 0, 0))
    found = image(
        (300, 0, 310, 10, 1, 0.7),  # other: it is a 3
        (500, 0, 510, 10, 1, 0.6),  # background
        (0, 0, 10, 10, 1, 0.9),  # correct
        (0, 0, 9, 10, 1, 0.5),  # not looked at: there are three objects of class 1
    )
    shares = error_breakdown([found], [objects], SIMILAR)
    assert shares == pytest.approx((1 / 3, 0, 0, 1 / 3, 1 / 3))


def test_a_second_detection_of_an_object_is_badly_placed() -> None:
    objects = image((0, 0, 10, 10, 1, 1), (50, 0, 60, 10, 1, 1))
    found = image((0, 0, 10, 9, 1, 0.8), (0, 0, 10, 10, 1, 0.9))
    assert error_breakdown([found], [objects]) == pytest.approx((0.5, 0.5, 0, 0, 0))


def test_classes_count_alike_and_those_without_detections_not() -> None:
    objects = image((0, 0, 10, 10, 1, 1), (50, 0, 60, 10, 2, 1), (50, 50, 60, 60, 2, 1), (0, 90, 5, 95, 9, 1))
    found = image((0, 0, 10, 10, 1, 0.8), (50, 0, 60, 10, 2, 0.9), (80, 80, 90, 90, 2, 0.9))
    assert error_breakdown([found], [objects]) == pytest.approx((0.75, 0, 0, 0, 0.25))


def test_nothing_found_is_nan() -> None:
    assert all(math.isnan(share) for share in error_breakdown([image()], [image((0, 0, 1, 1, 1, 1))]))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def by_the_rules(predictions: list, targets: list) -> np.ndarray:
    """The text of the docstring, detection by detection."""
    rows = []
    for label in sorted({label for target in targets for label in target["labels"]}):
        pool = [
            (score, i, box)
            for i, prediction in enumerate(predictions)
            for box, score, other in zip(*map(prediction.get, ("boxes", "scores", "labels")), strict=True)
            if other == label
        ]
        pool.sort(key=lambda entry: -entry[0])
        pool = pool[: sum(int(np.sum(target["labels"] == label)) for target in targets)]
        counts, taken = np.zeros(5), set()
        for _, i, box in pool:
            near = [(iou(box, other), j) for j, other in enumerate(targets[i]["boxes"])]
            own = [(u, -j) for u, j in near if targets[i]["labels"][j] == label]
            best, place = max(own, default=(0.0, 0))
            if best >= 0.5 and (i, place) not in taken:
                taken.add((i, place))
                counts[0] += 1
            elif best >= 0.1:
                counts[1] += 1
            elif any(u >= 0.1 and {targets[i]["labels"][j], label} in SIMILAR for u, j in near):
                counts[2] += 1
            elif any(u >= 0.1 for u, _ in near):
                counts[3] += 1
            else:
                counts[4] += 1
        if pool:
            rows.append(counts / len(pool))
    return np.mean(rows, axis=0)


def some_boxes(draw: Draw, count: int) -> np.ndarray:
    low = draw.uniform(count, 2, high=60.0)
    return np.concatenate((low, low + draw.uniform(count, 2, low=8.0, high=30.0)), axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_random_detections_against_the_rules(seed: int) -> None:
    """Every object is found three times, a little beside it, often as another class, or nothing is found."""
    draw = Draw(seed)
    targets, predictions = [], []
    for _ in range(12):
        count = int(draw.integers(0, 6))
        objects, labels = some_boxes(draw, count), draw.integers(1, 6, count)
        near = np.repeat(objects, 3, axis=0) + draw.uniform(3 * count, 4, low=-4.0, high=4.0)
        elsewhere = some_boxes(draw, 8) + 40
        classes = np.where(
            draw.uniform(3 * count) < 0.4, draw.integers(1, 6, 3 * count), np.repeat(labels, 3)
        )
        targets.append({"boxes": objects, "labels": labels})
        predictions.append(
            {
                "boxes": np.concatenate((near, elsewhere)),
                "labels": np.concatenate((classes, draw.integers(1, 6, 8))),
                "scores": draw.uniform(3 * count + 8),
            }
        )
    shares = error_breakdown(predictions, targets, SIMILAR)
    np.testing.assert_allclose(shares, by_the_rules(predictions, targets), rtol=1e-12)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="targets must be as many as the 1 predictions, got 0"):
        error_breakdown([image()], [])
