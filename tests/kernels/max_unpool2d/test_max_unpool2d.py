"""What the max unpooling contracts refuse, and what follows from their definition."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.max_unpool2d import max_unpool2d_backward, max_unpool2d_forward

X = np.zeros((2, 3, 2, 2))
INDICES = np.zeros((2, 3, 2, 2), np.int64)
Y = np.zeros((2, 3, 5, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: max_unpool2d_forward(X[0], INDICES, (5, 4)), ValueError, "x must have 4 dimensions"),
        (lambda: max_unpool2d_forward(X[:, :0], INDICES, (5, 4)), ValueError, "positive channels"),
        (
            lambda: max_unpool2d_forward(X, INDICES[:1], (5, 4)),
            ValueError,
            "indices must have shape (2, 3, 2, 2)",
        ),
        (
            lambda: max_unpool2d_forward(X, INDICES, (0, 4)),
            ValueError,
            "output_size must be at least 1, got 0",
        ),
        (
            lambda: max_unpool2d_forward(X, INDICES + 20, (5, 4)),
            ValueError,
            "indices must lie in [0, 20) for planes of (5, 4), got 20",
        ),
        (lambda: max_unpool2d_forward(X, INDICES - 1, (5, 4)), ValueError, "got -1"),
        (lambda: max_unpool2d_forward(X, INDICES.astype(float), (5, 4)), TypeError, "got float64"),
        (lambda: max_unpool2d_backward(Y[0], INDICES), ValueError, "grad_output must have 4 dimensions"),
        (lambda: max_unpool2d_backward(Y, INDICES[0]), ValueError, "indices must have 4 dimensions"),
        (lambda: max_unpool2d_backward(Y, INDICES[:1]), ValueError, "indices must have shape (2, 3, 2, 2)"),
        (lambda: max_unpool2d_backward(Y, INDICES + 20), ValueError, "indices must lie in [0, 20)"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("version", kernels.versions("max_unpool2d_forward", "reference"))
def test_unpooling_is_complex_linear(version: str) -> None:
    x = np.array([[[[1 + 2j, 3 - 1j]]]])
    indices = np.array([[[[3, 0]]]])
    with kernels.use(max_unpool2d_forward=version, max_unpool2d_backward=version):
        y = max_unpool2d_forward(x, indices, (2, 2))
        assert y.tolist() == [[[[3 - 1j, 0], [0, 1 + 2j]]]]
        assert np.array_equal(max_unpool2d_backward(y, indices), x)
