"""What the optimisers' contracts refuse, and that they write in place, nothing else."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.optimizer_step import adam_step, adamw_step, rmsprop_step, sgd_step
from tests.kernels.tables import host_versions


def array(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    return np.full(shape, 0.5, dtype)


SGD = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "first": False}
ADAM = {"step": 1, "lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0}
RMSPROP = {"lr": 0.1, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0}


@pytest.mark.parametrize(
    ("error", "message", "arrays", "change"),
    [
        (ValueError, "gradient must have shape (3,), got (2,)", (array(3), array(2), None), {}),
        (TypeError, "gradient has dtype float32", (array(3), array(3, dtype=np.float32), None), {}),
        (TypeError, "parameter must have dtype float32 or float64", (np.ones(3, int), array(3), None), {}),
        (ValueError, "lr must be at least 0, got -0.1", (array(3), array(3), None), {"lr": -0.1}),
        (ValueError, "lr must be finite, got nan", (array(3), array(3), None), {"lr": float("nan")}),
        (TypeError, "lr must be a number, got '1'", (array(3), array(3), None), {"lr": "1"}),
        (TypeError, "momentum must be a number, got True", (array(3), array(3), None), {"momentum": True}),
        (
            ValueError,
            "momentum_buffer must be None exactly when momentum is 0, got None with momentum 0.9",
            (array(3), array(3), None),
            {"momentum": 0.9},
        ),
        (
            ValueError,
            "momentum_buffer must be None exactly when momentum is 0, got an array",
            (array(3), array(3), array(3)),
            {},
        ),
        (
            ValueError,
            "momentum_buffer must have shape (3,), got (1, 3)",
            (array(3), array(3), array(1, 3)),
            {"momentum": 0.9},
        ),
        (
            ValueError,
            "nesterov needs a momentum above 0 and a dampening of 0, got 0.0 and 0.0",
            (array(3), array(3), None),
            {"nesterov": True},
        ),
        (
            ValueError,
            "nesterov needs a momentum above 0 and a dampening of 0, got 0.9 and 0.5",
            (array(3), array(3), array(3)),
            {"nesterov": True, "momentum": 0.9, "dampening": 0.5},
        ),
        (
            ValueError,
            "parameter must be writeable",
            (np.broadcast_to(array(1), (3,)), array(3), None),
            {},
        ),
    ],
)
def test_sgd_step_refuses(error: type[Exception], message: str, arrays: Any, change: dict[str, Any]) -> None:
    with pytest.raises(error, match=re.escape(message)):
        sgd_step(*arrays, **{**SGD, **change})


@pytest.mark.parametrize("step", [adam_step, adamw_step])
@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (ValueError, "step must be at least 1, got 0", {"step": 0}),
        (TypeError, "step must be an integer, got 1.5", {"step": 1.5}),
        (ValueError, "beta1 must be less than 1, got 1.0", {"beta1": 1.0}),
        (ValueError, "beta2 must be at least 0, got -0.5", {"beta2": -0.5}),
        (ValueError, "eps must be at least 0, got -1.0", {"eps": -1.0}),
        (ValueError, "weight_decay must be at least 0, got -1.0", {"weight_decay": -1.0}),
        (ValueError, "exp_avg must have shape (3,), got (4,)", {"exp_avg": array(4)}),
        (TypeError, "exp_avg_sq has dtype float32", {"exp_avg_sq": array(3, dtype=np.float32)}),
    ],
)
def test_adam_steps_refuse(step: Any, error: type[Exception], message: str, change: dict[str, Any]) -> None:
    arrays = {"exp_avg": array(3), "exp_avg_sq": array(3), "max_exp_avg_sq": None}
    with pytest.raises(error, match=re.escape(message)):
        step(array(3), array(3), **{**arrays, **ADAM, **change})


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (ValueError, "alpha must be at least 0, got -1.0", {"alpha": -1.0}),
        (ValueError, "square_avg must have shape (3,), got (4,)", {"square_avg": array(4)}),
        (ValueError, "grad_avg must have shape (3,), got (4,)", {"grad_avg": array(4)}),
        (ValueError, "momentum_buffer must be None exactly when momentum is 0", {"momentum": 0.5}),
    ],
)
def test_rmsprop_step_refuses(error: type[Exception], message: str, change: dict[str, Any]) -> None:
    arrays = {"square_avg": array(3), "grad_avg": None, "momentum_buffer": None}
    with pytest.raises(error, match=re.escape(message)):
        rmsprop_step(array(3), array(3), **{**arrays, **RMSPROP, **change})


@pytest.mark.parametrize("version", host_versions("rmsprop_step"))
def test_centered_rmsprop_survives_a_constant_gradient(version: str) -> None:
    """The running variance of a constant is rounding around 0, which may be negative."""
    parameter, gradient = np.zeros(64), np.linspace(0.1, 3, 64)
    square_avg, grad_avg = gradient * gradient * (1 - 1e-16), gradient.copy()
    with kernels.use(rmsprop_step=version):
        for _ in range(20):
            rmsprop_step(parameter, gradient, square_avg, grad_avg, None, **{**RMSPROP, "eps": 1e-3})
    assert np.isfinite(parameter).all()
    assert (parameter < 0).all()


@pytest.mark.parametrize("version", [*kernels.versions("sgd_step", "reference"), None])
def test_steps_write_through_views(version: str | None) -> None:
    """A non-contiguous parameter is updated in its own memory, and its neighbours are left alone."""
    memory = np.ones((4, 6))
    with kernels.use(**({"sgd_step": version} if version else {})):
        sgd_step(memory[:, ::2], array(4, 3), None, **SGD)
    np.testing.assert_allclose(memory[:, ::2], 1 - 0.1 * 0.5)
    assert (memory[:, 1::2] == 1).all()
