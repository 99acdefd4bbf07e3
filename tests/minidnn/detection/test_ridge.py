"""Ridge regression against scikit-learn's, and the condition of optimality."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from minidnn.detection.ridge import ridge_regression


@pytest.mark.parametrize(("count", "width"), [(40, 7), (7, 40), (9, 9), (1, 3)])
@pytest.mark.parametrize("penalty", [0.1, 1000.0])
def test_against_scikit_learn(count: int, width: int, penalty: float) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    generator = np.random.default_rng(count)
    features, targets = 5 * generator.normal(size=(count, width)), generator.normal(size=(count, 4))
    theirs = linear.Ridge(alpha=penalty, fit_intercept=False).fit(features, targets)
    got = ridge_regression(features, targets, penalty)
    assert got.shape == (width, 4)
    np.testing.assert_allclose(got, theirs.coef_.T, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("count", "width"), [(30, 5), (5, 30)])
def test_the_gradient_vanishes(count: int, width: int) -> None:
    """X^T (X W - Y) + penalty W = 0."""
    generator = np.random.default_rng(width)
    features, targets = generator.normal(size=(count, width)), generator.normal(size=(count, 2))
    weights = ridge_regression(features, targets, 3.0)
    gradient = features.T @ (features @ weights - targets) + 3.0 * weights
    np.testing.assert_allclose(gradient, 0, atol=1e-10)
    assert ridge_regression(features.astype(np.float32), targets.astype(np.float32), 3.0).dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((3, 2)), np.zeros((4, 1)), 1.0), ValueError, "(N, D) and (N, T), got (3, 2) and (4, 1)"),
        ((np.zeros((3, 2)), np.zeros(3), 1.0), ValueError, "got (3, 2) and (3,)"),
        ((np.zeros((3, 2)), np.zeros((3, 1)), 0.0), ValueError, "penalty must be positive, got 0.0"),
        ((np.zeros((3, 2)), np.zeros((3, 1), np.float32), 1.0), TypeError, "targets"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        ridge_regression(*arguments)
