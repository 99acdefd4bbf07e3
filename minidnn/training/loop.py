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
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kernels.array import check_integer
from minidnn.amp import GradScaler, autocast
from minidnn.creation import full_like
from minidnn.data.loader import DataLoader
from minidnn.nn.module import Module
from minidnn.optim.optimizer import Optimizer
from minidnn.optim.schedule import LRScheduler
from minidnn.optim.swa_utils import AveragedModel
from minidnn.serialization import load_checkpoint, save_checkpoint, set_checkpoint_aside
from minidnn.tensor import Tensor
from minidnn.training.early_stopping import EarlyStopping
from minidnn.training.evaluation import Totals
from minidnn.training.logs import Report

CHECKPOINT_SECONDS = 10.0

Clipping = Callable[[Iterable[Tensor]], Any]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped the run after a whole step; its checkpoint (if it keeps one) can be resumed."""


@dataclass
class TrainingLoop(ABC):
    """Trains a model with one optimiser, step by step resumable.

    What a batch's loss is, and how the model is judged, the classes below say: `Trainer` for classifiers,
    `DetectorTrainer` for detectors.

    Args:
        model: what learns.
        optimizer: updates the model's parameters.
        train_loader: batches to learn from; it needs a seed or no shuffling.
        test_loader: batches to evaluate on after every epoch.
        schedule: taken one step further after every epoch.
        checkpoint: the file that keeps the run's state, written after every epoch and every 10 seconds.
        arguments: what the run depends on beyond what is known here; a checkpoint of other arguments is
            refused. JSON can hold the values.
        report: who is told about the progress.
        clip_gradients: called with the parameters before every step, for example
            `partial(clip_grad_norm_, max_norm=1.0)`; what it does belongs into `arguments`.
        accumulate: takes a step after so many batches, with the gradient of all their samples' mean loss: a
            large batch in the memory of a small one. Batch norm still sees the small batches.
        average: follows the model's weights after every step; it is then what is evaluated.
        early_stopping: ends the run when nothing is gained any more. However the run ends, what was evaluated
            (the average if there is one, else the model) then has its best epoch's weights.
        scaler: trains in mixed precision (see `minidnn.amp`) with losses that it scales; evaluation stays in
            float32.

    Attributes:
        history: the metrics of the epochs done so far.

    Raises:
        ValueError, TypeError: `accumulate` is below 1 or no integer.
    """

    model: Module
    optimizer: Optimizer
    train_loader: DataLoader
    test_loader: DataLoader
    schedule: LRScheduler | None = None
    checkpoint: str | Path | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    report: Report | None = None
    clip_gradients: Clipping | None = None
    accumulate: int = 1
    average: AveragedModel | None = None
    early_stopping: EarlyStopping | None = None
    scaler: GradScaler | None = None
    history: list[Any] = field(default_factory=list, init=False)

    # A row of the history: a dataclass of epoch, lr, train_loss, seconds, and what `_evaluate` returns.
    metrics_type: ClassVar[type]

    def __post_init__(self) -> None:
        check_integer("accumulate", self.accumulate, minimum=1)
        self._batch = 0  # batches done in the present epoch
        self._totals = Totals()
        self._seconds = 0.0  # spent on the present epoch
        self._saved_at = time.monotonic()
        self._stop = False

    def fit(self, epochs: int, resume: bool = False) -> list[Any]:
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
            while len(self.history) < epochs and not self._is_stopped_early():
                self._run_epoch(arguments)
        if self.early_stopping is not None:
            self.early_stopping.restore(self.evaluated_model)
        return self.history

    @property
    def evaluated_model(self) -> Module:
        """What is evaluated after every epoch: the averaged model if there is one, else the model."""
        return self.model if self.average is None else self.average.module

    def _is_stopped_early(self) -> bool:
        return self.early_stopping is not None and self.early_stopping.exhausted

    def _run_epoch(self, arguments: Mapping[str, Any]) -> None:
        """Train on the batches that are left of the present epoch, evaluate, and close it."""
        self._train(arguments)
        started = time.monotonic()
        results = self._evaluate(lambda: self._check_stop(arguments))
        metrics = self.metrics_type(
            epoch=len(self.history) + 1,
            lr=self.optimizer.param_groups[0]["lr"],
            train_loss=self._totals.mean_loss,
            **results,
            seconds=self._seconds + time.monotonic() - started,
        )
        if self.schedule is not None:
            self.schedule.step()
        if self.early_stopping is not None:
            self.early_stopping.observe(metrics, self.evaluated_model)
        self.history.append(metrics)
        self._batch, self._totals, self._seconds = 0, Totals(), 0.0
        self._save(arguments)
        if self.report is not None:
            self.report.epoch(metrics)

    def _train(self, arguments: Mapping[str, Any]) -> None:
        self.model.train()
        self.train_loader.set_epoch(len(self.history))
        before = time.monotonic()
        for batch in self.train_loader.batches(self._batch):
            self._learn(batch)
            self._batch += 1
            if is_whole := self._ends_a_step(self._batch):
                self._step()
            now = time.monotonic()
            spent, before = now - before, now
            self._seconds += spent
            if self.report is not None:
                self.report.batch(len(self.history) + 1, self._batch, self._totals)
            if is_whole:
                self._check_stop(arguments)
                # The next step will take as long as this one did: save now if it would end too late.
                if now - self._saved_at + spent * self.accumulate >= CHECKPOINT_SECONDS:
                    self._save(arguments)

    def _ends_a_step(self, batches: int) -> bool:
        """Whether a step is taken after so many batches of the epoch; checkpoints lie there only."""
        return batches % self.accumulate == 0 or batches == len(self.train_loader)

    def _learn(self, batch: Any) -> None:
        """Add one batch's part to the gradient of the step under way."""
        if self._batch % self.accumulate == 0:
            self.optimizer.zero_grad()
        with autocast(self.scaler is not None):
            loss, samples = self._loss_of(batch)
        share = full_like(loss, samples / self._samples_of_step())
        (loss if self.scaler is None else self.scaler.scale(loss)).backward(share)
        if not math.isfinite(self._totals.loss):
            raise ValueError(
                f"the loss became {loss.item()} in epoch {len(self.history) + 1}, batch {self._batch + 1}; "
                "a smaller learning rate may help"
            )

    def _samples_of_step(self) -> int:
        """How many samples the step under way has; an epoch's last one may have less."""
        loader = self.train_loader
        first = self._batch - self._batch % self.accumulate
        last = min(first + self.accumulate, len(loader))
        return min(last * loader.batch_size, len(loader.dataset)) - first * loader.batch_size

    def _step(self) -> None:
        """Move the weights along the gradient that has been gathered, unless it overflowed in float16."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        if self.clip_gradients is not None:
            self.clip_gradients(self.model.parameters())
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.model)

    @abstractmethod
    def _loss_of(self, batch: Any) -> tuple[Tensor, int]:
        """Return the mean loss of a batch's samples and their number, having counted both in `_totals`."""

    @abstractmethod
    def _evaluate(self, after_batch: Callable[[], None]) -> dict[str, Any]:
        """Return what `evaluated_model` reaches on the test batches, calling `after_batch` after each."""

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
            **self._optional_arguments(),
        }

    def _optional_arguments(self) -> dict[str, Any]:
        """Those that are named only where they are used: a checkpoint without them stays valid."""
        stopping = self.early_stopping
        return {
            **({} if self.accumulate == 1 else {"accumulated batches": self.accumulate}),
            **({} if self.average is None else {"averaged weights": True}),
            **({} if self.scaler is None else {"mixed precision": True}),
            **(
                {}
                if stopping is None
                else {"early stopping": [stopping.monitor, stopping.patience, stopping.min_delta]}
            ),
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
            "average": None if self.average is None else self.average.state_dict(),
            "early stopping": None if self.early_stopping is None else self.early_stopping.state_dict(),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
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
        self.history = [self.metrics_type(**metrics) for metrics in position["history"]]
        if self.average is not None:
            self.average.load_state_dict(position["average"])
        if self.early_stopping is not None:
            self.early_stopping.load_state_dict(position["early stopping"])
        if self.scaler is not None:
            self.scaler.load_state_dict(position["scaler"])
