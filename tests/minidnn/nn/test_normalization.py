"""Normalisation layers: what they remember, how they print, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import nn
from tests.kernels.sample import Draw


def test_initial_state_and_its_names() -> None:
    state = {name: value.numpy() for name, value in nn.BatchNorm2d(3).state_dict().items()}
    assert list(state) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert [state[name].tolist() for name in list(state)[:4]] == [[1] * 3, [0] * 3, [0] * 3, [1] * 3]
    assert state["num_batches_tracked"].dtype == np.int64
    assert state["num_batches_tracked"].shape == ()
    assert list(nn.BatchNorm1d(2, affine=False, track_running_stats=False).state_dict()) == []


def test_momentum_none_keeps_the_plain_average_of_all_batches() -> None:
    draw, layer = Draw(1, np.float64), nn.BatchNorm1d(3, momentum=None).double()
    batches = [draw.normal(5, 3) for _ in range(4)]
    for batch in batches:
        layer(batch)
    assert layer.num_batches_tracked.item() == 4
    np.testing.assert_allclose(layer.running_mean.numpy(), np.mean([b.mean(0) for b in batches], axis=0))
    np.testing.assert_allclose(
        layer.running_var.numpy(), np.mean([b.var(0, ddof=1) for b in batches], axis=0)
    )


def test_evaluation_changes_nothing_and_ignores_the_batch() -> None:
    draw, layer = Draw(2, np.float64), nn.BatchNorm2d(3).double()
    layer(draw.normal(4, 3, 2, 5))
    before = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    layer.eval()
    x = draw.normal(4, 3, 2, 5)
    together = layer(x).numpy()
    np.testing.assert_allclose(together[1:2], layer(x[1:2]).numpy())
    assert all(np.array_equal(before[name], value.numpy()) for name, value in layer.state_dict().items())


def test_evaluation_without_running_statistics_uses_the_batch() -> None:
    x = Draw(3, np.float64).normal(4, 3, 5)
    layer = nn.BatchNorm1d(3, affine=False, track_running_stats=False).double().eval()
    np.testing.assert_allclose(layer(x).numpy().mean((0, 2)), 0, atol=1e-12)
    with pytest.raises(ValueError, match="x must have more than one value per channel"):
        layer(x[:1, :, :1])


def test_a_refused_batch_is_not_counted() -> None:
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="x must have more than one value per channel"):
        layer(np.ones((1, 3), np.float32))
    assert layer.num_batches_tracked.item() == 0


def test_resetting() -> None:
    layer = nn.BatchNorm1d(2)
    layer(Draw(4, np.float32).normal(5, 2))
    layer.weight.data[...] = 3
    layer.reset_running_stats()
    assert layer.running_mean.numpy().tolist() == [0, 0]
    assert layer.running_var.numpy().tolist() == [1, 1]
    assert layer.num_batches_tracked.item() == 0
    assert layer.weight.detach().numpy().tolist() == [3, 3]
    layer.reset_parameters()
    assert layer.weight.detach().numpy().tolist() == [1, 1]


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            nn.BatchNorm2d(3),
            "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
        ),
        (
            nn.BatchNorm1d(4, 0.1, None, False, False),
            "BatchNorm1d(4, eps=0.1, momentum=None, affine=False, bias=False, track_running_stats=False)",
        ),
        (nn.LocalResponseNorm(5, k=2.0), "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=2.0)"),
    ],
)
def test_printing(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.BatchNorm1d(0), ValueError, "num_features must be at least 1, got 0"),
        (lambda: nn.BatchNorm2d(2.0), TypeError, "num_features must be an integer, got 2.0"),
        (lambda: nn.BatchNorm2d(2, eps=0), ValueError, "eps must be above 0, got 0"),
        (lambda: nn.BatchNorm2d(2, momentum="a"), TypeError, "momentum must be a number, got 'a'"),
        (lambda: nn.LocalResponseNorm(0), ValueError, "size must be at least 1, got 0"),
        (lambda: nn.LocalResponseNorm(3, beta=None), TypeError, "beta must be a number, got None"),
    ],
)
def test_constructors_refuse(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm1d(3), (3,), r"x must have 2 or 3 dimensions for BatchNorm1d, got shape \(3,\)"),
        (nn.BatchNorm1d(3), (2, 3, 4, 5), "x must have 2 or 3 dimensions for BatchNorm1d"),
        (nn.BatchNorm2d(3), (2, 3, 4), "x must have 4 dimensions for BatchNorm2d"),
        (nn.BatchNorm3d(3), (2, 3, 4, 5), "x must have 5 dimensions for BatchNorm3d"),
        (nn.BatchNorm2d(4), (2, 3, 4, 5), r"num_features=4 channels, got shape \(2, 3, 4, 5\)"),
    ],
)
def test_calls_refuse(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    for training in (True, False):
        with pytest.raises(ValueError, match=message):
            layer.train(training)(np.ones(shape, np.float32))
