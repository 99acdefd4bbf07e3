"""R-CNN: what it computes and learns, each against another way; that it finds objects; what it refuses."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn import no_grad
from minidnn.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from minidnn.detection import box_iou, voc_mean_average_precision
from minidnn.detection.warping import warp_regions
from models import command_line, registry
from models.rcnn import RegionSettings
from tests.models.detection.region_scenes import (
    CLASSES,
    CONNECTED,
    MINING,
    PADDING,
    POOLED,
    SETTINGS,
    SIZE,
    jittered,
    scene,
    tiny_rcnn,
)

SCENES = [scene(seed) for seed in range(8)]
REGIONS = [jittered(target, seed) for seed, (_, target) in enumerate(SCENES)]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    minidnn.manual_seed(0)


def features_of(detector: Any, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the network says of each region, one at a time."""
    mean, std = (np.float32(numbers).reshape(3, 1, 1) for numbers in (IMAGENET_MEAN, IMAGENET_STD))
    squares = [warp_regions((image - mean) / std, box[None], SIZE, PADDING) for box in boxes]
    with no_grad():
        pairs = [detector.features(minidnn.Tensor(square)) for square in squares]
    return np.concatenate([a.numpy() for a, _ in pairs]), np.concatenate([b.numpy() for _, b in pairs])


def greedy(boxes: np.ndarray, scores: np.ndarray, most: float) -> list[int]:
    """Suppression by its definition."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if all(box_iou(boxes[[index]], boxes[[other]]).item() <= most for other in kept):
            kept.append(int(index))
    return kept


def code_of(goal: np.ndarray, proposal: np.ndarray) -> list[float]:
    """Appendix C, equations 6 to 9."""
    (gx, gy, gw, gh), (px, py, pw, ph) = (
        ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1])
        for b in (goal.astype(float), proposal.astype(float))
    )
    return [(gx - px) / pw, (gy - py) / ph, np.log(gw / pw), np.log(gh / ph)]


def test_detections_by_their_formulas() -> None:
    detector = tiny_rcnn().eval()
    generator = np.random.default_rng(0)
    for name, scale in (("svm_weight", 0.5), ("svm_bias", 0.2), ("box_weight", 0.02)):
        values = getattr(detector, name).data
        values[...] = scale * generator.normal(size=values.shape)
    image, regions = SCENES[0][0], REGIONS[0]
    (got,) = detector([image], [regions])
    pooled, connected = features_of(detector, image, regions)
    boxes, labels, scores = [], [], []
    for label in range(1, CLASSES):
        margin = connected @ detector.svm_weight.data[label] + detector.svm_bias.data[label]
        steps = pooled @ detector.box_weight.data[label].T  # (P, 4)
        width, height = regions[:, 2] - regions[:, 0], regions[:, 3] - regions[:, 1]
        x = (regions[:, 0] + regions[:, 2]) / 2 + width * steps[:, 0]
        y = (regions[:, 1] + regions[:, 3]) / 2 + height * steps[:, 1]
        w, h = width * np.exp(steps[:, 2]), height * np.exp(steps[:, 3])
        corners = np.stack((x - w / 2, y - h / 2, x + w / 2, y + h / 2), axis=1)
        corners = np.clip(corners, 0, [80, 60, 80, 60]).astype(np.float32)
        score = 1 / (1 + np.exp(-margin))
        likely = np.flatnonzero(score > SETTINGS.score_thresh)
        kept = likely[greedy(corners[likely], score[likely], SETTINGS.nms_thresh)]
        boxes.append(corners[kept])
        scores.append(score[kept])
        labels.append(np.full(len(kept), label))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    assert len(order) > 10
    np.testing.assert_allclose(got["scores"], np.concatenate(scores)[order], rtol=1e-5)
    np.testing.assert_array_equal(got["labels"], np.concatenate(labels)[order])
    np.testing.assert_allclose(got["boxes"], np.concatenate(boxes)[order], atol=1e-3)


def test_boxes_are_learnt_as_scikit_learn_does() -> None:
    """Pairs of a proposal and the object that it overlaps most, by an IoU above 0.6, class by class."""
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    detector = tiny_rcnn().fit(SCENES, REGIONS)
    for label in range(1, CLASSES):
        rows, codes = [], []
        for (image, target), regions in zip(SCENES, REGIONS, strict=True):
            overlaps = box_iou(target["boxes"], regions)
            for place, region in enumerate(regions):
                nearest = overlaps[:, place].argmax()
                if overlaps[nearest, place] > 0.6 and target["labels"][nearest] == label:
                    rows.append(features_of(detector, image, region[None])[0][0])
                    codes.append(code_of(target["boxes"][nearest], region))
        assert len(rows) > 10
        theirs = linear.Ridge(alpha=SETTINGS.penalty, fit_intercept=False).fit(
            np.array(rows, np.float64), np.array(codes)
        )
        np.testing.assert_allclose(detector.box_weight.data[label], theirs.coef_, atol=2e-5)
    assert not detector.box_weight.data[0].any()


def test_machines_are_learnt_as_scikit_learn_does() -> None:
    """With all background kept there is no mining: objects against what overlaps none of the class."""
    svm = pytest.importorskip("sklearn.svm", reason="scikit-learn is not installed")
    keep_all = replace(MINING, hard_margin=-1e9, easy_margin=-1e9, retrain_after=10**9)
    detector = tiny_rcnn(settings=replace(SETTINGS, mining=keep_all)).fit(SCENES, REGIONS)
    objects = [features_of(detector, image, target["boxes"])[1] for image, target in SCENES]
    scale = 20 / np.mean([np.linalg.norm(row) for rows in objects for row in rows])
    for label in range(1, CLASSES):
        positives = [rows[label - 1] for rows in objects]
        negatives = [
            features_of(detector, image, region[None])[1][0]
            for (image, target), regions in zip(SCENES, REGIONS, strict=True)
            for region in regions
            if box_iou(target["boxes"][[label - 1]], region[None]).item() < 0.3
        ]
        rows = scale * np.array(positives + negatives, np.float64)
        positive = np.arange(len(rows)) < len(positives)
        theirs = svm.LinearSVC(
            loss="hinge",
            dual=True,
            C=MINING.cost,
            class_weight={True: 2.0, False: 1.0},
            intercept_scaling=10.0,
            tol=1e-8,
            max_iter=1_000_000,
            random_state=0,
        ).fit(rows, positive)
        raw = rows / scale
        margins = raw @ detector.svm_weight.data[label] + detector.svm_bias.data[label]
        np.testing.assert_allclose(margins, theirs.decision_function(rows), atol=0.02)
    assert not detector.svm_weight.data[0].any()


def test_it_finds_what_it_has_learnt() -> None:
    """With its own proposals, on scenes that it has not seen; the regression makes boxes better."""
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    detector = tiny_rcnn().fit(SCENES)
    unseen = [scene(seed) for seed in range(100, 106)]
    found = detector([image for image, _ in unseen])
    targets = [target for _, target in unseen]
    assert voc_mean_average_precision(found, targets).mean >= 0.9
    for image in found:
        assert image["boxes"].dtype == np.float32
        assert (np.diff(image["scores"]) <= 0).all()
        assert ((image["scores"] > 0.25) & (image["scores"] < 1)).all()


def test_corrected_boxes_are_nearer_to_the_objects() -> None:
    detector = tiny_rcnn().fit(SCENES, REGIONS)
    before, after = [], []
    for seed in range(100, 106):
        image, target = scene(seed)
        near = (target["boxes"] + np.float32([3, 3, 3, 3])).astype(np.float32)
        (found,) = detector([image], [near])
        corrected = detector.box_weight.data.copy()
        detector.box_weight.data[...] = 0
        (raw,) = detector([image], [near])
        detector.box_weight.data[...] = corrected
        for boxes, result in ((found, after), (raw, before)):
            result.append(box_iou(target["boxes"], boxes["boxes"]).max(axis=1))
    assert np.mean(after) > np.mean(before) + 0.05


def test_the_state_is_all_that_was_learnt(tmp_path: Path) -> None:
    detector = tiny_rcnn().fit(SCENES, REGIONS)
    minidnn.save(detector, tmp_path / "rcnn.safetensors")
    loaded = tiny_rcnn().eval()
    loaded.load_state_dict(minidnn.load(tmp_path / "rcnn.safetensors"))
    (want,), (got,) = (each([SCENES[0][0]], [REGIONS[0]]) for each in (detector, loaded))
    assert len(want["scores"]) > 0
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])
    assert {name for name in loaded.state_dict() if "." not in name} == {
        "svm_weight",
        "svm_bias",
        "box_weight",
    }


def test_minidnn_detect_finds_objects_with_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file tells how many classes there are; the regions are searched for."""
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pytest.importorskip("skimage", reason="scikit-image is not installed")

    def tiny(num_classes: int = 21) -> Any:
        return tiny_rcnn(num_classes)

    monkeypatch.setitem(registry._entries, "tiny", registry.Entry("tiny", tiny, (3, 60, 80), "detection"))
    monkeypatch.chdir(tmp_path)
    minidnn.save(tiny_rcnn().fit(SCENES, REGIONS), "tiny.safetensors")
    image, target = scene(200)
    pixels = np.round(255 * image).astype(np.uint8).transpose(1, 2, 0)
    image_module.fromarray(pixels).save("scene.png")
    monkeypatch.setattr(
        sys, "argv", ["minidnn", "detect", "tiny", "scene.png", "--weights", "tiny.safetensors"]
    )
    with contextlib.suppress(SystemExit):
        command_line.main()
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    found = {name: np.array([box.split()], np.float32) for _, name, _, box in reversed(lines)}
    for label, box in zip(target["labels"], target["boxes"], strict=True):
        assert box_iou(box[None], found[f"class {label}"]).item() > 0.5
    assert (tmp_path / "detections" / "scene.png").is_file()


def test_difficult_objects_are_neither_objects_nor_background() -> None:
    """Their features may be anything: the scene's second object is painted over, and nothing changes."""
    flagged, plain = [], []
    for image, target in SCENES:
        difficult = {**target, "difficult": np.array([False, True])}
        flagged.append((image, difficult))
        plain.append((image, {name: entry[:1] for name, entry in target.items()}))
    regions = [boxes[: len(boxes) // 4] for boxes in REGIONS]  # near the first objects only
    seconds = [target["boxes"][1:] for _, target in SCENES]
    beside = [np.concatenate(parts) for parts in zip(regions, seconds, strict=True)]
    far = [np.array([[0, 0, 9, 9], [70, 50, 80, 60]], np.float32)] * len(SCENES)
    proposals = [np.concatenate(parts) for parts in zip(beside, far, strict=True)]
    minidnn.manual_seed(1)
    one = tiny_rcnn(2).fit(with_one_label(flagged), proposals)
    without = [np.delete(boxes, len(regions[0]), axis=0) for boxes in proposals]
    minidnn.manual_seed(1)
    other = tiny_rcnn(2).fit(with_one_label(plain), without)
    np.testing.assert_allclose(one.svm_weight.data, other.svm_weight.data, atol=1e-4)
    np.testing.assert_allclose(one.box_weight.data, other.box_weight.data, atol=1e-6)


def with_one_label(scenes: list[Any]) -> list[Any]:
    return [(image, {**target, "labels": np.ones_like(target["labels"])}) for image, target in scenes]


def test_images_without_objects_and_without_regions() -> None:
    empty = {"boxes": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64)}
    scenes = [*SCENES, (SCENES[0][0], empty)]
    regions = [*REGIONS, np.zeros((0, 4), np.float32)]
    detector = tiny_rcnn().fit(scenes, regions)
    (found,) = detector([SCENES[0][0]], [regions[-1]])
    assert found["boxes"].shape == (0, 4)


@pytest.mark.slow
def test_the_features_are_alexnets() -> None:
    """The published sizes, and the classifier's own answer from them."""
    detector, classifier = models.rcnn(), models.alexnet_paper().eval()
    detector.features.load_state_dict(classifier.state_dict())
    detector.eval()
    assert detector.settings == RegionSettings()
    generator = np.random.default_rng(0)
    image = generator.random((3, 100, 120), np.float32)
    boxes = np.array([[10, 20, 70, 90], [0, 0, 120, 100]], np.float32)
    pooled, connected = detector.describe(image, boxes)
    assert (pooled.shape, connected.shape) == ((2, 9216), (2, 4096))
    squares = minidnn.Tensor(warp_regions(image, boxes, 227, 16))
    with no_grad():
        want = classifier(squares).numpy()
        got = classifier.fc8(minidnn.Tensor(connected)).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    assert (connected >= 0).all()
    (found,) = detector([image], [boxes])
    assert set(found["labels"].tolist()) == set(range(1, 21))  # it has learnt nothing: all margins are 0


def test_it_is_a_detector_by_name() -> None:
    assert "rcnn" in models.names("detection")


@pytest.mark.parametrize(
    ("images", "proposals", "error", "message"),
    [
        ([np.zeros((1, 9, 9), np.float32)], None, ValueError, r"images must have shape \(3, H, W\) each"),
        ([np.zeros((3, 9, 9))], None, TypeError, "images"),
        ([np.full((3, 9, 9), 7, np.float32)], None, ValueError, r"image must have values in \[0, 1\]"),
        ([SCENES[0][0]], [], ValueError, "proposals must be one array for each of 1 images, got 0"),
        ([SCENES[0][0]], [REGIONS[0][0]], ValueError, r"proposals must have shape \(K, 4\)"),
        ([SCENES[0][0]], [REGIONS[0].astype(float)], TypeError, "proposals"),
        ([SCENES[0][0]], [REGIONS[0][:, ::-1].copy()], ValueError, "x1 < x2 and y1 < y2"),
    ],
)
def test_images_that_are_refused(images: Any, proposals: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tiny_rcnn().eval()(images, proposals)


def test_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="learns by fit"):
        tiny_rcnn()([SCENES[0][0]])


def target_of(labels: list[int], boxes: Any = ((1, 1, 20, 20),)) -> Any:
    return (SCENES[0][0], {"boxes": np.array(boxes, np.float32), "labels": np.array(labels, np.int64)})


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        ([target_of([3])], r"labels must be in \[1, 3\), got \[3\] in item 0"),
        ([target_of([0])], r"labels must be in \[1, 3\)"),
        ([target_of([1])], "dataset must have an object of every class, got none of class 2"),
        ([target_of([1], [[5, 5, 5, 9]])], "must have x1 < x2 and y1 < y2"),
        ([target_of([1, 2])], "shape"),
    ],
)
def test_data_sets_that_are_refused(scenes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_rcnn().fit(scenes, REGIONS[:1])


def test_numbers_of_classes() -> None:
    assert tiny_rcnn(5).num_labels == 5
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        tiny_rcnn(1)
    assert tiny_rcnn().svm_weight.shape == (CLASSES, CONNECTED)
    assert tiny_rcnn().box_weight.shape == (CLASSES, 4, POOLED)
