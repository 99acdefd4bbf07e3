"""R-CNN's fine-tuning: which regions are which class, what a step sees, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn.detection import voc_mean_average_precision
from models.rcnn import scenes
from models.rcnn_fine_tuning import FineTuning, labelled_regions
from tests.models.detection.region_scenes import CLASSES, SIZE, jittered, scene, tiny_rcnn

SCENES = [scene(seed) for seed in range(8)]
REGIONS = [jittered(target, seed) for seed, (_, target) in enumerate(SCENES)]
SHORT = FineTuning(steps=60, lr=0.01)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    minidnn.manual_seed(0)


def target(*boxes: list[float], **entries: Any) -> dict[str, np.ndarray]:
    labels = np.arange(1, len(boxes) + 1)
    return {"boxes": np.array(boxes, np.float32).reshape(-1, 4), "labels": labels, **entries}


def labels_of(wanted: dict[str, np.ndarray], proposals: list[list[float]]) -> tuple[list[Any], list[int]]:
    dataset = [(np.zeros((3, 40, 40), np.float32), wanted)]
    found = labelled_regions(scenes(dataset, [np.array(proposals, np.float32)], CLASSES), 0.5)
    assert set(found.images) <= {0}
    return found.boxes.tolist(), found.labels.tolist()


ONE, OTHER = [0, 0, 10, 10], [20, 20, 30, 30]
HALF, LESS = [0, 0, 10, 5], [0, 0, 10, 4]


def test_a_region_is_of_the_object_that_it_overlaps_by_half() -> None:
    boxes, labels = labels_of(target(ONE, OTHER), [HALF, LESS, [20, 20, 30, 31]])
    assert boxes == [ONE, OTHER, HALF, LESS, [20, 20, 30, 31]]
    assert labels == [1, 2, 1, 0, 2]


def test_difficult_objects_are_left_out_with_what_overlaps_them() -> None:
    difficult = np.array([True, False])
    boxes, labels = labels_of(target(ONE, OTHER, difficult=difficult), [HALF, LESS])
    assert boxes == [OTHER, LESS]
    assert labels == [2, 0]


def test_an_image_without_objects_is_background() -> None:
    assert labels_of(target(), [ONE, OTHER]) == ([ONE, OTHER], [0, 0])


def test_a_step_sees_so_many_of_either_kind() -> None:
    """All distinct, drawn anew for every step; the network is in training mode."""
    seen: list[tuple[Any, ...]] = []
    detector = tiny_rcnn()
    forward = detector.features.forward

    def spy(x: Any) -> Any:
        assert detector.features.training
        seen.append((x.shape, len(np.unique(x.numpy(), axis=0)), float(x.numpy().sum())))
        return forward(x)

    detector.features.forward = spy
    losses = models.fine_tune_rcnn(detector, SCENES, REGIONS, FineTuning(steps=3, objects=5, background=9))
    assert [(shape, distinct) for shape, distinct, _ in seen] == [((14, 3, SIZE, SIZE), 14)] * 3
    assert len({total for _, _, total in seen}) == 3
    assert len(losses) == 3
    assert losses[0] == pytest.approx(np.log(CLASSES), rel=0.05)  # the new layer knows nothing
    assert not detector.training


def test_it_learns_and_the_machines_after_it() -> None:
    detector = tiny_rcnn()
    before = {name: value.numpy().copy() for name, value in detector.features.state_dict().items()}
    losses = models.fine_tune_rcnn(detector, SCENES, REGIONS, SHORT)
    assert np.mean(losses[-5:]) < 0.4 * np.mean(losses[:5])
    assert all(
        not np.array_equal(before[name], v.numpy()) for name, v in detector.features.state_dict().items()
    )
    assert not detector.svm_weight.numpy().any()
    detector.fit(SCENES, REGIONS)
    unseen = [scene(seed) for seed in range(100, 106)]
    regions = [jittered(wanted, seed) for seed, (_, wanted) in enumerate(unseen)]
    found = detector([image for image, _ in unseen], regions)
    assert voc_mean_average_precision(found, [wanted for _, wanted in unseen]).mean >= 0.9


def test_the_seed_repeats_it() -> None:
    runs = []
    for seed in (3, 3, 4):
        minidnn.manual_seed(seed)
        runs.append(models.fine_tune_rcnn(tiny_rcnn(), SCENES, REGIONS, replace(SHORT, steps=2)))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("regions", "iou", "message"),
    [
        (REGIONS[:1], 0.0, "dataset must have regions of objects and of background, got none of background"),
        (REGIONS[:1], 1.1, "dataset must have regions of objects and of background, got none of objects"),
        ([], 0.5, "proposals must be one array for each of 1 images, got 0"),
    ],
)
def test_refuses(regions: Any, iou: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.fine_tune_rcnn(tiny_rcnn(), SCENES[:1], regions, replace(SHORT, object_iou=iou))


def test_refuses_numbers() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        FineTuning(steps=0)
