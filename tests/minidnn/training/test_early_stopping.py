"""When a run stops, which epoch's weights it ends with, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, nn
from minidnn.training import EarlyStopping, EpochMetrics


def metrics(epoch: int, **values: float) -> EpochMetrics:
    known = {"train_loss": 1.0, "train_accuracy": 0.5, "test_loss": 1.0, "test_accuracy": 0.5, **values}
    return EpochMetrics(epoch=epoch, lr=0.1, seconds=0.0, **known)


def watched(stopping: EarlyStopping, values: list[float]) -> tuple[int, nn.Module]:
    """Observe epochs until it says stop; the model's weight is the epoch's number. Return how many."""
    model = nn.BatchNorm1d(1)
    for epoch, value in enumerate(values, 1):
        for tensor in model.state_dict().values():
            tensor.fill_(epoch)
        stopping.observe(metrics(epoch, **{stopping.monitor: value}), model)
        if stopping.exhausted:
            return epoch, model
    return len(values), model


@pytest.mark.parametrize(
    ("arguments", "values", "epochs", "best"),
    [
        ({"patience": 2}, [3, 2, 2.5, 2.1, 1], 4, 2),
        ({"patience": 1}, [3, 3, 1], 2, 1),
        ({"patience": 2}, [3, 2, 2.5, 1, 1.5, 1.2], 6, 4),
        ({"patience": 3}, [3, 2, 1], 3, 3),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.5, 1], 3, 1),
        ({"patience": 2, "monitor": "test_accuracy"}, [0.2, 0.6, 0.5, 0.6, 0.9], 4, 2),
        ({"patience": 2}, [2, float("nan"), 1, 3, 3], 5, 3),
    ],
)
def test_by_hand(arguments: dict[str, Any], values: list[float], epochs: int, best: int) -> None:
    stopping = EarlyStopping(**arguments)
    stopped_at, model = watched(stopping, values)
    assert (stopped_at, stopping.best_epoch) == (epochs, best)
    assert stopping.best == values[best - 1]
    stopping.restore(model)
    for name, tensor in model.state_dict().items():
        assert float(tensor.numpy().reshape(-1)[0]) == best, name


def test_its_state_goes_on() -> None:
    first, second = EarlyStopping(patience=2), EarlyStopping(patience=2)
    _, model = watched(first, [3.0, 1.0, 2.0])
    second.load_state_dict(first.state_dict())
    for stopping in (first, second):
        assert not stopping.exhausted
        stopping.observe(metrics(4, test_loss=1.5), model)
        assert stopping.exhausted
    second.restore(model)
    np.testing.assert_array_equal(model.weight.numpy(), [2])  # type: ignore[union-attr]


def test_without_an_epoch_nothing_is_restored() -> None:
    model = nn.Linear(2, 2)
    before = Tensor(model.weight.numpy().copy())
    EarlyStopping().restore(model)
    np.testing.assert_array_equal(model.weight.numpy(), before.numpy())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"patience": 0}, ValueError, "patience must be at least 1, got 0"),
        ({"monitor": "f1"}, ValueError, "monitor must be one of train_loss, test_loss.* got 'f1'"),
        ({"min_delta": -1}, ValueError, "min_delta must be at least 0"),
        ({"patience": 1.5}, TypeError, "patience"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        EarlyStopping(**arguments)
