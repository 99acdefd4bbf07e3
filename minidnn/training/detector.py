"""Training a detector: batches of images with their objects, judged by average precision."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from kernels.array import Array
from minidnn.data.annotations import Target
from minidnn.data.loader import DataLoader
from minidnn.detection.average_precision import (
    Image,
    coco_average_precision,
    voc_mean_average_precision,
)
from minidnn.modes import no_grad
from minidnn.nn.module import Module
from minidnn.tensor import Tensor
from minidnn.training.loop import TrainingLoop

MASK_THRESHOLD = 0.5


@dataclass(frozen=True)
class DetectionMetrics:
    """One row of a detector's history.

    Attributes:
        epoch: from 1 on.
        lr: the learning rate.
        train_loss: the mean over the epoch's images of the sum of all losses.
        box_precision: VOC's mean average precision of the test images' boxes at an IoU of 0.5.
        mask_precision: COCO's of their masks at the same; None without masks.
        seconds: spent on the epoch, interruptions left out.
    """

    epoch: int
    lr: float
    train_loss: float
    box_precision: float
    mask_precision: float | None
    seconds: float


@dataclass
class DetectorTrainer(TrainingLoop):
    """Trains a detector: see `TrainingLoop`.

    The model gives losses by name in training, of which the sum is minimised, and in evaluation what it finds
    in each image. Batches are (list of images, list of targets), as `data.collate_scenes` makes them.
    """

    metrics_type: ClassVar[type] = DetectionMetrics

    def _loss_of(self, batch: Any) -> tuple[Tensor, int]:
        images, targets = batch
        loss: Tensor = reduce(operator.add, self.model(images, targets).values())
        self._totals.add_loss(loss, len(images))
        return loss, len(images)

    def _evaluate(self, after_batch: Callable[[], None]) -> dict[str, Any]:
        predictions, targets = detect_all(self.evaluated_model, self.test_loader, after_batch)
        masks = any("masks" in prediction for prediction in predictions)
        return {
            "box_precision": voc_mean_average_precision(predictions, targets).mean,
            "mask_precision": mask_average_precision(predictions, targets) if masks else None,
        }


def detect_all(
    model: Module, loader: DataLoader, after_batch: Callable[[], None] | None = None
) -> tuple[list[Image], list[Image]]:
    """Return what `model`, in inference mode, finds in each image of the loader's batches, and their targets.

    Masks are truth values (D, H, W): where a detection's probability is above a half.

    Args:
        model: the detector.
        loader: batches (list of images, list of targets).
        after_batch: called after every batch; what it raises ends the evaluation.
    """
    predictions: list[Image] = []
    wanted: list[Image] = []
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            for images, targets in loader.batches():
                predictions += map(_with_masks_decided, model(images))
                wanted += targets
                if after_batch is not None:
                    after_batch()
    finally:
        model.train(was_training)
    return predictions, wanted


def _with_masks_decided(prediction: Target) -> Target:
    if "masks" not in prediction:
        return prediction
    masks: Array = prediction["masks"][:, 0] > MASK_THRESHOLD  # (D, H, W)
    return {**prediction, "masks": masks}


def mask_average_precision(predictions: list[Image], targets: list[Image]) -> float:
    """Return COCO's average precision of masks at an IoU of 0.5, its AP50."""
    decided = [{**target, "masks": target["masks"].astype(np.bool_)} for target in targets]
    return coco_average_precision(predictions, decided, masks=True).summary()["AP50"]
