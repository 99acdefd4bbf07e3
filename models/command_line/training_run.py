"""What `minidnn train` says and does around a run, whatever is trained."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from minidnn.training import Report, TrainingLoop


@dataclass(frozen=True)
class Recipe:
    """How a model is trained unless something else is asked for.

    Attributes:
        epochs: how many times to go through the training data.
        batch_size: images per step.
        lr: the learning rate at the start.
    """

    epochs: int
    batch_size: int
    lr: float

    def changed(self, **changes: Any) -> Recipe:
        """Return the recipe with other numbers, where there are any."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


@dataclass(frozen=True)
class Run:
    """What a run is made of, besides model and data.

    Attributes:
        recipe: its numbers.
        seed: of the initial weights and all that is drawn.
        checkpoint: the file that keeps the run's state.
        resume: whether to go on from there.
        csv: the file that gets a row for each epoch, or None.
        tensorboard: the folder that gets curves, or None.
    """

    recipe: Recipe
    seed: int
    checkpoint: Path
    resume: bool
    csv: Path | None = None
    tensorboard: Path | None = None

    def reported_to(self, terminal: Report) -> Report:
        """Return the terminal's report and those that the run is to write besides."""
        from minidnn.training import CSVLog, Reports, TensorBoardLog

        table = [] if self.csv is None else [CSVLog(self.csv)]
        curves = [] if self.tensorboard is None else [TensorBoardLog(self.tensorboard)]
        # What cannot be written is told before the terminal shows a table.
        return Reports(*table, *curves, terminal)


def introduce(console: Console, headline: str, run: Run) -> None:
    """Say what is trained on what, and from where the run goes on."""
    checkpoint = run.checkpoint
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    say(headline)
    if run.resume and not checkpoint.exists():
        say(f"there is no checkpoint {checkpoint} yet: starting from the beginning")
    elif run.resume:
        say(f"going on from checkpoint {checkpoint}")
    elif checkpoint.is_file():
        say(f"checkpoint: {checkpoint} (the earlier run's is kept as {checkpoint.name}.previous)")
    else:
        say(f"checkpoint: {checkpoint}")


def fit(trainer: TrainingLoop, run: Run) -> None:
    """Train; after Ctrl-C say on stderr how to go on, and exit with status 130."""
    from minidnn.training import TrainingInterrupted

    try:
        trainer.fit(run.recipe.epochs, run.resume)
    except TrainingInterrupted as stopped:
        words = ["minidnn", *sys.argv[1:], *([] if "--resume" in sys.argv else ["--resume"])]
        print(f"minidnn: {stopped}; go on with: {shlex.join(words)}", file=sys.stderr)
        raise typer.Exit(130) from None
