"""The training loop, and runs that survive being killed.

A run's weights are a function of its arguments alone. Everything the loop depends on is in its checkpoint:
the states of model, optimiser, schedule and `minidnn.random`, and the position: epoch, batch, and the sums
that the epoch's metrics are made of. The order of the batches is a function of the loader's seed and the
epoch, so a resumed run takes the batch that comes next.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from minidnn.data.loader import DataLoader
from minidnn.functional import cross_entropy
from minidnn.nn.module import Module
from minidnn.optim.optimizer import Optimizer
from minidnn.optim.schedule import LRScheduler
from minidnn.serialization import load_checkpoint, save_checkpoint, set_checkpoint_aside
from minidnn.tensor import Tensor
from minidnn.training.evaluation import EpochMetrics, Loss, Totals, evaluate, predict

CHECKPOINT_SECONDS = 10.0

Augmentation = Callable[[Tensor], Tensor]


class Report(Protocol):
    """Who is told how a run goes; `minidnn.report.TerminalReport` shows it."""

    def begin(self, epochs: int, batches: int, history: list[EpochMetrics]) -> None:
        """The run begins, or goes on after the epochs in `history`."""

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Batch number `batch` of `epoch` (both from 1) is done."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""

    def end(self) -> None:
        """The run ends, for whatever reason."""


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped the run after a whole step; its checkpoint (if it keeps one) can be resumed."""


@dataclass
class Trainer:
    """Trains a classifier with one optimiser, step by step resumable.

        trainer = Trainer(model, optimizer, train_loader, test_loader, checkpoint="run.safetensors")
        history = trainer.fit(epochs=10, resume=True)

    Args:
        model: maps a batch of inputs to scores (N, classes).
        optimizer: updates the model's parameters.
        train_loader: batches (inputs, labels) to learn from; it needs a seed or no shuffling.
        test_loader: batches to evaluate on after every epoch.
        loss: maps scores and labels to a mean loss.
        schedule: taken one step further after every epoch.
        augment: changes a batch of inputs before the model learns from it; draws from `minidnn.random` only.
        checkpoint: the file that keeps the run's state, written after every epoch and every 10 seconds.
        arguments: what the run depends on beyond what is known here; a checkpoint of other arguments is
            refused. JSON can hold the values.
        report: who is told about the progress.

    Attributes:
        history: the metrics of the epochs done so far.
    """

    model: Module
    optimizer: Optimizer
    train_loader: DataLoader
    test_loader: DataLoader
    loss: Loss = cross_entropy
    schedule: LRScheduler | None = None
    augment: Augmentation | None = None
    checkpoint: str | Path | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    report: Report | None = None
    history: list[EpochMetrics] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._batch = 0  # batches done in the present epoch
        self._totals = Totals()
        self._seconds = 0.0  # spent on the present epoch
        self._saved_at = time.monotonic()
        self._stop = False

    def fit(self, epochs: int, resume: bool = False) -> list[EpochMetrics]:
        """Train until `epochs` epochs are done, and return their metrics.

        Args:
            epochs: how many in all, those of a resumed run included.
            resume: go on from the checkpoint if there is one; otherwise start from the beginning, keeping
                an earlier run's checkpoint as NAME.previous.

        Raises:
            ValueError: a damaged or foreign checkpoint, one made with other arguments, or a loss that is no
                longer finite.
            OSError: the checkpoint cannot be written.
            TrainingInterrupted: Ctrl-C.
        """
        arguments = self._all_arguments(epochs)
        if self.checkpoint is not None:
            Path(self.checkpoint).parent.mkdir(parents=True, exist_ok=True)
            if not resume:
                set_checkpoint_aside(self.checkpoint)
            elif Path(self.checkpoint).exists():
                self._resume(Path(self.checkpoint), arguments)
        self._saved_at = time.monotonic()
        with self._reporting(epochs), self._stopping_on_ctrl_c():
            while len(self.history) < epochs:
                self._run_epoch(arguments)
        return self.history

    def _run_epoch(self, arguments: Mapping[str, Any]) -> None:
        """Train on the batches that are left of the present epoch, evaluate, and close it."""
        self._train(arguments)
        started = time.monotonic()
        evaluation = evaluate(self.model, self.test_loader, self.loss, lambda: self._check_stop(arguments))
        metrics = EpochMetrics(
            epoch=len(self.history) + 1,
            lr=self.optimizer.param_groups[0]["lr"],
            train_loss=self._totals.mean_loss,
            train_accuracy=self._totals.accuracy,
            test_loss=evaluation.loss,
            test_accuracy=evaluation.accuracy,
            seconds=self._seconds + time.monotonic() - started,
        )
        if self.schedule is not None:
            self.schedule.step()
        self.history.append(metrics)
        self._batch, self._totals, self._seconds = 0, Totals(), 0.0
        self._save(arguments)
        if self.report is not None:
            self.report.epoch(metrics)

    def _train(self, arguments: Mapping[str, Any]) -> None:
        self.model.train()
        self.train_loader.set_epoch(len(self.history))
        before = time.monotonic()
        for inputs, labels in self.train_loader.batches(self._batch):
            self._step(inputs, labels)
            self._batch += 1
            now = time.monotonic()
            spent, before = now - before, now
            self._seconds += spent
            if self.report is not None:
                self.report.batch(len(self.history) + 1, self._batch, self._totals)
            self._check_stop(arguments)
            # The next batch will take as long as this one did: save now if it would end too late.
            if now - self._saved_at + spent >= CHECKPOINT_SECONDS:
                self._save(arguments)

    def _step(self, inputs: Tensor, labels: Tensor) -> None:
        """One step of the optimiser on one batch."""
        if self.augment is not None:
            inputs = self.augment(inputs)
        self.optimizer.zero_grad()
        scores = self.model(inputs)  # (N, classes)
        loss = self.loss(scores, labels)
        loss.backward()
        self.optimizer.step()
        self._totals.add(loss, predict(scores), labels.tolist())
        if not math.isfinite(self._totals.loss):
            raise ValueError(
                f"the loss became {loss.item()} in epoch {len(self.history) + 1}, batch {self._batch + 1}; "
                "a smaller learning rate may help"
            )

    # ---- interruptions -------------------------------------------------------------------------

    @contextmanager
    def _stopping_on_ctrl_c(self) -> Iterator[None]:
        """Let the first Ctrl-C finish the step under way; a second one stops at once."""
        self._stop = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def request(number: int, frame: object) -> None:
            self._stop = True
            signal.signal(signal.SIGINT, previous)

        previous = signal.signal(signal.SIGINT, request)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def _check_stop(self, arguments: Mapping[str, Any]) -> None:
        if self._stop:
            self._save(arguments)
            raise TrainingInterrupted(f"stopped in epoch {len(self.history) + 1} after batch {self._batch}")

    @contextmanager
    def _reporting(self, epochs: int) -> Iterator[None]:
        if self.report is None:
            yield
            return
        self.report.begin(epochs, len(self.train_loader), self.history)
        try:
            yield
        finally:
            self.report.end()

    # ---- the checkpoint ------------------------------------------------------------------------

    def _all_arguments(self, epochs: int) -> dict[str, Any]:
        """What the run's weights depend on, as far as it can be told from here."""
        loader = self.train_loader
        return {
            **self.arguments,
            "epochs": epochs,
            "batch size": loader.batch_size,
            "shuffling seed": loader.seed if loader.shuffle else None,
            "training items": len(loader.dataset),
            "test items": len(self.test_loader.dataset),
        }

    def _save(self, arguments: Mapping[str, Any]) -> None:
        self._saved_at = time.monotonic()
        if self.checkpoint is None:
            return
        position = {
            "batch": self._batch,
            "totals": asdict(self._totals),
            "seconds": self._seconds,
            "history": [asdict(metrics) for metrics in self.history],
        }
        save_checkpoint(
            self.checkpoint,
            self.model,
            self.optimizer,
            self.schedule,
            position=position,
            arguments=arguments,
        )

    def _resume(self, path: Path, arguments: Mapping[str, Any]) -> None:
        position = load_checkpoint(path, self.model, self.optimizer, self.schedule, arguments=arguments)
        self._batch = position["batch"]
        self._totals = Totals(**position["totals"])
        self._seconds = position["seconds"]
        self.history = [EpochMetrics(**metrics) for metrics in position["history"]]
