"""Who is told how a run goes: the protocol, files for spreadsheets and for TensorBoard, and several at once.

A log shows the run, not the process: when a killed run is resumed its log goes on where the run does, without
a hole or a double row, because every log begins with the history that the run has.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Protocol

from minidnn.training.evaluation import EpochMetrics, Totals


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


class Reports:
    """Several reports as one, told in the order given.

    Args:
        reports: those that are told.
    """

    def __init__(self, *reports: Report) -> None:
        self.reports: Sequence[Report] = reports

    def begin(self, epochs: int, batches: int, history: list[EpochMetrics]) -> None:
        """Tell all."""
        for report in self.reports:
            report.begin(epochs, batches, history)

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Tell all."""
        for report in self.reports:
            report.batch(epoch, batch, totals)

    def epoch(self, metrics: EpochMetrics) -> None:
        """Tell all."""
        for report in self.reports:
            report.epoch(metrics)

    def end(self) -> None:
        """Tell all."""
        for report in self.reports:
            report.end()


class CSVLog:
    """A table of the epochs, one row each, with the fields of `EpochMetrics` as columns.

    The file is replaced after every epoch: a reader sees the table with or without the last row, never half
    of one.

    Args:
        path: the file; its folder is made when the run begins.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._history: list[EpochMetrics] = []

    def begin(self, epochs: int, batches: int, history: list[EpochMetrics]) -> None:
        """Write the epochs that are done already, in place of what an earlier run left."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._history = list(history)
        self._write()

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Nothing: the table has epochs only."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Add a row."""
        self._history.append(metrics)
        self._write()

    def end(self) -> None:
        """Nothing is left to do."""

    def _write(self) -> None:
        partial = self.path.with_name(f".{self.path.name}.partial")
        with partial.open("w", newline="") as file:
            names = [column.name for column in fields(EpochMetrics)]
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(metrics) for metrics in self._history)
        partial.replace(self.path)


class TensorBoardLog:
    """Curves for TensorBoard: loss and accuracy of both parts, learning rate and seconds, by epoch.

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

    def begin(self, epochs: int, batches: int, history: list[EpochMetrics]) -> None:
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

    def epoch(self, metrics: EpochMetrics) -> None:
        """Add a point to every curve."""
        self._add(metrics)
        self._writer.flush()

    def end(self) -> None:
        """Close the file."""
        self._writer.close()

    def _add(self, metrics: EpochMetrics) -> None:
        for name in ("loss", "accuracy"):
            for part in ("train", "test"):
                value = getattr(metrics, f"{part}_{name}")
                self._writer.add_scalar(f"{name}/{part}", value, metrics.epoch)
        self._writer.add_scalar("lr", metrics.lr, metrics.epoch)
        self._writer.add_scalar("seconds", metrics.seconds, metrics.epoch)
