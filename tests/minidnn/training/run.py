"""A small training run as a program of its own, for tests that kill it: python -m tests.minidnn.training.run.

It has everything whose state could be forgotten: dropout, batch norm's running statistics, momentum, a
sequence of schedules, shuffling, random shifts, and checkpoints several times an epoch; with --everything
also steps over several batches, clipping, averaged weights, early stopping and a table of the epochs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minidnn import data, manual_seed, nn, optim, save
from minidnn.data import DataLoader
from minidnn.nn.utils import clip_grad_norm_
from minidnn.optim import schedule
from minidnn.optim.swa_utils import AveragedModel, get_ema_avg_fn
from minidnn.training import CSVLog, EarlyStopping, EpochMetrics, Reports, Totals, Trainer
from minidnn.training import loop as training_loop

EPOCHS = 4


class LineReport:
    """Prints a line when training begins and after every epoch."""

    def begin(self, epochs: int, batches: int, history: list[EpochMetrics]) -> None:
        print(f"begin {len(history)}", flush=True)

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        pass

    def epoch(self, metrics: EpochMetrics) -> None:
        print(f"epoch {metrics.epoch}", flush=True)

    def end(self) -> None:
        print("end", flush=True)


class After(LineReport):
    """Calls functions after every batch and every epoch."""

    def __init__(
        self, batch: Callable[[], Any] = lambda: None, epoch: Callable[[], Any] = lambda: None
    ) -> None:
        self.after_batch, self.after_epoch = batch, epoch

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        self.after_batch()

    def epoch(self, metrics: EpochMetrics) -> None:
        self.after_epoch()


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    """Of the averaged model, where there is one."""
    return {name: tensor.numpy().copy() for name, tensor in trainer.evaluated_model.state_dict().items()}


def assert_same_weights(got: dict[str, Any], want: dict[str, Any]) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert np.array_equal(np.asarray(got[name]), np.asarray(value)), name


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(36, 10),
    )


def build(checkpoint: Path | None, report: Any = None, lr: float = 0.05) -> Trainer:
    """A Trainer whose every random number follows from one seed."""
    manual_seed(5)
    network = model()
    optimizer = optim.SGD(network.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=1e-3)
    parts = [schedule.LinearLR(optimizer, 0.3, total_iters=2), schedule.ExponentialLR(optimizer, 0.8)]
    return Trainer(
        network,
        optimizer,
        DataLoader(data.digits(8, "train"), batch_size=16, shuffle=True, seed=7, num_workers=2),
        DataLoader(data.digits(8, "test"), batch_size=100),
        schedule=schedule.SequentialLR(optimizer, parts, milestones=[2]),
        augment=data.RandomShift(1),
        checkpoint=checkpoint,
        arguments={"lr": lr},
        report=report,
    )


def build_with_everything(checkpoint: Path | None, *reports: Any) -> Trainer:
    """The same run with all that a Trainer can be given; early stopping ends it before EPOCHS."""
    trainer = build(checkpoint, Reports(*reports))
    trainer.accumulate = 4  # 90 batches: the epoch's last step has two
    trainer.clip_gradients = partial(clip_grad_norm_, max_norm=0.5)
    trainer.average = AveragedModel(trainer.model, get_ema_avg_fn(0.9), use_buffers=True)
    trainer.early_stopping = EarlyStopping(patience=2, monitor="train_loss", min_delta=1.0)
    return trainer


def main() -> None:
    training_loop.CHECKPOINT_SECONDS = 0.02
    path = Path(sys.argv[1])
    if "--everything" in sys.argv:
        trainer = build_with_everything(path, LineReport(), CSVLog(path.with_suffix(".csv")))
    else:
        trainer = build(path, LineReport())
    trainer.fit(EPOCHS, resume="--resume" in sys.argv)
    save(
        {**trainer.evaluated_model.state_dict(), "history": [metrics_of(m) for m in trainer.history]},
        sys.argv[2],
    )


def metrics_of(metrics: EpochMetrics) -> list[float]:
    """Everything but the time it took."""
    return [metrics.epoch, metrics.lr, metrics.train_loss, metrics.train_accuracy, metrics.test_loss]


if __name__ == "__main__":
    main()
