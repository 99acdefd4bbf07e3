"""What the adaptive pooling contracts refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.adaptive_pool2d import (
    adaptive_average_pool2d_backward,
    adaptive_average_pool2d_forward,
    adaptive_max_pool2d_backward,
    adaptive_max_pool2d_forward,
)
from tests.kernels.sample import Draw

X = np.zeros((2, 3, 5, 4))
Y = np.zeros((2, 3, 2, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: adaptive_average_pool2d_forward(X[0], (2, 2)), ValueError, "x must have 4 dimensions"),
        (
            lambda: adaptive_average_pool2d_forward(X[..., :0], (2, 2)),
            ValueError,
            "positive height and width",
        ),
        (
            lambda: adaptive_average_pool2d_forward(X, (2, -1)),
            ValueError,
            "output_size must be at least 0, got -1",
        ),
        (lambda: adaptive_average_pool2d_forward(X, (2.0, 1)), TypeError, "output_size must be an integer"),
        (lambda: adaptive_max_pool2d_forward(X[:, :0], (2, 2)), ValueError, "positive channels"),
        (lambda: adaptive_max_pool2d_forward(X.astype(complex), (2, 2)), TypeError, "got complex128"),
        (lambda: adaptive_average_pool2d_backward(Y[:1], X.shape), ValueError, "grad_output must have shape"),
        (
            lambda: adaptive_max_pool2d_backward(Y, np.full(Y.shape, 20), X.shape),
            ValueError,
            "indices must lie in [0, 20) for planes of (5, 4), got 20",
        ),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("version", kernels.versions("adaptive_average_pool2d_forward", "reference"))
def test_averages_are_complex_linear(version: str) -> None:
    draw = Draw(5)
    real, imaginary = draw.normal(2, 1, 7, 5), draw.normal(2, 1, 7, 5)
    with kernels.use(adaptive_average_pool2d_forward=version, adaptive_average_pool2d_backward=version):
        parts = [adaptive_average_pool2d_forward(x, (3, 4)) for x in (real, imaginary)]
        both = adaptive_average_pool2d_forward(real + 1j * imaginary, (3, 4))
        np.testing.assert_allclose(both, parts[0] + 1j * parts[1], rtol=1e-13, atol=1e-14)
        grads = [adaptive_average_pool2d_backward(y, real.shape) for y in parts]
        grad = adaptive_average_pool2d_backward(both, real.shape)
    np.testing.assert_allclose(grad, grads[0] + 1j * grads[1], rtol=1e-13, atol=1e-14)
