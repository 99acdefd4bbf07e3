"""Mean average precision: by hand, against definitions written out anew, and against COCO's own code."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from minidnn.detection.average_precision import (
    DETECTION_LIMITS,
    Image,
    coco_average_precision,
    voc_average_precision,
    voc_mean_average_precision,
)
from tests.kernels.sample import Draw

LEFT, RIGHT, ASIDE = [0.0, 0, 10, 10], [20.0, 0, 30, 10], [50.0, 50, 60, 60]


def detections(boxes: Any, scores: Any, labels: Any = None) -> dict[str, np.ndarray]:
    count = len(boxes)
    return {
        "boxes": np.array(boxes, float).reshape(count, 4),
        "scores": np.array(scores, float),
        "labels": np.ones(count, np.int64) if labels is None else np.array(labels),
    }


def objects(boxes: Any, labels: Any = None, **entries: Any) -> dict[str, np.ndarray]:
    target = detections(boxes, np.zeros(len(boxes)), labels)
    del target["scores"]
    return {**target, **{name: np.array(values) for name, values in entries.items()}}


def random_images(seed: int, count: int, crowd: bool = False) -> tuple[list[Image], list[Image]]:
    """Predictions near the objects, beside them, and doubled; corners in quarters, scores often tied."""
    draw = Draw(seed)
    predictions, targets = [], []
    for _ in range(count):
        number = int(draw.integers(0, 7))
        sides = draw.uniform(number, 2, low=4, high=11) ** 2 * draw.uniform(number, 1, low=0.2, high=1.2)
        corners = draw.uniform(number, 2, high=60)
        boxes = np.round(np.concatenate((corners, corners + sides), axis=1) * 4) / 4
        labels = draw.integers(1, 4, number)
        target = objects(boxes, labels, difficult=draw.integers(0, 4, number) == 0)
        if crowd:
            target["iscrowd"] = draw.integers(0, 4, number) == 0
        targets.append(target)
        guesses = np.repeat(np.arange(number), 3)
        moved = boxes[guesses] + np.round(draw.normal(len(guesses), 4) * 12) / 4
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        wrong = draw.integers(0, 6, len(guesses)) == 0
        guessed = np.where(wrong, draw.integers(1, 5, len(guesses)), labels[guesses])
        predictions.append(detections(moved, draw.integers(0, 30, len(guesses)) / 30, guessed))
    return predictions, targets


def test_voc_by_hand() -> None:
    """Right, wrong, right of three objects: precisions 1, 1/2, 2/3 at recalls 1/3, 1/3, 2/3."""
    predictions = [detections([LEFT, ASIDE], [0.9, 0.8]), detections([LEFT], [0.7])]
    targets = [objects([LEFT, RIGHT]), objects([LEFT])]
    area = voc_mean_average_precision(predictions, targets)
    assert area.by_class == {1: pytest.approx(1 / 3 + 2 / 3 / 3)}
    assert area.mean == area.by_class[1]
    # Recalls 0, 0.1, 0.2, 0.3 see precision 1; 0.4, 0.5, 0.6 see 2/3; the others nothing.
    eleven = voc_mean_average_precision(predictions, targets, eleven_points=True)
    assert eleven.mean == pytest.approx((4 + 3 * 2 / 3) / 11)


def test_a_second_detection_of_an_object_is_wrong_and_difficult_ones_do_not_count() -> None:
    twice = [detections([LEFT, LEFT, RIGHT], [0.9, 0.8, 0.7])]
    assert voc_mean_average_precision(twice, [objects([LEFT, RIGHT])]).mean == pytest.approx(
        0.5 + 0.5 * 2 / 3
    )
    difficult = [objects([LEFT, RIGHT], difficult=[True, False])]
    assert voc_mean_average_precision(twice, difficult).mean == 1


def test_the_threshold_itself_is_enough() -> None:
    half = [detections([[0, 0, 10, 5]], [1.0])]
    assert voc_mean_average_precision(half, [objects([LEFT])], 0.5).mean == 1
    assert voc_mean_average_precision(half, [objects([LEFT])], 0.51).mean == 0


def test_classes_without_objects_do_not_count() -> None:
    predictions, targets = [detections([LEFT, LEFT], [0.9, 0.8], [1, 2])], [objects([LEFT])]
    assert voc_mean_average_precision(predictions, targets).by_class == {1: 1.0}
    assert np.isnan(voc_mean_average_precision([detections([], [])], [objects([])]).mean)


def test_a_class_whose_objects_are_all_difficult_does_not_count() -> None:
    target = objects([LEFT, RIGHT], [1, 2], difficult=[False, True])
    result = voc_mean_average_precision([detections([LEFT, RIGHT], [0.9, 0.8], [1, 2])], [target])
    assert result.by_class == {1: 1.0}


def test_curves() -> None:
    assert voc_average_precision(np.array([0.5, 1.0]), np.array([1.0, 1.0])) == 1
    assert voc_average_precision(np.array([0.5, 1.0]), np.array([0.5, 1.0]), eleven_points=True) == 1
    assert voc_average_precision(np.array([]), np.array([])) == 0
    assert voc_average_precision(np.array([]), np.array([]), eleven_points=True) == 0


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def voc_by_definition(
    predictions: list[Image], targets: list[Image], label: int, threshold: float, eleven: bool
) -> float:
    """One class, step by step: a list of detections over all images, walked through once."""
    rows = [
        (score, i, box)
        for i, image in enumerate(predictions)
        for score, box, kind in zip(image["scores"], image["boxes"], image["labels"], strict=True)
        if kind == label
    ]
    rows.sort(key=lambda row: -row[0])
    wanted = {
        (i, j)
        for i, image in enumerate(targets)
        for j, kind in enumerate(image["labels"])
        if kind == label and not image["difficult"][j]
    }
    found: set[tuple[int, int]] = set()
    points, wrong = [], 0
    for _, i, box in rows:
        mine = [j for j, kind in enumerate(targets[i]["labels"]) if kind == label]
        nearest = max(mine, key=lambda j: overlap(box, targets[i]["boxes"][j]), default=None)
        if nearest is not None and overlap(box, targets[i]["boxes"][nearest]) >= threshold:
            if targets[i]["difficult"][nearest]:
                continue
            if (i, nearest) in found:
                wrong += 1
            found.add((i, nearest))
        else:
            wrong += 1
        points.append((len(found) / len(wanted), len(found) / (len(found) + wrong)))
    if eleven:
        best = [max((p for r, p in points if r >= t / 10), default=0) for t in range(11)]
        return sum(best) / 11
    area, last = 0.0, 0.0
    for recall, _ in points:
        area += (recall - last) * max(p for r, p in points if r >= recall)
        last = recall
    return area


@pytest.mark.parametrize("eleven", [False, True])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_voc_against_its_definition_on_random_detections(threshold: float, eleven: bool) -> None:
    predictions, targets = random_images(3, 30)
    result = voc_mean_average_precision(predictions, targets, threshold, eleven)
    assert sorted(result.by_class) == [1, 2, 3]
    for label, average in result.by_class.items():
        want = voc_by_definition(predictions, targets, label, threshold, eleven)
        assert 0.1 < want < 0.95
        assert average == pytest.approx(want, rel=1e-12)
    assert result.mean == pytest.approx(np.mean(list(result.by_class.values())))


def test_coco_by_hand() -> None:
    """One object found with IoU 0.75 and one detection beside it: right at six of the ten thresholds."""
    predictions = [detections([[0, 0, 30, 40], ASIDE], [0.9, 0.5])]
    targets = [objects([[0, 0, 40, 40]])]
    summary = coco_average_precision(predictions, targets).summary()
    assert summary["AP"] == pytest.approx(0.6)
    assert summary["AP50"] == summary["AP75"] == 1
    assert summary["APm"] == summary["ARm"] == summary["AR1"] == summary["AR100"] == pytest.approx(0.6)
    assert np.isnan(summary["APs"])
    assert np.isnan(summary["APl"])


def test_coco_crowds_are_neither_right_nor_wrong() -> None:
    """Two detections lie within the crowd region; without it both would be wrong."""
    predictions = [detections([[0, 0, 20, 20], [20, 20, 40, 40], RIGHT], [0.9, 0.8, 0.7])]
    target = objects([[0, 0, 60, 60], RIGHT], iscrowd=[True, False])
    assert coco_average_precision(predictions, [target]).summary()["AP"] == pytest.approx(1)
    alone = objects([RIGHT])
    assert coco_average_precision(predictions, [alone]).summary()["AP"] == pytest.approx(1 / 3)


def test_coco_counts_the_first_detections_only() -> None:
    boxes = [[10.0 * i, 0, 10.0 * i + 8, 8] for i in range(20)]
    result = coco_average_precision([detections(boxes, np.linspace(1, 0.5, 20))], [objects(boxes)])
    assert result.recall[0, 0, 0].tolist() == [1 / 20, 10 / 20, 1]
    assert DETECTION_LIMITS == (1, 10, 100)


def test_masks_are_judged_by_their_pixels() -> None:
    """Two triangles of the same box share only its diagonal."""
    upper = np.triu(np.ones((10, 10), bool))
    prediction = {**detections([LEFT], [1.0]), "masks": upper[None]}
    same, other = ({**objects([LEFT]), "masks": mask[None]} for mask in (upper, upper.T))
    assert coco_average_precision([prediction], [same], masks=True).summary()["AP"] == pytest.approx(1)
    assert coco_average_precision([prediction], [other], masks=True).summary()["AP"] == 0
    assert coco_average_precision([prediction], [other]).summary()["AP"] == pytest.approx(1)


@pytest.mark.parametrize("evaluate", [voc_mean_average_precision, coco_average_precision])
@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        ({"boxes": np.zeros((1, 4))}, objects([]), "predictions[0] must have 'scores', got ['boxes']"),
        (detections([LEFT], [0.5, 0.4]), objects([]), "predictions[0]['scores'] must have 1 rows"),
        (
            detections([], []),
            objects([LEFT], [1], iscrowd=[True, False]),
            "targets[0]['iscrowd'] must have 1",
        ),
        (
            {**detections([LEFT], [0.5]), "boxes": np.zeros((1, 5))},
            objects([]),
            "predictions[0]['boxes'] must have shape (K, 4)",
        ),
    ],
)
def test_bad_images(evaluate: Any, prediction: Image, target: Image, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluate([prediction], [target])


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="targets must be as many as the 1 predictions, got 0"):
        coco_average_precision([detections([], [])], [])
    with pytest.raises(ValueError, match=re.escape("iou_threshold must be at most 1, got 1.5")):
        voc_mean_average_precision([], [], 1.5)


def published(predictions: list[Image], targets: list[Image], masks: bool) -> tuple[Any, list[float]]:
    """COCO's own arrays and its twelve figures, from its JSON forms."""
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    encode = pytest.importorskip("pycocotools.mask").encode

    def rows(images: list[Image]) -> list[dict[str, Any]]:
        result = []
        for i, image in enumerate(images):
            for j, (x1, y1, x2, y2) in enumerate(image["boxes"].tolist()):
                row: dict[str, Any] = {"image_id": i, "category_id": int(image["labels"][j])}
                row |= {"id": len(result) + 1, "iscrowd": 0}
                if masks:
                    row["segmentation"] = encode(np.asfortranarray(image["masks"][j], np.uint8))
                    row["area"] = float(image["masks"][j].sum())
                else:
                    row |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
                if "iscrowd" in image:
                    row["iscrowd"] = int(image["iscrowd"][j])
                if "scores" in image:
                    row["score"] = float(image["scores"][j])
                result.append(row)
        return result

    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": [{"id": i, "height": 200, "width": 200} for i in range(len(targets))],
            "categories": [{"id": label, "name": str(label)} for label in (1, 2, 3)],
            "annotations": rows(targets),
            "info": {},
        }
        truth.createIndex()
        # Other classes are not known to the published code; without objects they do not count in ours.
        found = [row for row in rows(predictions) if row["category_id"] < 4]
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(found), "segm" if masks else "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.eval, list(evaluation.stats)


def with_masks(images: list[Image]) -> list[Image]:
    """Ellipses in the boxes."""
    y, x = np.mgrid[:200, :200] + 0.5
    drawn = []
    for image in images:
        centre = (image["boxes"][:, :2] + image["boxes"][:, 2:])[:, :, None, None] / 2
        half = (image["boxes"][:, 2:] - image["boxes"][:, :2])[:, :, None, None] / 2
        inside = ((x - centre[:, 0]) / half[:, 0]) ** 2 + ((y - centre[:, 1]) / half[:, 1]) ** 2 <= 1
        drawn.append({**image, "masks": inside})
    return drawn


@pytest.mark.reference
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("crowd", [False, True])
def test_coco_against_its_published_code_on_random_detections(crowd: bool, masks: bool) -> None:
    predictions, targets = random_images(5, 25, crowd)
    if masks:
        predictions, targets = with_masks(predictions), with_masks(targets)
    want, figures = published(predictions, targets, masks)
    got = coco_average_precision(predictions, targets, masks)
    assert got.classes == [1, 2, 3]
    for ours, theirs in ((got.precision, want["precision"]), (got.recall, want["recall"])):
        np.testing.assert_allclose(np.where(np.isnan(ours), -1, ours), theirs, rtol=1e-12, atol=1e-12)
    summary = np.nan_to_num(list(got.summary().values()), nan=-1)
    np.testing.assert_allclose(summary, figures, rtol=1e-12)
    assert 0.1 < figures[0] < 0.9
