"""The Inception Score against its formula and in the cases where it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minidnn import Tensor
from minidnn.visualisation import inception_score


def by_hand(part: np.ndarray) -> float:
    """exp of the mean divergence, term by term."""
    marginal = [math.fsum(row[k] for row in part) / len(part) for k in range(part.shape[1])]
    terms = [p * math.log(p / marginal[k]) for row in part for k, p in enumerate(row) if p > 0]
    return math.exp(math.fsum(terms) / len(part))


def random_probabilities(count: int, classes: int) -> np.ndarray:
    draws = np.random.default_rng(6).gamma(0.3, size=(count, classes))
    draws[:, 1] = 0  # a class that never occurs
    draws[0] = np.eye(classes)[2]
    return draws / draws.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("splits", [1, 3, 7])
def test_the_formula(splits: int) -> None:
    probabilities = random_probabilities(40, 7)
    scores = [by_hand(part) for part in np.array_split(probabilities, splits)]
    mean = math.fsum(scores) / splits
    deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / splits)
    score = inception_score(probabilities, splits)
    assert score.mean == pytest.approx(mean, rel=1e-12)
    assert score.standard_deviation == pytest.approx(deviation, rel=1e-9, abs=1e-12)


def test_the_least_and_the_greatest_score() -> None:
    same = np.tile(random_probabilities(3, 6)[1], (50, 1))
    assert inception_score(same) == pytest.approx((1, 0), abs=1e-9)
    assert inception_score(np.full((20, 4), 0.25), 2) == pytest.approx((1, 0), abs=1e-12)
    perfect = np.eye(6)[np.arange(60) % 6]
    assert inception_score(perfect, splits=10) == pytest.approx((6, 0), abs=1e-9)
    assert inception_score(np.eye(6)[np.zeros(60, int)]).mean == 1
    half = inception_score(np.eye(6)[np.arange(60) % 3], splits=1)
    assert half.mean == pytest.approx(3)


def test_it_is_computed_in_float64() -> None:
    probabilities = random_probabilities(30, 5).astype(np.float32)
    want = by_hand(probabilities.astype(np.float64))
    assert inception_score(Tensor(probabilities), splits=1).mean == pytest.approx(want, rel=1e-12)


def test_what_is_wrong_is_said() -> None:
    good = random_probabilities(4, 3)
    with pytest.raises(ValueError, match="probabilities must have 2 dimensions"):
        inception_score(good[0])
    for bad in (good * 1.1, -good, good * np.nan, np.zeros((4, 0)), good @ np.diag([1, 1, -1])):
        with pytest.raises(ValueError, match="probabilities must be at least 0 and sum to 1 in every row"):
            inception_score(bad, 1)
    with pytest.raises(ValueError, match="splits must be at most the number of images, 4, got 10"):
        inception_score(good)
    with pytest.raises(ValueError, match="splits must be at least 1"):
        inception_score(good, 0)
    with pytest.raises(TypeError, match="splits must be an integer"):
        inception_score(good, 1.5)
