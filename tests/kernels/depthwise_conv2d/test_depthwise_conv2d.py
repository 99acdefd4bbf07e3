"""The depthwise convolution's checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.depthwise_conv2d import (
    depthwise_conv2d_backward_bias,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
    depthwise_conv2d_forward,
    depthwise_conv2d_forward_activated,
)
from kernels.window import Window

WINDOW = Window.of((3, 2))
X, WEIGHT, DY = np.zeros((2, 3, 5, 6)), np.zeros((6, 1, 3, 2)), np.zeros((2, 6, 3, 5))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[0], WEIGHT, None, WINDOW), ValueError, "x must have 4 dimensions"),
        ((X[:, :, :0], WEIGHT, None, WINDOW), ValueError, "x must have positive channels, height and width"),
        (
            (X, WEIGHT[:5], None, WINDOW),
            ValueError,
            r"weight must have shape \(C \* M, 1, KH, KW\) for the 3 channels",
        ),
        ((X, np.zeros((6, 2, 3, 2)), None, WINDOW), ValueError, r"channels of x, got \(6, 2, 3, 2\)"),
        ((X, WEIGHT, np.zeros(3), WINDOW), ValueError, r"bias must have shape \(6,\), got \(3,\)"),
        ((X, WEIGHT, None, Window.of(2)), ValueError, r"kernel \(2, 2\) but weight needs \(3, 2\)"),
        ((X[:, :, :2], WEIGHT, None, WINDOW), ValueError, "input height 2 .* smaller than the window's"),
        (
            (X, WEIGHT.astype(np.float32), None, WINDOW),
            TypeError,
            "weight has dtype float32 but x has float64",
        ),
    ],
)
def test_forward_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        depthwise_conv2d_forward(*arguments)


@pytest.mark.parametrize(
    ("input_shape", "message"),
    [
        ((2, 3, 5), r"input_shape must be \(N, C, H, W\)"),
        ((2, 0, 5, 6), "input_shape must have positive channels, height and width"),
        ((2, 4, 5, 6), "for the 4 channels of input_shape"),
        ((2, 3, 6, 6), r"grad_output must have shape \(2, 6, 4, 5\)"),
    ],
)
def test_backward_input_refuses(input_shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        depthwise_conv2d_backward_input(DY, WEIGHT, input_shape, WINDOW)


@pytest.mark.parametrize(
    ("grad_output", "message"),
    [
        (DY[:, :4], "grad_output must have a multiple of x's 3 channels, got 4"),
        (DY[:1], r"grad_output must have shape \(2, 6, 3, 5\), got \(1, 6, 3, 5\)"),
        (DY[0], "grad_output must have 4 dimensions"),
    ],
)
def test_backward_weight_refuses(grad_output: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        depthwise_conv2d_backward_weight(grad_output, X, WINDOW)


def test_backward_bias_refuses_another_rank() -> None:
    with pytest.raises(ValueError, match="grad_output must have 4 dimensions"):
        depthwise_conv2d_backward_bias(DY[0])


@pytest.mark.parametrize("activation", ["gelu", None])
def test_an_activation_that_is_none_of_the_endings(activation: str | None) -> None:
    x, weight = np.ones((1, 2, 3, 3)), np.ones((2, 1, 1, 1))
    with pytest.raises(ValueError, match=r"activation must be"):
        depthwise_conv2d_forward_activated(x, weight, None, Window.of(1), activation)


def test_infinities_do_not_reach_taps_that_do_not_see_them() -> None:
    """The last column meets only the last tap of a row, although vectors reach past the rows' ends."""
    x = np.ones((1, 1, 4, 5), np.float32)
    x[..., -1] = np.inf
    grad_weight = depthwise_conv2d_backward_weight(np.ones((1, 1, 2, 3), np.float32), x, Window.of(3))
    assert np.array_equal(grad_weight[0, 0], [[6, 6, np.inf]] * 3)
