"""Mean average precision of detections, as PASCAL VOC and as COCO define it.

A prediction is an image's {"boxes" (D, 4), "scores" (D,), "labels" (D,)}, with "masks" (D, H, W) where
masks are judged; its target is {"boxes" (L, 4), "labels" (L,)}, with "masks" (L, H, W), and, where there
are such objects, "difficult" (L,) for VOC or "iscrowd" (L,) for COCO, and "area" (L,) for COCO.
Labels are any integers; a class counts if an object of it occurs.

Boxes are half-open: [x1, y1, x2, y2] is x2 - x1 wide. VOC's files name the first and last pixel from 1 on,
and its code adds 1 to every width: a box read from there becomes [x1 - 1, y1 - 1, x2, y2], with equal areas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.array import Array, check_number
from kernels.nms.order import descending
from kernels.threads import matrix_product
from minidnn.detection.boxes import box_area, box_intersection, check_boxes, ratio

Image = Mapping[str, Array]

_ENTRIES = ("boxes", "scores", "labels", "masks", "difficult", "iscrowd", "area")

# COCO's settings, to the last bit: a recall of 35 of 100 is just below its 36th point, 0.35000000000000003.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
DETECTION_LIMITS = (1, 10, 100)


@dataclass(frozen=True)
class VocResult:
    """VOC's figures.

    Attributes:
        mean: the mean over classes; NaN without objects.
        by_class: average precision by label.
    """

    mean: float
    by_class: dict[int, float]


@dataclass(frozen=True)
class CocoResult:
    """COCO's figures; NaN where there are no objects of a class and size.

    Attributes:
        precision: (thresholds, recalls, classes, areas, limits), the best precision at that recall or more.
        recall: (thresholds, classes, areas, limits), how many of the objects were found.
        classes: the labels, in the order of the arrays.
    """

    precision: Array
    recall: Array
    classes: list[int]

    def summary(self) -> dict[str, float]:
        """Return COCO's twelve figures.

        AP: mean precision over all thresholds, recalls and classes; AP50 and AP75 at one IoU threshold;
        APs, APm, APl by the objects' size. AR1, AR10, AR100: mean recall with so many detections an
        image; ARs, ARm, ARl by size.
        """
        small, medium, large = (list(AREAS).index(name) for name in ("small", "medium", "large"))
        half, three_quarters = (int(np.abs(IOU_THRESHOLDS - t).argmin()) for t in (0.5, 0.75))
        precision, recall = self.precision, self.recall
        return {
            "AP": _mean(precision[..., 0, -1]),
            "AP50": _mean(precision[half, ..., 0, -1]),
            "AP75": _mean(precision[three_quarters, ..., 0, -1]),
            "APs": _mean(precision[..., small, -1]),
            "APm": _mean(precision[..., medium, -1]),
            "APl": _mean(precision[..., large, -1]),
            "AR1": _mean(recall[..., 0, 0]),
            "AR10": _mean(recall[..., 0, 1]),
            "AR100": _mean(recall[..., 0, 2]),
            "ARs": _mean(recall[..., small, -1]),
            "ARm": _mean(recall[..., medium, -1]),
            "ARl": _mean(recall[..., large, -1]),
        }


def voc_average_precision(recall: Array, precision: Array, eleven_points: bool = False) -> float:
    """Return the average precision of a curve (D,), one point after each detection, best first.

        p(r) = highest precision at a recall of r or more, 0 if there is none
        area:           sum over detections of (recall_i - recall_(i-1)) p(recall_i)
        eleven points:  mean of p(0), p(0.1), .., p(1)

    Source: Everingham et al., "The PASCAL visual object classes (VOC) challenge", IJCV 2010, section 4.2
    (eleven points, until 2009); "A retrospective", IJCV 2015, section 3.1 (area, from 2010 on).
    """
    if eleven_points:
        points = [precision[recall >= tenth / 10] for tenth in range(11)]
        return float(np.mean([part.max(initial=0.0) for part in points]))
    steps = np.diff(recall, prepend=0.0)
    return float((steps * _envelope(precision)).sum())


def voc_mean_average_precision(
    predictions: Sequence[Image],
    targets: Sequence[Image],
    iou_threshold: float = 0.5,
    eleven_points: bool = False,
) -> VocResult:
    """Return VOC's mean average precision.

    Of each class the detections of all images are looked at by falling score. A detection belongs to the
    object of its image that it overlaps most (the first of equals). It is right if that IoU is at least the
    threshold and the object was not found before; wrong if it was, or below the threshold. A detection that
    belongs to a difficult object counts as neither, and such objects need not be found.

    Args:
        predictions, targets: image by image; see the module.
        iou_threshold: in [0, 1].
        eleven_points: average as VOC did until 2009; see `voc_average_precision`.

    Raises:
        ValueError: as many targets as predictions are needed, entries of wrong shapes, or a threshold outside
            [0, 1].
        TypeError: boxes or scores that are not floating.

    Source: Everingham et al., "The PASCAL visual object classes (VOC) challenge", IJCV 2010, section 4.
    """
    if check_number("iou_threshold", iou_threshold, minimum=0) > 1:
        raise ValueError(f"iou_threshold must be at most 1, got {iou_threshold}")
    by_class = {}
    for label in classes_of(predictions, targets, masks=False):
        images = list(of_class(predictions, targets, label))
        hard = [
            image.get("difficult", np.zeros(len(image["boxes"]), bool)).astype(bool) for _, image in images
        ]
        wanted = sum(int((~mask).sum()) for mask in hard)
        if wanted == 0:
            continue
        scores = np.concatenate([prediction["scores"] for prediction, _ in images])
        outcomes = [
            _voc_outcomes(prediction, image, mask, iou_threshold)
            for (prediction, image), mask in zip(images, hard, strict=True)
        ]
        outcome = np.concatenate(outcomes)[descending(scores)]
        recall, precision = _curve(outcome[outcome != _IGNORED] == _RIGHT, wanted)
        by_class[label] = voc_average_precision(recall, precision, eleven_points)
    return VocResult(float(np.mean(list(by_class.values()))) if by_class else float("nan"), by_class)


_WRONG, _RIGHT, _IGNORED = 0, 1, 2


def _voc_outcomes(prediction: Image, image: Image, difficult: Array, iou_threshold: float) -> Array:
    """What each detection (D,) of one image and class is; the better one chooses first."""
    outcomes = np.full(len(prediction["scores"]), _WRONG)
    if len(image["boxes"]) == 0:
        return outcomes
    overlaps = _overlaps(prediction["boxes"], image["boxes"], np.zeros(len(image["boxes"]), bool))  # (D, L)
    found = np.zeros(len(image["boxes"]), bool)
    for d in descending(prediction["scores"]):
        nearest = overlaps[d].argmax()
        if overlaps[d, nearest] < iou_threshold:
            continue
        if difficult[nearest]:
            outcomes[d] = _IGNORED
        elif not found[nearest]:
            outcomes[d], found[nearest] = _RIGHT, True
    return outcomes


def coco_average_precision(
    predictions: Sequence[Image], targets: Sequence[Image], masks: bool = False
) -> CocoResult:
    """Return COCO's precisions and recalls; `summary()` has its twelve figures.

    For every IoU threshold 0.5, 0.55, .., 0.95, range of areas and limit on detections:

    - Of each class an image's best detections up to the limit take objects by falling score, each the one
      that it overlaps most of those not taken, with an IoU of at least the threshold (the last of equals).
      Crowd regions and objects outside the range of areas are ignored: they are taken only where no other
      can be, and a crowd region may be taken again and again.
    - A detection that takes an ignored object, or takes none and is itself outside the range of areas,
      counts as nothing. The others are right or wrong; all images' are sorted by score (stable).
    - Overlap with a crowd region is the share of the detection that lies in it.
    - Precision at 101 recalls 0, 0.01, .., 1 is the highest at that recall or more, 0 if there is none.

    Args:
        predictions, targets: image by image; see the module. An object's "area" decides its size; by default
            it is the mask's, or the box's.
        masks: judge masks, not boxes.

    Raises:
        ValueError: as many targets as predictions are needed, or entries of wrong shapes.
        TypeError: boxes or scores that are not floating.

    Source: Lin et al., "Microsoft COCO: common objects in context", ECCV 2014, and cocodataset.org,
    "Detection evaluation"; what they leave open is as in COCO's published code.
    """
    classes = classes_of(predictions, targets, masks)
    shape = (len(classes), len(AREAS), len(DETECTION_LIMITS))
    precision = np.full((len(IOU_THRESHOLDS), len(RECALLS), *shape), np.nan)
    recall = np.full((len(IOU_THRESHOLDS), *shape), np.nan)
    for k, label in enumerate(classes):
        scenes = [_scene(*image, masks) for image in of_class(predictions, targets, label)]
        for a, limits in enumerate(AREAS.values()):
            matched = [_take_objects(scene, limits) for scene in scenes]
            wanted = sum(int((~_ignored(scene, limits)).sum()) for scene in scenes)
            if wanted == 0:
                continue
            for m, most in enumerate(DETECTION_LIMITS):
                points = _coco_curves(scenes, matched, most, wanted)
                precision[:, :, k, a, m], recall[:, k, a, m] = points
    return CocoResult(precision, recall, classes)


@dataclass(frozen=True)
class _Scene:
    """One image's detections of one class, best first, at most 100, and its objects.

    Attributes:
        scores, areas: of the detections (D,).
        overlaps: of each with each object (D, L).
        crowd, object_areas: of the objects (L,).
    """

    scores: Array
    areas: Array
    overlaps: Array
    crowd: Array
    object_areas: Array


def _scene(prediction: Image, target: Image, masks: bool) -> _Scene:
    best = descending(prediction["scores"])[: DETECTION_LIMITS[-1]]
    crowd = target.get("iscrowd", np.zeros(len(target["labels"]), bool)).astype(bool)
    name = "masks" if masks else "boxes"
    detected, objects = prediction[name][best], target[name]
    overlaps = _mask_overlaps(detected, objects, crowd) if masks else _overlaps(detected, objects, crowd)
    area = _mask_area if masks else box_area
    return _Scene(
        prediction["scores"][best], area(detected), overlaps, crowd, target.get("area", area(objects))
    )


def _ignored(scene: _Scene, limits: tuple[float, float]) -> Array:
    """The objects (L,) that need not be found in a range of areas."""
    ignored: Array = scene.crowd | _outside(scene.object_areas, limits)
    return ignored


def _outside(areas: Array, limits: tuple[float, float]) -> Array:
    outside: Array = (areas < limits[0]) | (areas > limits[1])
    return outside


def _take_objects(scene: _Scene, limits: tuple[float, float]) -> Array:
    """What each detection is at each threshold, (thresholds, D)."""
    ignored = _ignored(scene, limits)
    beside = np.where(
        _outside(scene.areas, limits), _IGNORED, _WRONG
    )  # (D,): what a detection is without object
    outcomes = np.tile(beside, (len(IOU_THRESHOLDS), 1))
    for outcome, threshold in zip(outcomes, IOU_THRESHOLDS, strict=True):
        free = np.ones(len(ignored), bool)
        for d, overlaps in enumerate(scene.overlaps):
            near = (overlaps >= threshold) & (free | scene.crowd)
            proper = near & ~ignored
            candidates = np.flatnonzero(proper if proper.any() else near)
            if candidates.size:
                taken = candidates[::-1][overlaps[candidates[::-1]].argmax()]
                free[taken] = False
                outcome[d] = _IGNORED if ignored[taken] else _RIGHT
    return outcomes


def _coco_curves(
    scenes: Sequence[_Scene], matched: Sequence[Array], most: int, wanted: int
) -> tuple[Array, Array]:
    """Precision (thresholds, recalls) and recall (thresholds,) with at most so many detections an image."""
    order = descending(np.concatenate([scene.scores[:most] for scene in scenes]))
    outcomes = np.concatenate([outcome[:, :most] for outcome in matched], axis=1)[:, order]
    precisions, recalls = np.zeros((len(outcomes), len(RECALLS))), np.zeros(len(outcomes))
    for t, outcome in enumerate(outcomes):
        recall, precision = _curve(outcome[outcome != _IGNORED] == _RIGHT, wanted)
        reached = np.searchsorted(recall, RECALLS)  # the first point of at least that recall
        inside = reached < len(recall)
        precisions[t, inside] = _envelope(precision)[reached[inside]]
        recalls[t] = recall[-1] if len(recall) else 0.0
    return precisions, recalls


def _curve(right: Array, wanted: int) -> tuple[Array, Array]:
    """Recall and precision (D,) after each detection (D,) that is right or wrong."""
    hits = np.cumsum(right)
    return hits / wanted, hits / np.arange(1, len(hits) + 1)


def _envelope(precision: Array) -> Array:
    """The highest precision (D,) from each point on."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def _mean(values: Array) -> float:
    """The mean of what is not NaN; NaN if nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _overlaps(detected: Array, objects: Array, crowd: Array) -> Array:
    """IoU (D, L) of boxes in float64; with a crowd region the share of the detection within it."""
    ours, theirs = detected.astype(np.float64), objects.astype(np.float64)
    return _shares(box_intersection(ours, theirs), box_area(ours), box_area(theirs), crowd)


def _mask_overlaps(detected: Array, objects: Array, crowd: Array) -> Array:
    """As `_overlaps`, of masks (D, H, W) and (L, H, W)."""
    pixels = math.prod(detected.shape[1:])
    ours, theirs = (masks.reshape(len(masks), pixels).astype(np.float64) for masks in (detected, objects))
    return _shares(matrix_product(ours, theirs.T), _mask_area(detected), _mask_area(objects), crowd)


def _shares(shared: Array, areas: Array, object_areas: Array, crowd: Array) -> Array:
    union = areas[:, None] + object_areas - shared
    return ratio(shared, np.where(crowd, areas[:, None], union))


def _mask_area(masks: Array) -> Array:
    """Pixels (K,) of masks (K, H, W)."""
    area: Array = masks.sum(axis=(1, 2), dtype=np.float64)
    return area


def classes_of(predictions: Sequence[Image], targets: Sequence[Image], masks: bool) -> list[int]:
    """Return the labels of all objects, after a look at every image's entries.

    Raises:
        ValueError, TypeError: as `voc_mean_average_precision`.
    """
    if len(predictions) != len(targets):
        raise ValueError(f"targets must be as many as the {len(predictions)} predictions, got {len(targets)}")
    kind = ("masks",) if masks else ("boxes",)
    for i, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        _check(f"predictions[{i}]", prediction, ("scores", "labels", *kind))
        _check(f"targets[{i}]", target, ("labels", *kind))
    return sorted({int(label) for target in targets for label in target["labels"]})


def _check(name: str, image: Image, entries: Sequence[str]) -> None:
    for entry in entries:
        if entry not in image:
            raise ValueError(f"{name} must have {entry!r}, got {sorted(image)}")
        if entry == "boxes":
            check_boxes(f"{name}['boxes']", image["boxes"])
    count = len(image["labels"])
    for entry in _ENTRIES:
        if entry in image and len(image[entry]) != count:
            raise ValueError(
                f"{name}[{entry!r}] must have {count} rows like its labels, got {len(image[entry])}"
            )


def of_class(
    predictions: Sequence[Image], targets: Sequence[Image], label: int
) -> Iterator[tuple[Image, Image]]:
    """Yield each image's detections and objects of one class."""
    for prediction, target in zip(predictions, targets, strict=True):
        yield _select(prediction, label), _select(target, label)


def _select(image: Image, label: int) -> Image:
    mine = image["labels"] == label
    return {name: image[name][mine] for name in _ENTRIES if name in image}
