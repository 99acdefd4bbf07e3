"""What the global pooling contracts refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.global_pool2d import (
    global_average_pool2d_backward,
    global_average_pool2d_forward,
    global_max_pool2d_backward,
    global_max_pool2d_forward,
)

X = np.zeros((2, 3, 5, 4))
Y = np.zeros((2, 3, 1, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: global_average_pool2d_forward(X[0]), ValueError, "x must have 4 dimensions"),
        (lambda: global_average_pool2d_forward(X[:, :, :0]), ValueError, "a positive height and width"),
        (lambda: global_max_pool2d_forward(X[:, :0]), ValueError, "positive channels, height and width"),
        (lambda: global_max_pool2d_forward(X.astype(np.float16)), TypeError, "got float16"),
        (
            lambda: global_average_pool2d_backward(X, X.shape),
            ValueError,
            "shape (2, 3, 1, 1), got (2, 3, 5, 4)",
        ),
        (
            lambda: global_max_pool2d_backward(Y, np.full(Y.shape, -1), X.shape),
            ValueError,
            "indices must lie in [0, 20) for planes of (5, 4), got -1",
        ),
        (lambda: global_max_pool2d_backward(Y, Y, X.shape), TypeError, "indices must be an int64 array"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("version", kernels.versions("global_average_pool2d_forward", "reference"))
def test_the_average_is_complex_linear(version: str) -> None:
    x = np.arange(12.0).reshape(1, 2, 2, 3)
    with kernels.use(global_average_pool2d_forward=version, global_average_pool2d_backward=version):
        assert global_average_pool2d_forward(x + 2j * x).ravel().tolist() == [2.5 + 5j, 8.5 + 17j]
        grad = global_average_pool2d_backward(np.array([6 + 12j]).reshape(1, 1, 1, 1), (1, 1, 2, 3))
    assert np.all(grad == 1 + 2j)
