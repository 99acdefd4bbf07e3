"""The training loop: its sums, its evaluation, and runs that are killed, stopped and resumed."""

from __future__ import annotations

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

from minidnn import Tensor, load, nn, optim, save
from minidnn.data import ArrayDataset, DataLoader
from minidnn.training import Totals, Trainer, TrainingInterrupted, evaluate
from minidnn.training import trainer as training_loop
from tests.minidnn.training import run as training_run
from tests.minidnn.training.run import EPOCHS, build, metrics_of
from tests.program import ENVIRONMENT


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().copy() for name, tensor in trainer.model.state_dict().items()}


def assert_same_weights(got: dict[str, Any], want: dict[str, Any]) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert np.array_equal(np.asarray(got[name]), np.asarray(value)), name


@pytest.fixture(scope="module")
def uninterrupted() -> Trainer:
    trainer = build(None)
    trainer.fit(EPOCHS)
    return trainer


def test_it_learns(uninterrupted: Trainer) -> None:
    first, last = uninterrupted.history[0], uninterrupted.history[-1]
    assert [metrics.epoch for metrics in uninterrupted.history] == [1, 2, 3, 4]
    assert last.train_loss < 0.75 * first.train_loss
    assert last.test_accuracy > 0.85
    assert [metrics.lr for metrics in uninterrupted.history] == pytest.approx([0.015, 0.0325, 0.05, 0.04])


# ---- sums and evaluation ---------------------------------------------------------------------------------


class Scores(nn.Module):
    """Takes its inputs for the scores; remembers in which mode it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []
        self.scale = nn.Parameter(np.ones(1, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return x * self.scale


def two_classes() -> DataLoader:
    """Scores of five samples, predicted 0, 1, 1, 0, 1, in batches of 2, 2 and 1."""
    scores = np.array([[2, 0], [0, 1], [0, 3], [1, 0], [0, 1]], np.float32)
    return DataLoader(ArrayDataset(scores, np.array([0, 0, 1, 0, 0])), batch_size=2)


def test_evaluate_counts_by_hand() -> None:
    model = Scores()
    result = evaluate(model, two_classes())
    assert result.confusion == [[2, 2], [0, 1]]
    assert result.accuracy == pytest.approx(3 / 5)
    # -log softmax of the true class, from the differences of the scores.
    want = np.log1p(np.exp([-2.0, 1.0, -3.0, -1.0, 1.0])).mean()
    assert result.loss == pytest.approx(want, rel=1e-6)
    assert model.modes == [False] * 3
    assert model.training
    assert model.scale.grad is None


def test_the_training_metrics_are_means_over_samples() -> None:
    model = Scores()
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.0), two_classes(), two_classes())
    (metrics,) = trainer.fit(1)
    assert metrics.train_accuracy == metrics.test_accuracy == pytest.approx(3 / 5)
    assert metrics.train_loss == pytest.approx(metrics.test_loss, rel=1e-6)
    assert model.modes == [True] * 3 + [False] * 3


def test_a_loss_that_explodes_is_told_in_one_sentence() -> None:
    model = Scores()
    model.scale.data[...] = np.inf
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.1), two_classes(), two_classes())
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"the loss became nan in epoch 1, batch 1; a smaller learning rate"),
    ):
        trainer.fit(1)


# ---- checkpoints -----------------------------------------------------------------------------------------


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


def killed_again_and_again(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Start the run, kill it at a random moment, resume it, ..., and return what the last one saved."""
    moments = random.Random(seed)
    command = [sys.executable, "-m", "tests.minidnn.training.run", str(folder / "run"), str(folder / "final")]
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
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_runs_killed_many_times_end_with_the_same_bits(
    tmp_path: Path, uninterrupted: Trainer, seed: int
) -> None:
    assert_as_uninterrupted(killed_again_and_again(tmp_path, kills=12, seed=seed), uninterrupted)
