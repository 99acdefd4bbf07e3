"""What the pooling contracts refuse, and what their edge contracts promise beyond PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.pool2d import (
    average_pool2d_backward,
    average_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from kernels.window import Window
from tests.kernels.sample import Draw
from tests.kernels.tables import host_versions

X = np.zeros((2, 3, 5, 4))
TILES = Window.of(2, 2)
Y = np.zeros((2, 3, 2, 2))
INDICES = np.zeros((2, 3, 2, 2), np.int64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: max_pool2d_forward(X[0], TILES),
            ValueError,
            "x must have 4 dimensions, got shape (3, 5, 4)",
        ),
        (lambda: max_pool2d_forward(X[:, :0], TILES), ValueError, "positive channels, height and width"),
        (lambda: max_pool2d_forward(X[..., :0], Window.of(2, 2, 1)), ValueError, "got shape (2, 3, 5, 0)"),
        (lambda: max_pool2d_forward(X, Window.of(2, 2, (1, 2))), ValueError, "half of kernel_size (2, 2)"),
        (lambda: max_pool2d_forward(X, Window.of(3, 1, 2, 2)), ValueError, "half of kernel_size (3, 3)"),
        (lambda: max_pool2d_forward(X, Window.of((2, 5))), ValueError, "input width 4 with padding 0 + 0"),
        (lambda: max_pool2d_forward(X.astype(int), TILES), TypeError, "x must have dtype float32 or float64"),
        (lambda: max_pool2d_forward(X.astype(complex), TILES), TypeError, "got complex128"),
        (
            lambda: max_pool2d_backward(Y, INDICES[:1], X.shape, TILES),
            ValueError,
            "indices must have shape (2, 3, 2, 2), got (1, 3, 2, 2)",
        ),
        (
            lambda: max_pool2d_backward(Y, INDICES + 20, X.shape, TILES),
            ValueError,
            "indices must lie in [-1, 20) for planes of (5, 4), got 20",
        ),
        (lambda: max_pool2d_backward(Y, INDICES - 2, X.shape, TILES), ValueError, "[-1, 20)"),
        (
            lambda: max_pool2d_backward(Y, INDICES.astype(np.int32), X.shape, TILES),
            TypeError,
            "indices must be an int64 array, got int32",
        ),
        (
            lambda: max_pool2d_backward(Y[:, :2], INDICES, X.shape, TILES),
            ValueError,
            "grad_output must have shape (2, 3, 2, 2), got (2, 2, 2, 2)",
        ),
        (
            lambda: max_pool2d_backward(Y, INDICES, (3, 5, 4), TILES),
            ValueError,
            "input_shape must be (N, C, H, W), got (3, 5, 4)",
        ),
        (
            lambda: average_pool2d_forward(X, Window.of(2, 2, 0, 2), True, None),
            ValueError,
            "average pooling needs dilation (1, 1), got (2, 2)",
        ),
        (lambda: average_pool2d_forward(X, TILES, True, 0), ValueError, "divisor_override must not be 0"),
        (
            lambda: average_pool2d_forward(X, TILES, True, 1.5),
            TypeError,
            "divisor_override must be an integer",
        ),
        (
            lambda: average_pool2d_forward(X, Window.of(2, 2, 2), True, None),
            ValueError,
            "got ((2, 2), (2, 2))",
        ),
        (
            lambda: average_pool2d_backward(Y[..., :1], X.shape, TILES, True, None),
            ValueError,
            "grad_output must have shape (2, 3, 2, 2), got (2, 3, 2, 1)",
        ),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize("version", host_versions("max_pool2d_forward"))
def test_a_window_that_sees_nothing(version: str) -> None:
    """Every tap in the padding: -inf and index -1 (PyTorch's index points outside the plane)."""
    window = Window.of(2, 1, 1, 2)
    with kernels.use(max_pool2d_forward=version):
        y, indices = max_pool2d_forward(np.array([[[[-3.0]]]]), window)
    assert y == -np.inf
    assert indices == -1
    assert max_pool2d_backward(np.ones((1, 1, 1, 1)), indices, (1, 1, 1, 1), window) == 0


@pytest.mark.parametrize("version", host_versions("max_pool2d_backward"))
def test_a_window_sends_nothing_to_elements_beyond_it(version: str) -> None:
    """In image i element i - 1 wins everywhere: only the windows around it pass their gradient."""
    size, window = (4, 5), Window.of(3, 2, 1)
    outputs = window.output_size(size)
    grad_output = np.random.default_rng(2).standard_normal((21, 1, *outputs))
    indices = np.broadcast_to(np.arange(-1, 20)[:, None, None, None], grad_output.shape)
    expected = np.zeros((21, 1, *size))
    for h, w, p, q in np.ndindex(*size, *outputs):
        if abs(2 * p - h) <= 1 and abs(2 * q - w) <= 1:
            element = h * 5 + w
            expected[element + 1, 0, h, w] += grad_output[element + 1, 0, p, q]
    with kernels.use(max_pool2d_backward=version):
        grad = max_pool2d_backward(grad_output, indices, expected.shape, window)
    np.testing.assert_allclose(grad, expected, rtol=1e-14)


def test_a_tie_sends_its_gradient_to_the_first_maximum() -> None:
    x = np.array([[[[1.0, 5.0, 5.0], [5.0, 5.0, 2.0]]]])
    for version in host_versions("max_pool2d_forward"):
        with kernels.use(max_pool2d_forward=version):
            indices = max_pool2d_forward(x, Window.of(2, 1))[1]
        assert indices.tolist() == [[[[1, 1]]]]
        grad = max_pool2d_backward(np.array([[[[2.0, 3.0]]]]), indices, x.shape, Window.of(2, 1))
        assert grad.tolist() == [[[[0, 5, 0], [0, 0, 0]]]]


@pytest.mark.parametrize("version", kernels.versions("average_pool2d_forward", "reference"))
def test_averages_are_complex_linear(version: str) -> None:
    """A complex step passes through unchanged, in both directions."""
    draw = Draw(5)
    real, imaginary = draw.normal(2, 3, 6, 5), draw.normal(2, 3, 6, 5)
    options = (Window.of((3, 2), 2, 1, ceil_mode=True), False, None)
    with kernels.use(average_pool2d_forward=version, average_pool2d_backward=version):
        parts = [average_pool2d_forward(x, *options) for x in (real, imaginary)]
        both = average_pool2d_forward(real + 1j * imaginary, *options)
        np.testing.assert_allclose(both, parts[0] + 1j * parts[1], rtol=1e-13, atol=1e-14)
        grads = [average_pool2d_backward(y, real.shape, *options) for y in parts]
        grad = average_pool2d_backward(both, real.shape, *options)
    np.testing.assert_allclose(grad, grads[0] + 1j * grads[1], rtol=1e-13, atol=1e-14)
