"""The contracts of the negative log-likelihood: bad input and ignored samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.nll_loss import nll_loss_backward, nll_loss_forward

ARGUMENTS = {
    "x": np.ones((2, 3)),
    "target": np.array([0, 2]),
    "weight": None,
    "ignore_index": -100,
    "reduction": "mean",
}


@pytest.mark.parametrize(
    ("error", "changed", "message"),
    [
        (TypeError, {"x": np.ones((2, 3), int)}, "x must have dtype float32 or float64 or complex128"),
        (ValueError, {"x": np.ones((2, 0))}, r"x must have at least one class, got shape \(2, 0\)"),
        (ValueError, {"x": np.array(1.0)}, r"x must have shape \(C,\) or \(N, C, ...\), got shape \(\)"),
        (ValueError, {"target": np.array([0])}, r"target must have shape \(2,\), got \(1,\)"),
    ],
)
def test_bad_scores(error: type[Exception], changed: dict[str, Any], message: str) -> None:
    with pytest.raises(error, match=message):
        nll_loss_forward(*(ARGUMENTS | changed).values())


@pytest.mark.parametrize(
    ("error", "changed", "message"),
    [
        (TypeError, {"target": np.array([0.0, 1.0])}, "target must be an int64 array, got float64"),
        (TypeError, {"target": 1}, "target must be an int64 array, got int"),
        (ValueError, {"target": np.array([0, 3])}, r"in \[0, 3\) or be ignore_index -100, got 3"),
        (ValueError, {"weight": np.ones(4)}, r"weight must have shape \(3,\), got \(4,\)"),
        (TypeError, {"ignore_index": "0"}, "ignore_index must be an integer, got '0'"),
        (ValueError, {"reduction": None}, 'reduction must be "none", "mean" or "sum", got None'),
    ],
)
def test_bad_arguments(error: type[Exception], changed: dict[str, Any], message: str) -> None:
    with pytest.raises(error, match=message):
        nll_loss_forward(*(ARGUMENTS | changed).values())
    _, target, *rest = (ARGUMENTS | changed).values()
    with pytest.raises(error, match=message):
        nll_loss_backward(np.array(1.0), target, 3, *rest)


def test_bad_gradient_and_classes() -> None:
    target = np.array([0, 2])
    with pytest.raises(ValueError, match=r"grad_output must have shape \(\), got \(2,\)"):
        nll_loss_backward(np.ones(2), target, 3, None, -100, "sum")
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        nll_loss_backward(np.ones(2), target, 0, None, -100, "none")


@pytest.mark.parametrize("version", ["loops", "vectorized"])
def test_ignored_samples_do_not_count(version: str) -> None:
    x = np.array([[-1.0, -2.0], [np.nan, np.nan]])
    with kernels.use(nll_loss_forward=version, nll_loss_backward=version):
        assert nll_loss_forward(x, np.array([1, 5]), None, 5, "mean") == 2
        assert np.isnan(nll_loss_forward(x, np.array([5, 5]), None, 5, "mean"))
        dx = nll_loss_backward(np.array(3.0), np.array([1, 5]), 2, None, 5, "mean")
        assert np.array_equal(dx, [[0, -3], [0, 0]])
