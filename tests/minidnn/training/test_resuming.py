"""Runs that are stopped, interrupted and killed, and go on to the same weights."""

from __future__ import annotations

import csv
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn import load, save
from minidnn.data import ArrayDataset
from minidnn.training import EarlyStopping, Totals, Trainer, TrainingInterrupted
from minidnn.training import loop as training_loop
from tests.minidnn.training import run as training_run
from tests.minidnn.training.run import (
    EPOCHS,
    assert_same_weights,
    build,
    build_with_everything,
    metrics_of,
    weights,
)
from tests.program import ENVIRONMENT


class StopAfter(training_run.LineReport):
    """Raises after a number of batches: stands for a kill, in this process."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("killed")


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["checkpoint-every-batch", "checkpoint-every-epoch"])
def test_a_run_stopped_in_many_places_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Trainer, seconds: float
) -> None:
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", seconds)
    path = tmp_path / "run.safetensors"
    for batches in (0, 1, 89, 90, 91, 60):
        trainer = build(path, StopAfter(batches))
        with pytest.raises(RuntimeError, match="killed"):
            trainer.fit(EPOCHS, resume=True)
    trainer = build(path)
    trainer.fit(EPOCHS, resume=True)
    assert_same_weights(weights(trainer), weights(uninterrupted))
    assert [metrics_of(m) for m in trainer.history] == [metrics_of(m) for m in uninterrupted.history]


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["checkpoint-every-step", "checkpoint-every-epoch"])
def test_a_run_with_everything_stopped_in_many_places_ends_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uninterrupted_with_everything: Trainer,
    seconds: float,
) -> None:
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", seconds)
    path, want = tmp_path / "run.safetensors", uninterrupted_with_everything
    for batches in (2, 6, 91, 92):
        with pytest.raises(RuntimeError, match="killed"):
            build_with_everything(path, StopAfter(batches)).fit(EPOCHS, resume=True)
    for _ in range(2):  # a run that had stopped early is as it was
        trainer = build_with_everything(path)
        trainer.fit(EPOCHS, resume=True)
        assert_same_weights(weights(trainer), weights(want))
        assert [metrics_of(m) for m in trainer.history] == [metrics_of(m) for m in want.history]


def test_checkpoints_of_accumulated_batches_lie_between_steps(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a step's batches lets it finish."""
    path = tmp_path / "run.safetensors"
    with pytest.raises(TrainingInterrupted, match="stopped in epoch 1 after batch 4"):
        build_with_everything(path, PressCtrlC(2)).fit(EPOCHS)
    with pytest.raises(TrainingInterrupted, match="stopped in epoch 1 after batch 90"):
        build_with_everything(path, PressCtrlC(89)).fit(EPOCHS, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accumulate": 2}, "accumulated batches 4, but this run has accumulated batches 2"),
        ({"average": None}, "averaged weights True, but this run has averaged weights None"),
        ({"early_stopping": EarlyStopping(3)}, "but this run has early stopping ['test_loss', 3, 0.0]"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "run.safetensors"
    with pytest.raises(TrainingInterrupted):
        build_with_everything(path, PressCtrlC(1)).fit(EPOCHS)
    trainer = build_with_everything(path)
    for name, value in change.items():
        setattr(trainer, name, value)
    with pytest.raises(ValueError, match=re.escape(message)):
        trainer.fit(EPOCHS, resume=True)


def test_checkpoints_come_every_epoch_and_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that shows 1 second more at every look, no two checkpoints are 10 batches' time apart."""
    clock = iter(range(10**9))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    saves: list[tuple[int, int]] = []
    trainer = build(tmp_path / "run.safetensors")
    keep = trainer._save

    def spy(arguments: Any) -> None:
        saves.append((len(trainer.history), trainer._batch))
        keep(arguments)

    monkeypatch.setattr(trainer, "_save", spy)
    trainer.fit(2)
    assert (1, 0) in saves
    assert (2, 0) in saves
    inside = [batch for epoch, batch in saves if epoch == 0]
    assert max(np.diff(inside)) <= 10
    assert min(np.diff(inside)) >= 5


def test_without_resume_a_run_starts_from_the_beginning(tmp_path: Path, uninterrupted: Trainer) -> None:
    path = tmp_path / "folder" / "run.safetensors"
    for _ in range(2):
        trainer = build(path)
        trainer.fit(1)
        assert [m.epoch for m in trainer.history] == [1]
        assert metrics_of(trainer.history[0]) == metrics_of(uninterrupted.history[0])
    kept = load(path.with_name("run.safetensors.previous"))
    assert_same_weights(kept["model"], load(path)["model"])


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    trainer = build(path)
    trainer.fit(1)
    again = build(path, StopAfter(0))
    history = again.fit(1, resume=True)
    assert len(history) == 1
    assert_same_weights(weights(again), weights(trainer))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.1}, "was made with lr 0.05, but this run has lr 0.1; resume with the same arguments"),
        ({"epochs": 3}, "was made with epochs 1, but this run has epochs 3"),
        ({"batch_size": 32}, "was made with batch size 16, but this run has batch size 32"),
        ({"seed": 1}, "was made with shuffling seed 7, but this run has shuffling seed 1"),
        ({"items": 20}, "was made with training items 1438, but this run has training items 20"),
    ],
)
def test_other_arguments_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "run.safetensors"
    build(path).fit(1)
    before = path.read_bytes()
    trainer = build(path, lr=change.get("lr", 0.05))
    loader = trainer.train_loader
    loader.batch_size = change.get("batch_size", loader.batch_size)
    loader.seed = change.get("seed", loader.seed)
    if "items" in change:
        items = [loader.dataset[i] for i in range(change["items"])]
        loader.dataset = ArrayDataset(np.stack([x for x, _ in items]), np.array([y for _, y in items]))
    begin = weights(trainer)
    with pytest.raises(ValueError, match=re.escape(message)):
        trainer.fit(change.get("epochs", 1), resume=True)
    assert_same_weights(weights(trainer), begin)
    assert path.read_bytes() == before


def test_damaged_checkpoints_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    build(path).fit(1)
    half = path.read_bytes()[:-100]
    path.write_bytes(half)
    with pytest.raises(ValueError, match="is truncated or not a safetensors file"):
        build(path).fit(1, resume=True)
    assert path.read_bytes() == half
    save(training_run.model(), path)
    foreign = path.read_bytes()
    for resume in (True, False):
        with pytest.raises(ValueError, match="is not a checkpoint of a training run"):
            build(path).fit(1, resume=resume)
    assert path.read_bytes() == foreign


# ---- Ctrl-C ----------------------------------------------------------------------------------------------


class PressCtrlC(training_run.LineReport):
    """Sends this process SIGINT in the middle of a batch's bookkeeping."""

    def __init__(self, at: int, presses: int = 1) -> None:
        self.at, self.presses = at, presses

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        if (epoch - 1) * 90 + batch == self.at:
            for _ in range(self.presses):
                # To this thread: what is sent to the process may wait in another one, where two become one.
                signal.pthread_kill(threading.get_ident(), signal.SIGINT)


@pytest.fixture
def python_handles_ctrl_c() -> Iterator[None]:
    """As in a terminal; a shell's background jobs ignore it, and so do their children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_stops_after_a_whole_step_and_can_be_resumed(tmp_path: Path, uninterrupted: Trainer) -> None:
    path = tmp_path / "run.safetensors"
    handler = signal.getsignal(signal.SIGINT)
    for at in (1, 60, 90, 200):
        with pytest.raises(TrainingInterrupted, match=f"stopped in epoch {(at - 1) // 90 + 1} after batch"):
            build(path, PressCtrlC(at)).fit(EPOCHS, resume=True)
        assert signal.getsignal(signal.SIGINT) is handler
    trainer = build(path)
    trainer.fit(EPOCHS, resume=True)
    assert_same_weights(weights(trainer), weights(uninterrupted))


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path, python_handles_ctrl_c: None) -> None:
    with pytest.raises(KeyboardInterrupt) as stopped:
        build(tmp_path / "run.safetensors", PressCtrlC(1, presses=2)).fit(EPOCHS)
    assert stopped.type is KeyboardInterrupt
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_trains_outside_the_main_thread() -> None:
    """Where signals cannot be caught."""
    trainer = build(None)
    thread = threading.Thread(target=trainer.fit, args=(1,))
    thread.start()
    thread.join()
    assert len(trainer.history) == 1


# ---- SIGKILL ---------------------------------------------------------------------------------------------


def killed_again_and_again(folder: Path, kills: int, seed: int, *options: str) -> dict[str, Any]:
    """Start the run, kill it at a random moment, resume it, ..., and return what the last one saved."""
    moments = random.Random(seed)
    files = [str(folder / "run"), str(folder / "final")]
    command = [sys.executable, "-m", "tests.minidnn.training.run", *files, *options]
    for _ in range(kills):
        with subprocess.Popen(
            [*command, "--resume"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        ) as process:
            assert process.stdout is not None
            # From the start of the program, or from the start of the training.
            if moments.random() < 0.85:
                process.stdout.readline()
            time.sleep(moments.uniform(0, 0.35))
            process.kill()
    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    return load(folder / "final")


def assert_as_uninterrupted(got: dict[str, Any], uninterrupted: Trainer) -> None:
    assert got.pop("history") == [metrics_of(metrics) for metrics in uninterrupted.history]
    assert_same_weights({name: tensor.numpy() for name, tensor in got.items()}, weights(uninterrupted))


def test_killed_runs_end_with_the_same_bits(tmp_path: Path, uninterrupted: Trainer) -> None:
    assert_as_uninterrupted(killed_again_and_again(tmp_path, kills=2, seed=0), uninterrupted)


@pytest.mark.slow
def test_killed_runs_with_everything_end_with_the_same_bits(
    tmp_path: Path, uninterrupted_with_everything: Trainer
) -> None:
    got = killed_again_and_again(tmp_path, 1, 0, "--everything")
    assert_as_uninterrupted(got, uninterrupted_with_everything)
    with (tmp_path / "run.csv").open(newline="") as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert losses == [metrics.train_loss for metrics in uninterrupted_with_everything.history]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_runs_killed_many_times_end_with_the_same_bits(
    tmp_path: Path, uninterrupted: Trainer, seed: int
) -> None:
    assert_as_uninterrupted(killed_again_and_again(tmp_path, kills=12, seed=seed), uninterrupted)
