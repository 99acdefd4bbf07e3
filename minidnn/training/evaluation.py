"""How well a classifier does: sums over samples, an epoch's metrics, the evaluation on held-out samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minidnn.data.loader import DataLoader
from minidnn.functional import cross_entropy
from minidnn.modes import no_grad
from minidnn.nn.module import Module
from minidnn.tensor import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class EpochMetrics:
    """One row of the history: what an epoch reached, and on what learning rate.

    Accuracies are shares in [0, 1]; seconds count the time spent on the epoch, interruptions left out.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float


@dataclass
class Totals:
    """Running sums over samples.

    Attributes:
        seen: how many samples.
        loss: the sum of their losses.
        correct: how many were classified correctly.
    """

    seen: int = 0
    loss: float = 0.0
    correct: int = 0

    def add(self, loss: Tensor, predictions: list[int], labels: list[int]) -> None:
        """Count a batch of a classifier whose mean loss is `loss`."""
        self.add_loss(loss, len(labels))
        self.correct += sum(p == label for p, label in zip(predictions, labels, strict=True))

    def add_loss(self, loss: Tensor, samples: int) -> None:
        """Count so many samples whose mean loss is `loss`."""
        self.seen += samples
        self.loss += float(loss.item()) * samples

    @property
    def mean_loss(self) -> float:
        """The mean loss of a sample."""
        return self.loss / max(self.seen, 1)

    @property
    def accuracy(self) -> float:
        """The share of samples that were classified correctly."""
        return self.correct / max(self.seen, 1)


@dataclass(frozen=True)
class Evaluation:
    """What a model does on held-out samples.

    Attributes:
        loss: the mean loss.
        accuracy: the share classified correctly, in [0, 1].
        confusion: row = true class, column = predicted class, entries count samples.
    """

    loss: float
    accuracy: float
    confusion: list[list[int]]


def evaluate(
    model: Module,
    loader: DataLoader,
    loss: Loss = cross_entropy,
    after_batch: Callable[[], None] | None = None,
) -> Evaluation:
    """Return loss, accuracy and confusion matrix of `model`, in inference mode, on the loader's batches.

    Args:
        model: maps a batch of inputs to scores (N, classes).
        loader: batches (inputs, labels).
        loss: maps scores and labels to a mean loss.
        after_batch: called after every batch; what it raises ends the evaluation.
    """
    totals = Totals()
    confusion: list[list[int]] = []
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            for inputs, labels in loader.batches():
                scores = model(inputs)  # (N, classes)
                predictions, truths = predict(scores), labels.tolist()
                totals.add(loss(scores, labels), predictions, truths)
                confusion = confusion or [[0] * scores.shape[1] for _ in range(scores.shape[1])]
                for truth, prediction in zip(truths, predictions, strict=True):
                    confusion[truth][prediction] += 1
                if after_batch is not None:
                    after_batch()
    finally:
        model.train(was_training)
    return Evaluation(totals.mean_loss, totals.accuracy, confusion)


def predict(scores: Tensor) -> list[int]:
    """Return the class with the highest score for every row of (N, classes)."""
    classes: list[int] = scores.argmax(1).tolist()
    return classes
