"""Local response normalisation's kernels: what the sample tables cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels.local_response_norm import local_response_norm_backward, local_response_norm_forward
from tests.kernels.sample import Draw

VERSIONS = kernels.versions("local_response_norm_forward", "reference")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_even_window_reaches_further_down(version: str) -> None:
    """By hand: size 2 looks at the channel itself and the one below it."""
    x = np.array([1.0, 2.0, 4.0]).reshape(1, 3, 1)
    with kernels.use(backend="reference", local_response_norm_forward=version):
        y = local_response_norm_forward(x, 2, 2.0, 1.0, 1.0)
    np.testing.assert_allclose(y.reshape(-1), [1 / (1 + 1), 2 / (1 + 1 + 4), 4 / (1 + 4 + 16)])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_scale_of_zero_is_nan_without_a_warning(version: str) -> None:
    zeros = np.zeros((1, 3, 2))
    with kernels.use(
        backend="reference", local_response_norm_forward=version, local_response_norm_backward=version
    ):
        assert np.isnan(local_response_norm_forward(zeros, 3, 1.0, 0.75, 0.0)).all()
        assert np.isnan(local_response_norm_backward(zeros, zeros, 3, 1.0, 0.75, 0.0)).all()


def test_complex_step_agrees_with_backward() -> None:
    draw = Draw(5)
    x, direction, upstream = draw.normal(2, 5, 3), draw.normal(2, 5, 3), draw.normal(2, 5, 3)
    stepped = local_response_norm_forward(x + 1e-30j * direction, 4, 1.5, 0.75, 1.2)
    grad_x = local_response_norm_backward(upstream, x, 4, 1.5, 0.75, 1.2)
    np.testing.assert_allclose(
        (stepped.imag / 1e-30 * upstream).sum(), (grad_x * direction).sum(), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("x", "numbers", "error", "message"),
    [
        (np.ones((2, 3)), (5, 1.0, 0.75, 1.0), ValueError, r"at least 3 dimensions .*, got shape \(2, 3\)"),
        (np.ones((2, 3, 1), int), (5, 1.0, 0.75, 1.0), TypeError, "must have dtype float32 or .*int64"),
        (np.ones((2, 3, 1)), (0, 1.0, 0.75, 1.0), ValueError, "size must be at least 1, got 0"),
        (np.ones((2, 3, 1)), (2.5, 1.0, 0.75, 1.0), TypeError, "size must be an integer, got 2.5"),
        (np.ones((2, 3, 1)), (5, "a", 0.75, 1.0), TypeError, "alpha must be a number, got 'a'"),
        (np.ones((2, 3, 1)), (5, 1.0, float("inf"), 1.0), ValueError, "beta must be finite, got inf"),
        (np.ones((2, 3, 1)), (5, 1.0, 0.75, None), TypeError, "k must be a number, got None"),
    ],
)
def test_refuses(x: np.ndarray, numbers: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        local_response_norm_forward(x, *numbers)
    with pytest.raises(error, match=message):
        local_response_norm_backward(x, x, *numbers)


def test_backward_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 3, 1\), got \(2, 3, 2\)"):
        local_response_norm_backward(np.ones((2, 3, 2)), np.ones((2, 3, 1)), 5, 1.0, 0.75, 1.0)
