"""The locally connected layer's checks, and what no sample can say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels import columns
from kernels.conv2d import conv2d_forward
from kernels.locally_connected2d import (
    locally_connected2d_backward_bias,
    locally_connected2d_backward_input,
    locally_connected2d_backward_weight,
    locally_connected2d_forward,
)
from kernels.window import Window
from tests.kernels.sample import Draw

WINDOW = Window.of((3, 2))


def x(*shape: int) -> np.ndarray:
    return np.zeros(shape or (2, 4, 5, 6))


def weight(*shape: int) -> np.ndarray:
    return np.zeros(shape or (3, 5, 6, 4, 3, 2))


def dy(*shape: int) -> np.ndarray:
    return np.zeros(shape or (2, 6, 3, 5))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (x(4, 5, 6), weight(), None, WINDOW),
            ValueError,
            r"x must have 4 dimensions, got shape \(4, 5, 6\)",
        ),
        (
            (x(2, 4, 0, 6), weight(), None, WINDOW),
            ValueError,
            "x must have positive channels, height and width",
        ),
        ((x(), weight(6, 4, 3, 2), None, WINDOW), ValueError, "weight must have 6 dimensions"),
        ((x(), weight(3, 5, 0, 4, 3, 2), None, WINDOW), ValueError, "weight must not be empty"),
        ((x(2, 3, 5, 6), weight(), None, WINDOW), ValueError, r"x has 3 channels but weight .* needs 4"),
        ((x(2, 4, 6, 6), weight(), None, WINDOW), ValueError, r"has \(4, 5\) positions .* is for \(3, 5\)"),
        ((x(2, 4, 2, 6), weight(), None, WINDOW), ValueError, "input height 2 .* smaller than the window's"),
        ((x(), weight(), None, (3, 2)), TypeError, "window must be a kernels.Window, got tuple"),
        ((x(), weight(), None, Window.of((2, 3))), ValueError, r"kernel \(2, 3\) but weight needs \(3, 2\)"),
        ((x(), weight(), None, Window.of((3, 2), ceil_mode=True)), ValueError, "must not have ceil_mode"),
        ((x(), weight(), np.zeros(6), WINDOW), ValueError, r"bias must have shape \(6, 3, 5\), got \(6,\)"),
        ((x(), weight().astype("f4"), None, WINDOW), TypeError, "weight has dtype float32 but x has float64"),
        (([[1.0]], weight(), None, WINDOW), TypeError, "x must be an array, got list"),
    ],
)
def test_forward_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        locally_connected2d_forward(*arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((dy(), weight(), (4, 5, 6), WINDOW), ValueError, r"input_shape must be \(N, C, H, W\), got"),
        ((dy(), weight(), (2, 4, 0, 6), WINDOW), ValueError, "input_shape must have positive channels"),
        ((dy(), weight(), (2, 4, 6, 6), WINDOW), ValueError, r"has \(4, 5\) positions .* is for \(3, 5\)"),
        ((dy(), weight(), (2, 4, 5.0, 6), WINDOW), TypeError, "input_shape must be an integer, got 5.0"),
        ((dy(2, 6, 5, 3), weight(), (2, 4, 5, 6), WINDOW), ValueError, "grad_output must have shape"),
        ((dy(2, 6, 3), weight(), (2, 4, 5, 6), WINDOW), ValueError, "grad_output must have 4 dimensions"),
    ],
)
def test_backward_input_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        locally_connected2d_backward_input(*arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((dy(3, 6, 3, 5), x(), WINDOW), ValueError, r"grad_output must have shape \(2, 6, 3, 5\)"),
        ((dy(2, 6, 5, 3), x(), WINDOW), ValueError, r"grad_output must have shape \(2, 6, 3, 5\)"),
        ((dy(2, 0, 3, 5), x(), WINDOW), ValueError, "grad_output must have positive channels"),
        ((dy(), x(), None), TypeError, "window must be a kernels.Window, got NoneType"),
    ],
)
def test_backward_weight_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        locally_connected2d_backward_weight(*arguments)


def test_backward_bias_refuses_another_rank() -> None:
    with pytest.raises(ValueError, match="grad_output must have 4 dimensions"):
        locally_connected2d_backward_bias(dy(2, 6))


def test_equal_filters_everywhere_are_a_convolution() -> None:
    draw, window = Draw(1), Window.of((3, 2), (1, 2), (1, 0))
    values, filters, offsets = draw.normal(2, 3, 5, 6), draw.normal(4, 3, 3, 2), draw.normal(4)
    shared = np.broadcast_to(filters, (5, 3, *filters.shape))
    biases = np.broadcast_to(offsets[:, None, None], (4, 5, 3))
    got = locally_connected2d_forward(values, shared, biases, window)
    np.testing.assert_allclose(
        got, conv2d_forward(values, filters, offsets, window, 1), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("version", kernels.versions("locally_connected2d_forward", "reference"))
def test_complex_step(version: str) -> None:
    """The formula is linear in x, also in complex numbers: Im f(x + i h v) / h = f(v)."""
    draw = Draw(3)
    values, direction = draw.normal(1, 2, 5, 4), draw.normal(1, 2, 5, 4)
    filters = draw.normal(3, 3, 3, 2, 3, 2)
    with kernels.use(backend="reference", locally_connected2d_forward=version):
        stepped = locally_connected2d_forward(
            values + 1e-20j * direction, filters.astype(complex), None, WINDOW
        )
        derivative = locally_connected2d_forward(direction, filters, None, WINDOW)
    np.testing.assert_allclose(stepped.imag / 1e-20, derivative, rtol=1e-12, atol=1e-14)


def test_batches_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose patches would be too many is cut up; five samples in pieces of two give the same."""
    draw = Draw(4)
    values, filters, upstream = draw.normal(5, 4, 5, 6), draw.normal(*weight().shape), draw.normal(5, 6, 3, 5)

    def results() -> list[np.ndarray]:
        return [
            locally_connected2d_forward(values, filters, None, WINDOW),
            locally_connected2d_backward_input(upstream, filters, values.shape, WINDOW),
            locally_connected2d_backward_weight(upstream, values, WINDOW),
        ]

    with kernels.use(backend="reference"):
        whole = results()
        monkeypatch.setattr(columns, "COLUMN_ELEMENTS", 2 * 4 * 3 * 2 * 3 * 5)
        for cut, complete in zip(results(), whole, strict=True):
            np.testing.assert_allclose(cut, complete, rtol=1e-12, atol=1e-13)
