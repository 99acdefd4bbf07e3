"""What a person sees of a run: a progress bar, a row per epoch, the confusion matrix, the learning curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from minidnn.training import EpochMetrics, Totals


class Column(NamedTuple):
    """A column of the table that grows while a run goes on.

    Attributes:
        heading: above it.
        width: in characters.
        cell: what stands in an epoch's row.
    """

    heading: str
    width: int
    cell: Callable[[Any], str]


_LR = Column("lr", 9, lambda metrics: f"{metrics.lr:.2e}")
_TRAIN_LOSS = Column("train loss", 10, lambda metrics: f"{metrics.train_loss:.4f}")
_TIME = Column("time", 7, lambda metrics: f"{metrics.seconds:.1f} s")
CLASSIFIER_COLUMNS = (
    _LR,
    _TRAIN_LOSS,
    Column("train acc", 9, lambda metrics: f"{metrics.train_accuracy:.2%}"),
    Column("test loss", 9, lambda metrics: f"{metrics.test_loss:.4f}"),
    Column("test acc", 8, lambda metrics: f"{metrics.test_accuracy:.2%}"),
    _TIME,
)
DETECTOR_COLUMNS = (
    _LR,
    _TRAIN_LOSS,
    Column("box mAP", 8, lambda metrics: f"{metrics.box_precision:.4f}"),
    Column(
        "mask mAP",
        9,
        lambda metrics: "-" if metrics.mask_precision is None else f"{metrics.mask_precision:.4f}",
    ),
    _TIME,
)
_EPOCH_WIDTH = 7


class TerminalReport:
    """Shows a run in the terminal: a progress bar (where there is a terminal) above which rows grow.

    Args:
        console: where; rich's own by default.
        columns: of the rows, beside the epoch.
    """

    def __init__(
        self, console: Console | None = None, columns: Sequence[Column] = CLASSIFIER_COLUMNS
    ) -> None:
        self.console = console or Console()
        self.columns = columns
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} batches, loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID | None = None
        self._epochs = 0
        self._batches = 0

    def begin(self, epochs: int, batches: int, history: list[Any]) -> None:
        """Print the headings and what is known from before."""
        self._epochs, self._batches = epochs, batches
        self._print_row("epoch", (column.heading for column in self.columns))
        for metrics in history:
            self.epoch(metrics)
        self._progress.start()
        self._task = self._progress.add_task(
            "", total=epochs * batches, completed=len(history) * batches, epoch=len(history) + 1, loss=0.0
        )

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        """Move the progress bar."""
        if self._task is not None:
            done = (epoch - 1) * self._batches + batch
            self._progress.update(self._task, completed=done, epoch=epoch, loss=totals.mean_loss)

    def epoch(self, metrics: Any) -> None:
        """Print an epoch's row."""
        self._print_row(f"{metrics.epoch}/{self._epochs}", (column.cell(metrics) for column in self.columns))

    def end(self) -> None:
        """Take the progress bar away."""
        self._progress.stop()

    def _print_row(self, epoch: str, cells: Iterable[str]) -> None:
        padded = [cell.rjust(column.width) for cell, column in zip(cells, self.columns, strict=True)]
        self.console.print(" ".join((epoch.rjust(_EPOCH_WIDTH), *padded)), highlight=False, markup=False)


def confusion_table(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> Table:
    """Return the confusion matrix as a table for a rich console: what is right stands on the diagonal."""
    table = Table(title="confusion matrix (row: true class, column: predicted)", title_justify="left")
    table.add_column("", style="bold")
    for name in classes:
        table.add_column(escape(name), justify="right")
    table.add_column("correct", justify="right")
    for row, (name, counts) in enumerate(zip(classes, confusion, strict=True)):
        cells = [
            f"[green]{count}[/]" if column == row else f"[red]{count}[/]" if count else "·"
            for column, count in enumerate(counts)
        ]
        table.add_row(escape(name), *cells, f"{counts[row] / sum(counts):.1%}" if sum(counts) else "-")
    return table


def plot_learning_curve(history: Sequence[EpochMetrics], path: str | Path) -> bool:
    """Draw loss and accuracy by epoch into a PNG file; False, and no file, without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    epochs = [metrics.epoch for metrics in history]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, what, scale in zip(figure.subplots(1, 2), ("loss", "accuracy"), (1, 100), strict=True):
        for part in ("train", "test"):
            values = [scale * getattr(metrics, f"{part}_{what}") for metrics in history]
            axes.plot(epochs, values, marker="o", markersize=3, label=part)
        axes.set_xlabel("epoch")
        axes.set_ylabel("mean loss" if what == "loss" else "accuracy (%)")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, format="png", dpi=120)
    return True
