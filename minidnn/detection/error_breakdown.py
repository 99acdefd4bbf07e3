"""What a detector's best detections are: right, or wrong in one of four ways."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from kernels.array import Array
from kernels.nms.order import descending
from minidnn.detection.average_precision import Image, classes_of, of_class
from minidnn.detection.boxes import box_iou

RIGHT_OVERLAP = 0.5  # from this IoU with its object on a detection is right
LEAST_OVERLAP = 0.1  # below this IoU with every object it has found background


class ErrorBreakdown(NamedTuple):
    """Shares of the detections looked at, means over classes; together they are 1 (NaN without detections).

    Attributes:
        correct: on an object of its class.
        localisation: of an object of its class, but badly placed, or found before.
        similar: on an object of a similar class.
        other: on an object of any other class.
        background: on no object.
    """

    correct: float
    localisation: float
    similar: float
    other: float
    background: float


def error_breakdown(
    predictions: Sequence[Image], targets: Sequence[Image], similar: Sequence[Collection[int]] = ()
) -> ErrorBreakdown:
    """Return how the best detections of each class divide into right ones and kinds of errors.

    Of each class the N best detections of all images are looked at, N the number of its objects. Each, the
    best first, is the first of these that it can be:

        correct        IoU >= 0.5 with the object of its class that it overlaps most, which was not found yet
        localisation   IoU >= 0.1 with an object of its class
        similar        IoU >= 0.1 with an object of a similar class
        other          IoU >= 0.1 with any object
        background     the rest

    A second detection of an object is an error of localisation: with a better box it would have been
    suppressed. (Hoiem et al. count so; the YOLO paper does not say.)

    Args:
        predictions, targets: image by image, as for `voc_mean_average_precision`; all objects count.
        similar: groups of labels of which each is similar to the others.

    Raises:
        ValueError: as many targets as predictions are needed, or entries of wrong shapes.
        TypeError: boxes that are not floating.

    Source: Redmon et al., "You only look once", 2015, section 4.2 and figure 4; after Hoiem, Chodpathumwan,
    Dai, "Diagnosing error in object detectors", ECCV 2012, section 2.1.
    """
    shares = []
    for label in classes_of(predictions, targets, masks=False):
        alike = {other for group in similar if label in group for other in group} - {label}
        kinds = _kinds(predictions, targets, label, sorted(alike))
        if len(kinds):
            shares.append(np.bincount(kinds, minlength=len(ErrorBreakdown._fields)) / len(kinds))
    if not shares:
        return ErrorBreakdown(*[float("nan")] * len(ErrorBreakdown._fields))
    return ErrorBreakdown(*np.mean(shares, axis=0).tolist())


def _kinds(predictions: Sequence[Image], targets: Sequence[Image], label: int, alike: Sequence[int]) -> Array:
    """What each of a class's best detections is, as an index into the fields of `ErrorBreakdown`."""
    mine = [prediction for prediction, _ in of_class(predictions, targets, label)]
    wanted = sum(int((target["labels"] == label).sum()) for target in targets)
    images = np.repeat(np.arange(len(mine)), [len(prediction["scores"]) for prediction in mine])
    order = descending(np.concatenate([prediction["scores"] for prediction in mine]))[:wanted]
    overlaps = [
        box_iou(prediction["boxes"].astype(np.float64), target["boxes"].astype(np.float64))
        for prediction, target in zip(mine, targets, strict=True)
    ]  # (D, L) of each image
    starts = np.cumsum([0, *map(len, overlaps)])
    found = [np.zeros(len(target["labels"]), bool) for target in targets]
    kinds = [
        _kind(overlaps[i][d - starts[i]], targets[i]["labels"], found[i], label, alike)
        for d, i in zip(order, images[order], strict=True)
    ]
    return np.array(kinds, np.int64)


def _kind(overlaps: Array, labels: Array, found: Array, label: int, alike: Sequence[int]) -> int:
    """What a detection is that overlaps the objects (L,) so much; notes in `found` what it has found."""
    own = np.where(labels == label, overlaps, -1.0)
    if own.max(initial=-1.0) >= RIGHT_OVERLAP and not found[own.argmax()]:
        found[own.argmax()] = True
        return ErrorBreakdown._fields.index("correct")
    for kind, members in (
        ("localisation", labels == label),
        ("similar", np.isin(labels, alike)),
        ("other", np.ones(len(labels), bool)),
    ):
        if overlaps[members].max(initial=0.0) >= LEAST_OVERLAP:
            return ErrorBreakdown._fields.index(kind)
    return ErrorBreakdown._fields.index("background")
