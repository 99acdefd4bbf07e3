"""The training loop: its sums, its evaluation, and runs that are killed, stopped and resumed."""

from __future__ import annotations

import csv
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, load, manual_seed, nn, optim, save
from minidnn.data import ArrayDataset, DataLoader
from minidnn.nn.utils import clip_grad_norm_
from minidnn.optim.swa_utils import AveragedModel, get_ema_avg_fn
from minidnn.training import EarlyStopping, EpochMetrics, Totals, Trainer, TrainingInterrupted, evaluate
from minidnn.training import loop as training_loop
from tests.minidnn.training import run as training_run
from tests.minidnn.training.run import EPOCHS, build, build_with_everything, metrics_of
from tests.program import ENVIRONMENT


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    """Of the averaged model, where there is one."""
    return {name: tensor.numpy().copy() for name, tensor in trainer.evaluated_model.state_dict().items()}


def assert_same_weights(got: dict[str, Any], want: dict[str, Any]) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert np.array_equal(np.asarray(got[name]), np.asarray(value)), name


@pytest.fixture(scope="module")
def uninterrupted() -> Trainer:
    trainer = build(None)
    trainer.fit(EPOCHS)
    return trainer


@pytest.fixture(scope="module")
def uninterrupted_with_everything() -> Trainer:
    trainer = build_with_everything(None)
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


def test_mixed_labels_count_by_the_larger_share() -> None:
    """As `Mixup` makes them: of the five predictions 0, 1, 1, 0, 1 the second and the fourth are wrong."""
    shares = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.0, 1.0]], np.float32)
    mixed = DataLoader(ArrayDataset(two_classes().dataset.inputs, shares), batch_size=2)
    model = Scores()
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.0), mixed, two_classes())
    (metrics,) = trainer.fit(1)
    assert metrics.train_accuracy == pytest.approx(3 / 5)


def test_a_loss_that_explodes_is_told_in_one_sentence() -> None:
    model = Scores()
    model.scale.data[...] = np.inf
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.1), two_classes(), two_classes())
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"the loss became nan in epoch 1, batch 1; a smaller learning rate"),
    ):
        trainer.fit(1)


# ---- steps over several batches, clipping, averages, early stopping ---------------------------------------


def regression(batch_size: int, accumulate: int, drop_last: bool = False) -> Trainer:
    """A linear classifier of 23 samples in float64; nothing in it looks at the batch as a whole."""
    manual_seed(2)
    generator = np.random.default_rng(6)
    samples = ArrayDataset(generator.standard_normal((23, 5)), generator.integers(0, 3, 23))
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    loader = DataLoader(samples, batch_size, shuffle=True, drop_last=drop_last, seed=3)
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    return Trainer(model, optimizer, loader, DataLoader(samples, 23), accumulate=accumulate)


@pytest.mark.parametrize(
    ("small", "accumulate", "drop_last"), [(2, 4, False), (4, 2, False), (1, 8, False), (3, 5, False)]
)
def test_accumulated_batches_make_the_large_batch_s_steps(
    small: int, accumulate: int, drop_last: bool
) -> None:
    """The last step of an epoch has 7 of 8 samples (8 of 15), its last batch may be short."""
    few, many = regression(small * accumulate, 1, drop_last), regression(small, accumulate, drop_last)
    few.fit(3)
    many.fit(3)
    for name, value in weights(few).items():
        np.testing.assert_allclose(weights(many)[name], value, rtol=1e-12, atol=1e-14, err_msg=name)
    assert [m.train_loss for m in many.history] == pytest.approx(
        [m.train_loss for m in few.history], rel=1e-12
    )


def test_dropped_samples_have_no_part_in_a_step() -> None:
    """5 batches of 4 in steps of 2: the last step has one batch, which weighs 1."""
    trainer = regression(4, 2, drop_last=True)
    steps: list[float] = []
    trainer.loss = lambda scores, labels: (scores * 0).sum() + trainer.model[2].bias.sum()  # type: ignore[index]
    trainer.clip_gradients = lambda parameters: steps.append(list(parameters)[-1].grad.numpy().tolist())  # type: ignore[union-attr, arg-type]
    trainer.fit(1)
    np.testing.assert_allclose(steps, np.ones((3, 3)))


def test_gradients_are_clipped_between_backward_and_step() -> None:
    trainer = regression(8, 1)
    norms: list[float] = []

    def clip(parameters: Any) -> None:
        norms.append(clip_grad_norm_(parameters, 1e-3).item())

    trainer.clip_gradients = clip
    begin = weights(trainer)
    trainer.fit(1)
    assert len(norms) == 3
    assert min(norms) > 1e-2
    moved = sum(float(np.sum((value - begin[name]) ** 2)) for name, value in weights(trainer).items()) ** 0.5
    assert moved <= 0.5 * 1e-3 * (1 + 1.9 + 2.71)  # lr times what momentum makes of three steps of 1e-3


def test_the_averaged_model_is_evaluated_and_kept_apart() -> None:
    """By hand: SGD's weights after every step, averaged by the formula."""
    trainer = regression(8, 1)
    trainer.average = AveragedModel(trainer.model, get_ema_avg_fn(0.6))
    seen: list[np.ndarray] = []
    name = "2.weight"
    trainer.report = After(lambda: seen.append(trainer.model.state_dict()[name].numpy().copy()))
    trainer.fit(2)
    want = seen[0]
    for value in seen[1:]:
        want = 0.6 * want + 0.4 * value
    np.testing.assert_allclose(weights(trainer)[name], want, rtol=1e-12)
    assert not np.allclose(trainer.model.state_dict()[name].numpy(), want, rtol=1e-3)
    got = evaluate(trainer.average, trainer.test_loader)
    assert trainer.history[-1].test_loss == got.loss


def test_early_stopping_ends_the_run_with_the_best_weights() -> None:
    trainer = regression(8, 1)
    trainer.early_stopping = EarlyStopping(patience=2, monitor="test_accuracy")
    after: list[dict[str, np.ndarray]] = []
    trainer.report = After(epoch=lambda: after.append(weights(trainer)))
    history = trainer.fit(200)
    accuracies = [metrics.test_accuracy for metrics in history]
    best = int(np.argmax(accuracies))  # the first of equals
    assert len(history) == best + 1 + 2 < 200
    assert_same_weights(weights(trainer), after[best])
    assert trainer.early_stopping.best_epoch == best + 1
    assert len(trainer.fit(200)) == len(history)


def test_a_run_with_everything_stops_early(uninterrupted_with_everything: Trainer) -> None:
    trainer = uninterrupted_with_everything
    assert trainer.early_stopping is not None
    assert 1 < len(trainer.history) < EPOCHS
    assert trainer.early_stopping.exhausted


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="accumulate must be at least 1, got 0"):
        regression(4, 0)


# ---- checkpoints -----------------------------------------------------------------------------------------


class After(training_run.LineReport):
    """Calls functions after every batch and every epoch."""

    def __init__(
        self, batch: Callable[[], Any] = lambda: None, epoch: Callable[[], Any] = lambda: None
    ) -> None:
        self.after_batch, self.after_epoch = batch, epoch

    def batch(self, epoch: int, batch: int, totals: Totals) -> None:
        self.after_batch()

    def epoch(self, metrics: EpochMetrics) -> None:
        self.after_epoch()


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
