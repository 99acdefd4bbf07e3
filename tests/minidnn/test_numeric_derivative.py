"""Numeric derivatives of functions whose derivatives are known."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from minidnn.numeric_derivative import (
    KinkError,
    NotAnalyticError,
    central_derivative,
    complex_derivative,
    same_layout,
)

SMOOTH = {
    "sin": (np.sin, np.cos, 1.3),
    "exp": (np.exp, np.exp, -0.7),
    "reciprocal near its pole": (lambda t: 1 / t, lambda t: -1 / t**2, 0.05),
    "logarithm near zero": (np.log, lambda t: 1 / t, 0.01),
    "tenth power": (lambda t: t**10, lambda t: 10 * t**9, 2.0),
    "fast oscillation": (lambda t: np.sin(100 * t), lambda t: 100 * np.cos(100 * t), 0.4),
    "large constant": (lambda t: 1e4 + t, lambda t: 1.0, 0.4),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_central_differences_of_smooth_functions(name: str) -> None:
    function, derivative, at = SMOOTH[name]
    got = central_derivative(lambda t: np.array([function(at + t)]), np.array([function(at)]), 1e-6, 1e-4)
    assert got[0] == pytest.approx(derivative(at), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("offset", [0.0, 1e-9, -2e-7])
def test_a_kink_at_the_point_is_found(offset: float) -> None:
    with pytest.raises(KinkError, match="slopes from the left and from the right") as found:
        central_derivative(lambda t: np.array([abs(t - offset)]), np.array([abs(offset)]), 1e-6, 1e-4)
    assert (found.value.left < 0) == (found.value.right > 0)


@pytest.mark.parametrize("offset", [1e-4, 2e-4, -3e-4, 2.4e-4, 1e-5])
def test_a_kink_beside_the_point_does_not_disturb(offset: float) -> None:
    got = central_derivative(lambda t: np.array([abs(t - offset)]), np.array([abs(offset)]), 1e-6, 1e-4)
    assert got[0] == pytest.approx(-math.copysign(1.0, offset), abs=1e-7)


def test_a_jump_at_the_point_is_found() -> None:
    with pytest.raises(KinkError):
        central_derivative(lambda t: np.array([float(t >= 0)]), np.array([1.0]), 1e-6, 1e-4)


def test_complex_step_is_exact_to_rounding() -> None:
    got = complex_derivative(lambda t: np.array([cmath.exp(1.3 + t) / (1.3 + t)]))
    assert got[0] == pytest.approx(math.exp(1.3) * 0.3 / 1.3**2, rel=1e-14)


def test_complex_step_refuses_what_is_not_analytic() -> None:
    with pytest.raises(NotAnalyticError, match="drops the imaginary part of complex128"):
        complex_derivative(lambda t: np.array([abs(1.0 + t)]))

    def cast(t: complex) -> np.ndarray:
        return np.array([1.0 + t]).astype(np.float64)

    with pytest.raises(
        NotAnalyticError, match="method='central' is needed: function does not accept complex128"
    ):
        complex_derivative(cast)


def test_same_layout_keeps_strides_and_owns_its_memory() -> None:
    base = np.arange(24.0).reshape(4, 6)
    for array in (base.T, base[::-1, 1::2], np.broadcast_to(base[0], (3, 6)), np.array(2.0)):
        copied = same_layout(array)
        assert copied.strides == array.strides
        assert np.array_equal(copied, array)
        assert not np.shares_memory(copied, array)
