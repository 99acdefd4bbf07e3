"""Training a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from minidnn.functional import cross_entropy
from minidnn.tensor import Tensor
from minidnn.training.evaluation import EpochMetrics, Loss, evaluate, predict
from minidnn.training.loop import TrainingLoop

Augmentation = Callable[[Tensor], Tensor]


@dataclass
class Trainer(TrainingLoop):
    """Trains a classifier with one optimiser, step by step resumable.

        trainer = Trainer(model, optimizer, train_loader, test_loader, checkpoint="run.safetensors")
        history = trainer.fit(epochs=10, resume=True)

    The model maps a batch of inputs to scores (N, classes); batches are (inputs, labels). Labels may be
    probabilities (N, classes), as `data.transforms.Mixup` makes them: an example counts as classified
    correctly if its most probable class was found. The history's rows are `EpochMetrics`. The arguments that
    are not named here are `TrainingLoop`'s.

    Args:
        loss: maps scores and labels to a mean loss.
        augment: changes a batch of inputs before the model learns from it; draws from `minidnn.random` only.
    """

    loss: Loss = cross_entropy
    augment: Augmentation | None = None

    metrics_type: ClassVar[type] = EpochMetrics

    def _loss_of(self, batch: Any) -> tuple[Tensor, int]:
        inputs, labels = batch
        if self.augment is not None:
            inputs = self.augment(inputs)
        scores = self.model(inputs)  # (N, classes)
        loss = self.loss(scores, labels)
        truths = predict(labels) if labels.ndim == 2 else labels.tolist()
        self._totals.add(loss, predict(scores), truths)
        return loss, len(labels)

    def _evaluate(self, after_batch: Callable[[], None]) -> dict[str, Any]:
        evaluation = evaluate(self.evaluated_model, self.test_loader, self.loss, after_batch)
        return {
            "train_accuracy": self._totals.accuracy,
            "test_loss": evaluation.loss,
            "test_accuracy": evaluation.accuracy,
        }
