"""The activations' contracts: bad input, tails and limits, and complex arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels import activation
from kernels.array import Array
from kernels.registry import contract

VERSIONS = ["loops", "vectorized"]
NAMES = sorted(name.removesuffix("_forward") for name in activation.__all__ if name.endswith("_forward"))
PARAMETERS: dict[str, tuple[Any, ...]] = {"leaky_relu": (0.1,), "gelu": ("none",)}


def run(name: str, version: str, *arguments: Any) -> Array:
    with kernels.use(backend="reference", **{name: version}):
        return contract(name)(*arguments)


@pytest.mark.parametrize("name", NAMES)
def test_bad_arguments(name: str) -> None:
    forward: Callable[..., Array] = contract(f"{name}_forward")
    backward: Callable[..., Array] = contract(f"{name}_backward")
    parameters = PARAMETERS.get(name, ())
    with pytest.raises(TypeError, match=r"x must have dtype float32 or float64.*, got int64"):
        forward(np.arange(3), *parameters)
    with pytest.raises(TypeError, match="x must be an array, got list"):
        forward([1.0], *parameters)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(3,\), got \(2,\)"):
        backward(np.ones(2), np.ones(3), *parameters)
    with pytest.raises(TypeError, match="has dtype float32 but grad_output has float64"):
        backward(np.ones(2), np.ones(2, np.float32), *parameters)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_bad_parameters(direction: str) -> None:
    arrays = (np.ones(2),) if direction == "forward" else (np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="negative_slope must be a number, got '0.1'"):
        contract(f"leaky_relu_{direction}")(*arrays, "0.1")
    with pytest.raises(ValueError, match="negative_slope must be finite, got nan"):
        contract(f"leaky_relu_{direction}")(*arrays, math.nan)
    with pytest.raises(ValueError, match='approximate must be "none" or "tanh", got \'erf\''):
        contract(f"gelu_{direction}")(*arrays, "erf")


@pytest.mark.parametrize("version", VERSIONS)
def test_left_tails_keep_their_digits(version: str) -> None:
    x = -np.array([5.0, 10.0, 20.0, 30.0])
    assert run("sigmoid_forward", version, x) == pytest.approx(np.exp(x) / (1 + np.exp(x)), rel=1e-14)
    phi = np.array([math.erfc(value) for value in -x / math.sqrt(2)]) / 2
    assert run("gelu_forward", version, x, "none") == pytest.approx(x * phi, rel=1e-12)


@pytest.mark.parametrize("version", VERSIONS)
def test_hardsigmoid_at_nan(version: str) -> None:
    """PyTorch's choice: neither inside nor outside, so the derivative is 0."""
    nan, dy = np.array([np.nan]), np.array([2.0])
    assert np.isnan(run("hardsigmoid_forward", version, nan)).all()
    assert run("hardsigmoid_backward", version, dy, nan) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_gelu_tanh_has_its_limits_as_derivative(version: str) -> None:
    """Also where u' overflows: in float32 beyond 1e19."""
    x = np.array([-np.inf, -1e25, 1e25, np.inf], np.float32)
    dy = np.full(4, 2, np.float32)
    assert np.array_equal(run("gelu_backward", version, dy, x, "tanh"), [0, 0, 2, 2])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "parameters"), [("sigmoid", ()), ("tanh", ()), ("silu", ()), ("gelu", ("tanh",))]
)
def test_complex_step_gives_the_derivative(name: str, parameters: tuple[Any, ...], version: str) -> None:
    x = np.array([-30.0, -2.5, -0.0, 0.5, 4.0])
    step = 1e-30
    stepped = run(f"{name}_forward", version, x + 1j * step, *parameters)
    saved = stepped.real if name in ("sigmoid", "tanh") else x
    dy = np.array([0.5, -2.0, 3.0, 1.5, -1.0])
    want = run(f"{name}_backward", version, dy, saved, *parameters)
    assert dy * stepped.imag / step == pytest.approx(want, rel=1e-12)


def test_complex_is_refused_where_there_is_a_kink() -> None:
    with pytest.raises(TypeError, match="x must have dtype float32 or float64, got complex128"):
        activation.relu_forward(np.ones(2, complex))
    with pytest.raises(TypeError, match="x must have dtype float32 or float64, got complex128"):
        activation.gelu_forward(np.ones(2, complex), "none")
