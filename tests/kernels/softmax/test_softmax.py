"""The contracts of softmax and its logarithm: bad input and complex arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.registry import contract

NAMES = ["softmax", "log_softmax"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("error", "x", "axis", "message"),
    [
        (TypeError, np.arange(3), 0, "x must have dtype float32 or float64 or complex128, got int64"),
        (TypeError, [1.0], 0, "x must be an array, got list"),
        (TypeError, np.ones(3), 0.5, "axis must be an integer, got 0.5"),
        (ValueError, np.ones((2, 3)), 2, r"axis must be in \[-2, 1\] for 2 dimensions, got 2"),
        (ValueError, np.ones((2, 3)), -3, r"axis must be in \[-2, 1\] for 2 dimensions, got -3"),
        (ValueError, np.array(1.0), 1, r"axis must be in \[-1, 0\] for 0 dimensions, got 1"),
    ],
)
def test_bad_input(name: str, error: type[Exception], x: Any, axis: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        contract(f"{name}_forward")(x, axis)
    if isinstance(x, np.ndarray):
        with pytest.raises(error, match=message.replace("x must have", "grad_output must have")):
            contract(f"{name}_backward")(x, x, axis)


@pytest.mark.parametrize("name", NAMES)
def test_bad_gradient(name: str) -> None:
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3\), got \(3,\)"):
        contract(f"{name}_backward")(np.ones(3), np.ones((2, 3)), 0)
    with pytest.raises(TypeError, match="y has dtype float32 but grad_output has float64"):
        contract(f"{name}_backward")(np.ones(3), np.ones(3, np.float32), 0)


@pytest.mark.parametrize("version", ["loops", "vectorized"])
@pytest.mark.parametrize("name", NAMES)
def test_complex_step_gives_the_derivative(name: str, version: str) -> None:
    rng = np.random.default_rng(0)
    x, direction, dy = rng.standard_normal((3, 2, 5, 3))
    with kernels.use(backend="reference", **{f"{name}_forward": version, f"{name}_backward": version}):
        stepped = contract(f"{name}_forward")(x + 1e-30j * direction, 1)
        dx = contract(f"{name}_backward")(dy, np.ascontiguousarray(stepped.real), 1)
    assert (dx * direction).sum() == pytest.approx((dy * stepped.imag / 1e-30).sum(), rel=1e-12)
