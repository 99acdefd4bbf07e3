"""Dropout as a function: the mask, its seed, the in-place form and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, functional
from tests.kernels.sample import Draw


def test_elements_are_dropped_or_scaled() -> None:
    minidnn.manual_seed(0)
    x = Draw(1).normal(50, 40)
    y = functional.dropout(x, 0.25).numpy()
    dropped = y == 0
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.75)
    assert abs(dropped.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / x.size)


def test_the_gradient_passes_through_the_same_mask() -> None:
    draw = Draw(2)
    x = Tensor(draw.normal(20, 30), requires_grad=True)
    y = functional.dropout(x, 0.4)
    upstream = draw.normal(20, 30)
    y.backward(upstream)
    assert x.grad is not None
    want = np.where(y.detach().numpy() == 0, 0, upstream / 0.6)
    np.testing.assert_allclose(x.grad.numpy(), want)


def test_every_call_draws_a_mask_and_a_seed_repeats_them() -> None:
    x = np.ones(200)
    minidnn.manual_seed(7)
    first, second = (functional.dropout(x).numpy() for _ in range(2))
    assert not np.array_equal(first, second)
    minidnn.manual_seed(7)
    assert np.array_equal(functional.dropout(x).numpy(), first)
    assert np.array_equal(functional.dropout(x).numpy(), second)


def test_without_chance_x_itself_is_returned_and_no_seed_is_drawn() -> None:
    x = Tensor(np.ones(3))
    minidnn.manual_seed(7)
    assert functional.dropout(x, 0.5, training=False) is x
    assert functional.dropout(x, 0.0) is x
    assert functional.dropout(x, 0.0, inplace=True) is x
    after = minidnn.random.next_seed()
    minidnn.manual_seed(7)
    assert minidnn.random.next_seed() == after


def test_in_place_overwrites_x_and_differentiates_alike() -> None:
    draw = Draw(3)
    values, upstream = draw.normal(6, 7), draw.normal(6, 7)
    gradients = []
    for inplace in (False, True):
        minidnn.manual_seed(1)
        leaf = Tensor(values, requires_grad=True)
        x = leaf * 2
        y = functional.dropout(x, 0.5, inplace=inplace)
        assert (y is x) is inplace
        y.backward(upstream)
        gradients.append(leaf.grad.numpy())
    assert np.array_equal(*gradients)


def test_in_place_is_refused_on_a_leaf_that_requires_grad() -> None:
    with pytest.raises(ValueError, match="leaf that requires grad cannot be changed in place"):
        functional.dropout(Tensor(np.ones(3), requires_grad=True), inplace=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones(3), -0.1), ValueError, "p must be at least 0, got -0.1"),
        ((np.ones(3), 1.5), ValueError, "p must be at most 1, got 1.5"),
        ((np.ones(3), float("nan")), ValueError, "p must be finite, got nan"),
        ((np.ones(3), "0.5"), TypeError, "p must be a number, got '0.5'"),
        ((np.ones(3), 1.5, False), ValueError, "p must be at most 1, got 1.5"),
        ((np.ones(3, np.int64), 0.5), TypeError, "x must have dtype float32 or .*, got int64"),
    ],
)
def test_refuses(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        functional.dropout(*arguments)
