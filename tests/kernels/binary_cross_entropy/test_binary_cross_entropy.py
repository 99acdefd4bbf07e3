"""The contracts of binary cross-entropy with logits: bad input, infinite and complex arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.binary_cross_entropy import (
    binary_cross_entropy_with_logits_backward_input,
    binary_cross_entropy_with_logits_backward_target,
    binary_cross_entropy_with_logits_forward,
)

NAME = "binary_cross_entropy_with_logits"
VERSIONS = ["loops", "vectorized"]
X = np.ones((2, 3))
ARGUMENTS = {"x": X, "target": X, "weight": None, "pos_weight": None, "reduction": "mean"}


@pytest.mark.parametrize(
    ("error", "changed", "message"),
    [
        (TypeError, {"x": X.astype(int)}, "x must have dtype float32 or float64 or complex128, got int64"),
        (TypeError, {"target": X.astype(int)}, "target must have dtype float32 or float64 or complex128"),
        (TypeError, {"target": X.astype(np.float32)}, "target has dtype float32 but x has float64"),
        (ValueError, {"target": np.ones(3)}, r"target must have shape \(2, 3\), got \(3,\)"),
        (ValueError, {"target": X * np.nan}, "target must not hold NaN, got at least one"),
        (
            ValueError,
            {"weight": np.ones(2)},
            r"weight must have a shape that broadcasts to x's \(2, 3\), got \(2,\)",
        ),
        (
            ValueError,
            {"pos_weight": np.ones((4, 2, 3))},
            r"pos_weight must have a shape that broadcasts to x's",
        ),
        (ValueError, {"reduction": 1}, 'reduction must be "none", "mean" or "sum", got 1'),
    ],
)
def test_bad_arguments(error: type[Exception], changed: dict[str, Any], message: str) -> None:
    arguments = ARGUMENTS | changed
    with pytest.raises(error, match=message):
        binary_cross_entropy_with_logits_forward(*arguments.values())
    with pytest.raises(error, match=message):
        binary_cross_entropy_with_logits_backward_input(np.array(1.0), *arguments.values())
    if "target" not in changed:
        del arguments["target"]
        with pytest.raises(error, match=message):
            binary_cross_entropy_with_logits_backward_target(np.array(1.0), *arguments.values())


def test_bad_gradient() -> None:
    with pytest.raises(ValueError, match=r"grad_output must have shape \(\), got \(3,\)"):
        binary_cross_entropy_with_logits_backward_input(np.ones(3), *ARGUMENTS.values())
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3\), got \(\)"):
        binary_cross_entropy_with_logits_backward_target(np.array(1.0), X, None, None, "none")


@pytest.mark.parametrize("version", VERSIONS)
def test_infinite_logits(version: str) -> None:
    """Where PyTorch subtracts infinities."""
    x, target = np.array([-np.inf, np.inf]), np.array([0.25, 0.25])
    with kernels.use(**{f"{NAME}_forward": version, f"{NAME}_backward_input": version}):
        losses = binary_cross_entropy_with_logits_forward(x, target, None, None, "none")
        slopes = binary_cross_entropy_with_logits_backward_input(np.ones(2), x, target, None, None, "none")
    assert np.array_equal(losses, [np.inf, np.inf])
    assert np.array_equal(slopes, [-0.25, 0.75])


@pytest.mark.parametrize("version", VERSIONS)
def test_complex_step_gives_the_derivative(version: str) -> None:
    rng = np.random.default_rng(0)
    x, direction, target, weight = rng.standard_normal((4, 3, 4))
    with kernels.use(**{f"{NAME}_forward": version, f"{NAME}_backward_input": version}):
        stepped = binary_cross_entropy_with_logits_forward(
            x * 10 + 1e-30j * direction, target.astype(complex), weight.astype(complex), None, "sum"
        )
        dx = binary_cross_entropy_with_logits_backward_input(
            np.array(1.0), x * 10, target, weight, None, "sum"
        )
    assert stepped.imag / 1e-30 == pytest.approx((dx * direction).sum(), rel=1e-12)
