"""Who is told how a run goes: the protocol, files for spreadsheets and for TensorBoard, and several at once.

A log shows the run, not the process: when a killed run is resumed its log goes on where the run does, without
a hole or a double row, because every log begins with the history that the run has.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from minidnn.training.evaluation import Totals

# An epoch's row of the history, a dataclass: `EpochMetrics` of classifiers, `DetectionMetrics` of detectors.
Metrics: TypeAlias = Any


class Report(Protocol):
    """Who is told how a run goes; `minidnn.report.TerminalReport` shows it."""

    def begin(self, epochs: int, batches: int, history: list[Metrics]) -> None:
        """The run begins, or goes on after the epochs in `history`."""

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Batch number `batch` of `epoch` (both from 1) is done."""

    def epoch(self, metrics: Metrics) -> None:
        """An epoch is done."""

    def end(self) -> None:
        """The run ends, for whatever reason."""


class Reports:
    """Several reports as one, told in the order given.

    Args:
        reports: those that are told.
    """

    def __init__(self, *reports: Report) -> None:
        self.reports: Sequence[Report] = reports

    def begin(self, epochs: int, batches: int, history: list[Metrics]) -> None:
        """Tell all."""
        for report in self.reports:
            report.begin(epochs, batches, history)

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Tell all."""
        for report in self.reports:
            report.batch(epoch, batch, totals)

    def epoch(self, metrics: Metrics) -> None:
        """Tell all."""
        for report in self.reports:
            report.epoch(metrics)

    def end(self) -> None:
        """Tell all."""
        for report in self.reports:
            report.end()


class CSVLog:
    """A table of the epochs, one row each; the columns are the fields of the metrics.

    What was not measured, such as a detector's masks, is an empty cell. The file is replaced after every
    epoch: a reader sees the table with or without the last row, never half of one.

    Args:
        path: the file; its folder is made when the run begins.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._history: list[Metrics] = []

    def begin(self, epochs: int, batches: int, history: list[Metrics]) -> None:
        """Write the epochs that are done already (none: an empty file) in place of an earlier run's."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._history = list(history)
        self._write()

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Nothing: the table has epochs only."""

    def epoch(self, metrics: Metrics) -> None:
        """Add a row."""
        self._history.append(metrics)
        self._write()

    def end(self) -> None:
        """Nothing is left to do."""

    def _write(self) -> None:
        partial = self.path.with_name(f".{self.path.name}.partial")
        with partial.open("w", newline="") as file:
            rows = [asdict(metrics) for metrics in self._history]
            writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
            if rows:
                writer.writeheader()
            writer.writerows(rows)
        partial.replace(self.path)


class TensorBoardLog:
    """Curves for TensorBoard: everything that an epoch's metrics have, by epoch.

    A field such as `train_loss` is the curve "loss/train": one picture shows the losses of all parts.

    Show them with `tensorboard --logdir FOLDER`. Every start of the run adds a file that begins with all
    epochs so far and tells TensorBoard to forget what earlier files say: events that a killed process had
    not written are there again.

    Args:
        folder: where the files go, one folder per run; made if it is not there.

    Raises:
        ImportError: tensorboardX, which writes the files, is not installed (when the run begins).
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._writer: Any = None

    def begin(self, epochs: int, batches: int, history: list[Metrics]) -> None:
        """Open a file and write the epochs that are done already."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError(
                'logs for TensorBoard need tensorboardX; install it by: pip install "minidnn[tensorboard]"'
            ) from None
        self._writer = SummaryWriter(str(self.folder), purge_step=1)
        for metrics in history:
            self._add(metrics)
        self._writer.flush()

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Nothing: the curves have a point per epoch."""

    def epoch(self, metrics: Metrics) -> None:
        """Add a point to every curve."""
        self._add(metrics)
        self._writer.flush()

    def end(self) -> None:
        """Close the file."""
        self._writer.close()

    def _add(self, metrics: Metrics) -> None:
        for name, value in asdict(metrics).items():
            part, _, what = name.partition("_")
            if name != "epoch" and value is not None:
                self._writer.add_scalar(f"{what}/{part}" if what else name, value, metrics.epoch)
