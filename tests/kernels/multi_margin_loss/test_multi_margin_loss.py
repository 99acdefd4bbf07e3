"""The contracts of the multi-class hinge loss: bad input, and no samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.multi_margin_loss import multi_margin_loss_backward, multi_margin_loss_forward

ARGUMENTS = {
    "x": np.ones((2, 3)),
    "target": np.array([0, 2]),
    "p": 1,
    "margin": 1.0,
    "weight": None,
    "reduction": "mean",
}


@pytest.mark.parametrize(
    ("error", "changed", "message"),
    [
        (TypeError, {"x": np.ones((2, 3), complex)}, "x must have dtype float32 or float64, got complex128"),
        (ValueError, {"x": np.ones((2, 0))}, r"x must have at least one class, got shape \(2, 0\)"),
        (
            ValueError,
            {"x": np.ones((2, 3, 1))},
            r"x must have shape \(C,\) or \(N, C\), got shape \(2, 3, 1\)",
        ),
        (TypeError, {"target": np.array([0.0, np.nan])}, "target must be an int64 array, got float64"),
        (ValueError, {"target": np.array([0, 3])}, r"target must lie in \[0, 3\), got 3"),
        (ValueError, {"target": np.array([-100, 0])}, r"target must lie in \[0, 3\), got -100"),
        (ValueError, {"p": 3}, "p must be 1 or 2, got 3"),
        (TypeError, {"p": 1.5}, "p must be an integer, got 1.5"),
        (ValueError, {"margin": np.nan}, "margin must be finite, got nan"),
        (TypeError, {"margin": "1"}, "margin must be a number, got '1'"),
        (ValueError, {"weight": np.ones(4)}, r"weight must have shape \(3,\), got \(4,\)"),
        (ValueError, {"reduction": "max"}, 'reduction must be "none", "mean" or "sum", got \'max\''),
    ],
)
def test_bad_arguments(error: type[Exception], changed: dict[str, Any], message: str) -> None:
    arguments = (ARGUMENTS | changed).values()
    with pytest.raises(error, match=message):
        multi_margin_loss_forward(*arguments)
    with pytest.raises(error, match=message):
        multi_margin_loss_backward(np.array(1.0), *arguments)


def test_bad_gradient() -> None:
    with pytest.raises(ValueError, match=r"grad_output must have shape \(\), got \(2,\)"):
        multi_margin_loss_backward(np.ones(2), *ARGUMENTS.values())


@pytest.mark.parametrize("version", ["loops", "vectorized"])
def test_no_samples_and_nan(version: str) -> None:
    """PyTorch leaves the first unwritten and hides the second."""
    with kernels.use(multi_margin_loss_forward=version):
        empty = (np.ones((0, 3)), np.zeros(0, np.int64), 1, 1.0, None, "mean")
        assert np.isnan(multi_margin_loss_forward(*empty))
        x = np.array([[np.nan, 1.0, 2.0]])
        assert np.isnan(multi_margin_loss_forward(x, np.array([1]), 1, 1.0, None, "sum"))
