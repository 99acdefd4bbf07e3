"""The transposed convolution's checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.conv_transpose2d import (
    conv_transpose2d_backward_bias,
    conv_transpose2d_backward_input,
    conv_transpose2d_backward_weight,
    conv_transpose2d_forward,
)
from kernels.window import Window

WINDOW = Window.of((3, 2), (2, 3))
X, WEIGHT, DY = np.zeros((2, 4, 3, 5)), np.zeros((4, 3, 3, 2)), np.zeros((2, 6, 7, 14))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[0], WEIGHT, None, WINDOW, 2, (0, 0)), ValueError, "x must have 4 dimensions"),
        ((X[:, :, :0], WEIGHT, None, WINDOW, 2, (0, 0)), ValueError, "x must have positive channels, height"),
        (
            (X, WEIGHT[:2], None, WINDOW, 2, (0, 0)),
            ValueError,
            r"x has 4 channels but weight \(2, .* needs 2",
        ),
        (
            (X, WEIGHT, None, WINDOW, 3, (0, 0)),
            ValueError,
            "groups must divide the 4 channels of weight, got 3",
        ),
        ((X, WEIGHT, np.zeros(3), WINDOW, 2, (0, 0)), ValueError, r"bias must have shape \(6,\), got \(3,\)"),
        (
            (X, WEIGHT, None, Window.of(3), 2, (0, 0)),
            ValueError,
            r"kernel \(3, 3\) but weight needs \(3, 2\)",
        ),
        ((X, WEIGHT, None, WINDOW, 2, (2, 0)), ValueError, r"output_padding must be below .* got \(2, 0\)"),
        ((X, WEIGHT, None, WINDOW, 2, (0, -1)), ValueError, "output_padding must be at least 0, got -1"),
        ((X, WEIGHT, None, WINDOW, 2, (0, 0.5)), TypeError, "output_padding must be an integer, got 0.5"),
        (
            (X, WEIGHT, None, Window.of((3, 2), (2, 3), (4, 0)), 2, (0, 0)),
            ValueError,
            r"output would have size \(-1, 14\); it needs >= 1",
        ),
        ((X, WEIGHT.astype(np.float32), None, WINDOW, 2, (0, 0)), TypeError, "weight has dtype float32"),
    ],
)
def test_forward_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        conv_transpose2d_forward(*arguments)


@pytest.mark.parametrize(
    ("grad_output", "input_shape", "message"),
    [
        (DY, (4, 3, 5), r"input_shape must be \(N, C, H, W\)"),
        (DY, (2, 5, 3, 5), "input_shape must have 4 channels and a positive height and width"),
        (DY[:, :5], X.shape, "grad_output has 5 channels but weight"),
        (DY[:1], X.shape, r"grad_output must have shape \(2, 6, 7, 14\), got \(1, 6, 7, 14\)"),
        (DY[:, :, :6], X.shape, r"grad_output must have a size from \(7, 14\) to \(8, 16\) .* got \(6, 14\)"),
    ],
)
def test_backward_input_refuses(grad_output: np.ndarray, input_shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conv_transpose2d_backward_input(grad_output, WEIGHT, input_shape, WINDOW, 2)


@pytest.mark.parametrize(
    ("grad_output", "groups", "message"),
    [
        (DY, 3, "groups must divide the 4 channels of x, got 3"),
        (DY[:, :5], 2, "groups must divide the 5 channels of grad_output, got 2"),
        (DY[:, :, :, :13], 2, r"grad_output must have a size from \(7, 14\) to \(8, 16\)"),
    ],
)
def test_backward_weight_refuses(grad_output: np.ndarray, groups: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conv_transpose2d_backward_weight(grad_output, X, WINDOW, groups)


def test_backward_bias_refuses_another_rank() -> None:
    with pytest.raises(ValueError, match="grad_output must have 4 dimensions"):
        conv_transpose2d_backward_bias(DY[0])
