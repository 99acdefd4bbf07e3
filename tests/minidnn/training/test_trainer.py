"""The training loop: its sums, its evaluation and its settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, manual_seed, nn, optim
from minidnn.data import ArrayDataset, DataLoader
from minidnn.nn.utils import clip_grad_norm_
from minidnn.optim.swa_utils import AveragedModel, get_ema_avg_fn
from minidnn.training import EarlyStopping, Trainer, evaluate
from tests.minidnn.training.run import (
    EPOCHS,
    After,
    assert_same_weights,
    weights,
)


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
