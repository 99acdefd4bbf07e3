"""Cases of the losses. Weights are passed by position, as constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.kernels.class_scores import Batch
from tests.minidnn.case import Case


def labels(function: str, label: str, batch: Batch, **keywords: Any) -> Case:
    """A loss of scores and labels."""
    return Case(
        function,
        label,
        lambda draw: (batch.scores(draw), batch.target(draw), batch.weight(draw)),
        {"reduction": batch.reduction, **keywords},
        constants=(2,),
    )


def probabilities(label: str, batch: Batch, **keywords: Any) -> Case:
    """Cross-entropy with a target of probabilities, which is differentiated too."""
    return Case(
        "cross_entropy",
        label,
        lambda draw: (batch.scores(draw), draw.uniform(*batch.shape), batch.weight(draw)),
        {"reduction": batch.reduction, **keywords},
        constants=(2,),
    )


def hinge(label: str, batch: Batch, *arguments: Any, **keywords: Any) -> Case:
    """The multi-class hinge loss."""
    return Case(
        "multi_margin_loss",
        label,
        lambda draw: (
            batch.scores(draw),
            np.asarray(draw.integers(0, batch.classes, *batch.label_shape)),
            *arguments,
            *([batch.weight(draw)] if batch.weighted else []),
        ),
        {"reduction": batch.reduction, **keywords},
        constants=(4,),
    )


def distance(
    function: str, label: str, shape: tuple[int, ...], keywords: Mapping[str, Any] | None = None
) -> Case:
    """A loss of predictions and targets of one shape."""
    return Case(function, label, lambda draw: (draw.normal(*shape), draw.normal(*shape)), keywords or {})


def distances(function: str) -> list[Case]:
    """All ranks and reductions."""
    return [
        distance(function, "default", (4, 3)),
        distance(function, "none", (2, 3, 4), {"reduction": "none"}),
        distance(function, "sum", (2, 1, 3, 2), {"reduction": "sum"}),
        distance(function, "scalar", ()),
        distance(function, "empty", (0, 3)),
        distance(function, "empty-none", (2, 0), {"reduction": "none"}),
        Case(function, "equal", lambda draw: (np.ones(3, draw.dtype), np.ones(3, draw.dtype))),
    ]


CROSS_ENTROPY = [
    Case("cross_entropy", "default", lambda draw: (draw.normal(5, 4), draw.integers(0, 4, 5))),
    labels("cross_entropy", "ignored", Batch((9, 4))),
    labels("cross_entropy", "weighted-sum", Batch((4, 3), weighted=True, reduction="sum")),
    labels("cross_entropy", "weighted-none", Batch((6, 5), weighted=True, reduction="none")),
    labels("cross_entropy", "smoothed", Batch((7, 3), weighted=True), label_smoothing=0.2),
    labels("cross_entropy", "ignored-class", Batch((9, 3), True, ignore_index=1), ignore_index=1),
    labels("cross_entropy", "sequence", Batch((2, 3, 5), weighted=True)),
    labels("cross_entropy", "image", Batch((2, 3, 4, 2), reduction="none"), label_smoothing=0.1),
    labels("cross_entropy", "volume", Batch((1, 3, 2, 3, 2), weighted=True)),
    labels("cross_entropy", "unbatched", Batch((4,), weighted=True), label_smoothing=0.1),
    labels("cross_entropy", "unbatched-none", Batch((4,), reduction="none")),
    Case("cross_entropy", "bytes", lambda draw: (draw.normal(2, 4), np.array([2, 0], np.uint8))),
    labels("cross_entropy", "empty", Batch((0, 3))),
    labels("cross_entropy", "empty-sum", Batch((0, 3, 2), reduction="sum")),
    Case("cross_entropy", "large", lambda draw: (draw.normal(3, 4) * 1e4, np.array([0, 1, 2]))),
    probabilities("soft", Batch((5, 4))),
    probabilities("soft-weighted-sum", Batch((4, 3), weighted=True, reduction="sum")),
    probabilities("soft-smoothed", Batch((6, 5), weighted=True, reduction="none"), label_smoothing=0.2),
    probabilities("soft-image", Batch((2, 3, 4, 2), weighted=True)),
    probabilities("soft-unbatched", Batch((4,), weighted=True)),
    probabilities("soft-empty", Batch((0, 3))),
]

NLL = [
    Case("nll_loss", "default", lambda draw: (draw.normal(5, 4), draw.integers(0, 4, 5))),
    labels("nll_loss", "weighted", Batch((9, 3), weighted=True)),
    labels("nll_loss", "weighted-sum", Batch((4, 3), weighted=True, reduction="sum")),
    labels("nll_loss", "none", Batch((6, 5), reduction="none")),
    labels("nll_loss", "ignored-class", Batch((9, 3), True, ignore_index=1), ignore_index=1),
    labels("nll_loss", "sequence", Batch((2, 3, 5))),
    labels("nll_loss", "image", Batch((2, 3, 4, 2), weighted=True, reduction="none")),
    labels("nll_loss", "unbatched", Batch((4,), weighted=True)),
    labels("nll_loss", "empty", Batch((0, 3))),
]

HINGE = [
    hinge("default", Batch((5, 4))),
    hinge("squared-sum", Batch((5, 4), reduction="sum"), 2),
    hinge("margin", Batch((5, 4), reduction="none"), margin=0.5),
    hinge("weighted", Batch((5, 3), weighted=True), 2, 0.75),
    hinge("unbatched", Batch((4,))),
    hinge("unbatched-none", Batch((4,), reduction="none"), 2),
    Case("multi_margin_loss", "one-label", lambda d: (d.normal(4), np.array([2])), {"reduction": "none"}),
    hinge("empty-none", Batch((0, 3), reduction="none")),
]


def bce(label: str, shape: tuple[int, ...], weight: tuple[int, ...] | None = None, **keywords: Any) -> Case:
    """Binary cross-entropy; the target is differentiated too, the weight is not."""
    return Case(
        "binary_cross_entropy_with_logits",
        label,
        lambda draw: (
            np.asarray(draw.normal(*shape) * 3),
            draw.uniform(*shape),
            None if weight is None else draw.uniform(*weight, low=0.25, high=2),
        ),
        keywords,
        constants=(2,),
    )


BINARY = [
    bce("default", (4, 3)),
    bce("weighted", (2, 3, 2), (3, 1)),
    bce("weighted-none", (5, 3), (3,), reduction="none"),
    bce("sum", (1, 2, 3, 4), reduction="sum"),
    bce("scalar", (), ()),
    bce("empty", (0, 3)),
    Case(
        "binary_cross_entropy_with_logits",
        "large",
        lambda draw: (
            np.array([-1e4, -100, 100, 1e4]).astype(draw.dtype),
            np.array([1, 0, 1, 0]).astype(draw.dtype),
        ),
        {"reduction": "none"},
    ),
]


CASES = [
    *CROSS_ENTROPY,
    *NLL,
    *HINGE,
    *BINARY,
    *distances("mse_loss"),
    *distances("l1_loss"),
    *distances("smooth_l1_loss"),
    distance("smooth_l1_loss", "narrow", (4, 3), {"beta": 0.25}),
    distance("smooth_l1_loss", "wide-none", (4, 3), {"beta": 3, "reduction": "none"}),
    distance("smooth_l1_loss", "no-parabola", (4, 3), {"beta": 0}),
]
