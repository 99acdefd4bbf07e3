"""Dropout's kernels: what the sample tables cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.dropout import dropout_backward, dropout_forward

VERSIONS = kernels.versions("dropout_forward", "reference")


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_share_of_dropped_elements(probability: float, seed: int) -> None:
    y = dropout_forward(np.ones((64, 32, 32)), probability, seed)
    deviation = np.sqrt(probability * (1 - probability) / y.size)
    assert abs((y == 0).mean() - probability) < 5 * deviation
    np.testing.assert_allclose(y[y != 0], 1 / (1 - probability))


def test_the_mask_depends_on_the_row_major_index_alone() -> None:
    flat = dropout_forward(np.ones(120), 0.4, 9)
    assert np.array_equal(dropout_forward(np.ones((2, 3, 4, 5)), 0.4, 9).reshape(-1), flat)
    turned = np.ones((5, 4, 3, 2)).transpose(3, 2, 1, 0)
    assert np.array_equal(dropout_forward(turned, 0.4, 9).reshape(-1), flat)
    assert np.array_equal(dropout_forward(np.ones(77), 0.4, 9), flat[:77])
    assert np.array_equal(dropout_forward(np.ones(120, np.float32), 0.4, 9) == 0, flat == 0)


def test_backward_draws_the_mask_of_forward_and_other_seeds_draw_others() -> None:
    forward = dropout_forward(np.ones(1000), 0.5, 3)
    assert np.array_equal(dropout_backward(np.ones(1000), 0.5, 3), forward)
    shared = ((forward == 0) == (dropout_forward(np.ones(1000), 0.5, 4) == 0)).mean()
    assert 0.4 < shared < 0.6


@pytest.mark.parametrize("version", VERSIONS)
def test_a_dropped_element_is_zero_whatever_it_was(version: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1.0])
    with kernels.use(backend="reference", dropout_forward=version):
        assert dropout_forward(x, 1.0, 5).tolist() == [0, 0, 0, 0]
        assert np.array_equal(dropout_forward(x, 0.0, 5), x, equal_nan=True)


def test_complex_values_keep_both_parts() -> None:
    x = np.arange(1, 41) * (1 + 2j)
    np.testing.assert_array_equal(dropout_forward(x, 0.5, 8), dropout_forward(x.real, 0.5, 8) * (1 + 2j))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones(3), -0.1, 0), ValueError, "probability must be at least 0, got -0.1"),
        ((np.ones(3), 1.1, 0), ValueError, "probability must be at most 1, got 1.1"),
        ((np.ones(3), float("nan"), 0), ValueError, "probability must be finite, got nan"),
        ((np.ones(3), "half", 0), TypeError, "probability must be a number, got 'half'"),
        ((np.ones(3), 0.5, -1), ValueError, "seed must be at least 0, got -1"),
        ((np.ones(3), 0.5, 2**64), ValueError, r"seed must be less than 2\^64, got 18446744073709551616"),
        ((np.ones(3), 0.5, 1.5), TypeError, "seed must be an integer, got 1.5"),
        ((np.ones(3, np.int64), 0.5, 0), TypeError, "must have dtype float32 or .*, got int64"),
    ],
)
def test_refuses(arguments: Any, error: type[Exception], message: str) -> None:
    for contract in (dropout_forward, dropout_backward):
        with pytest.raises(error, match=message):
            contract(*arguments)
