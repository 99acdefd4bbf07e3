"""The contracts of the distances between predictions and targets: bad and complex arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.registry import contract
from kernels.regression_loss import mse_loss_backward, mse_loss_forward

PARAMETER: dict[str, Any] = {"mse_loss": None, "l1_loss": None, "smooth_l1_loss": 1.0}
X = np.ones((2, 3))


@pytest.mark.parametrize("name", PARAMETER)
@pytest.mark.parametrize(
    ("error", "x", "target", "reduction", "message"),
    [
        (TypeError, X.astype(int), X, "mean", "x must have dtype float32 or float64"),
        (TypeError, X, X.astype(np.float32), "mean", "target has dtype float32 but x has float64"),
        (TypeError, X, 1.0, "mean", "target must be an array, got float"),
        (ValueError, X, np.ones(3), "mean", r"target must have shape \(2, 3\), got \(3,\)"),
        (ValueError, X, X, "average", 'reduction must be "none", "mean" or "sum", got \'average\''),
    ],
)
def test_bad_arguments(
    name: str, error: type[Exception], x: Any, target: Any, reduction: str, message: str
) -> None:
    with pytest.raises(error, match=message):
        contract(f"{name}_forward")(x, target, PARAMETER[name], reduction)
    with pytest.raises(error, match=message):
        contract(f"{name}_backward")(np.array(1.0), x, target, PARAMETER[name], reduction)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss"])
def test_bad_weight(name: str) -> None:
    with pytest.raises(ValueError, match=r"weight must have shape \(2, 3\), got \(3,\)"):
        contract(f"{name}_forward")(X, X, np.ones(3), "mean")
    with pytest.raises(ValueError, match=r"weight must have shape \(2, 3\), got \(3,\)"):
        contract(f"{name}_backward")(np.array(1.0), X, X, np.ones(3), "mean")


def test_bad_beta() -> None:
    with pytest.raises(ValueError, match="beta must be at least 0, got -1.0"):
        contract("smooth_l1_loss_forward")(X, X, -1.0, "mean")
    with pytest.raises(TypeError, match="beta must be a number, got None"):
        contract("smooth_l1_loss_backward")(np.array(1.0), X, X, None, "mean")


@pytest.mark.parametrize("name", PARAMETER)
def test_bad_gradient(name: str) -> None:
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3\), got \(\)"):
        contract(f"{name}_backward")(np.array(1.0), X, X, PARAMETER[name], "none")


@pytest.mark.parametrize("version", ["loops", "vectorized"])
def test_complex_step_of_the_squared_distance(version: str) -> None:
    x, direction, target, weight = np.random.default_rng(0).standard_normal((4, 3, 4))
    with kernels.use(mse_loss_forward=version, mse_loss_backward=version):
        stepped = mse_loss_forward(
            x + 1e-30j * direction, target.astype(complex), weight.astype(complex), "mean"
        )
        dx = mse_loss_backward(np.array(1.0), x, target, weight, "mean")
    assert stepped.imag / 1e-30 == pytest.approx((dx * direction).sum(), rel=1e-12)
