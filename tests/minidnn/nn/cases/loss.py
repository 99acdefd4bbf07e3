"""Cases of the losses as modules. Weights are state, so each is drawn anew by the comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.kernels.class_scores import Batch
from tests.kernels.sample import Draw
from tests.minidnn.case import ModuleCase

ONES = np.ones(3)


def loss(
    name: str, label: str, inputs: Callable[[Draw], Sequence[Any]], *arguments: Any, **keywords: Any
) -> ModuleCase:
    holds_arrays = any(isinstance(value, np.ndarray) for value in (*arguments, *keywords.values()))
    torch = f"tests.losses_in_torch.{name}" if holds_arrays else None
    return ModuleCase(name, label, arguments, keywords, inputs, torch=torch)


def scores(*shape: int) -> Callable[[Draw], Sequence[Any]]:
    batch = Batch(shape)
    return lambda draw: (batch.scores(draw), batch.target(draw))


def classes(draw: Draw) -> Sequence[Any]:
    """Scores and labels, none of them ignored."""
    return draw.normal(5, 3), draw.integers(0, 3, 5)


def pair(draw: Draw) -> Sequence[Any]:
    return draw.normal(4, 3), draw.uniform(4, 3)


CASES = [
    loss("CrossEntropyLoss", "default", scores(6, 4)),
    loss("CrossEntropyLoss", "weight", scores(6, 3), ONES, reduction="sum"),
    loss("CrossEntropyLoss", "smoothed", scores(2, 3, 4), weight=ONES, label_smoothing=0.2),
    loss("CrossEntropyLoss", "ignored-class", classes, ignore_index=1, reduction="none"),
    loss("CrossEntropyLoss", "soft", pair, ONES),
    loss("NLLLoss", "default", scores(6, 4)),
    loss("NLLLoss", "weight", scores(2, 3, 4), ONES, reduction="none"),
    loss("NLLLoss", "ignored-class", classes, ignore_index=2, reduction="sum"),
    loss("MSELoss", "default", pair),
    loss("MSELoss", "sum", pair, reduction="sum"),
    loss("L1Loss", "default", pair),
    loss("L1Loss", "none", pair, reduction="none"),
    loss("SmoothL1Loss", "default", pair),
    loss("SmoothL1Loss", "narrow", pair, reduction="sum", beta=0.25),
    loss("BCEWithLogitsLoss", "default", pair),
    loss("BCEWithLogitsLoss", "weight", pair, ONES, reduction="none"),
    loss("BCEWithLogitsLoss", "positives", pair, pos_weight=ONES),
    loss("BCEWithLogitsLoss", "both", pair, np.ones((4, 1)), pos_weight=ONES, reduction="sum"),
    loss("MultiMarginLoss", "default", classes),
    loss("MultiMarginLoss", "squared", classes, 2, 0.5),
    loss("MultiMarginLoss", "weight", classes, weight=ONES, reduction="none"),
]
