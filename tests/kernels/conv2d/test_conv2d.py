"""The convolution's checks, and what no sample can say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import kernels
from kernels import columns
from kernels.conv2d import (
    conv2d_backward_bias,
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
)
from kernels.window import Window
from tests.kernels.sample import Draw

WINDOW = Window.of((3, 2))


def x(*shape: int) -> np.ndarray:
    return np.zeros(shape or (2, 4, 5, 6))


def weight(*shape: int) -> np.ndarray:
    return np.zeros(shape or (6, 2, 3, 2))


def dy(*shape: int) -> np.ndarray:
    return np.zeros(shape or (2, 6, 3, 5))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (x(4, 5, 6), weight(), None, WINDOW, 2),
            ValueError,
            r"x must have 4 dimensions, got shape \(4, 5, 6\)",
        ),
        (
            (x(2, 4, 0, 6), weight(), None, WINDOW, 2),
            ValueError,
            "x must have positive channels, height and width",
        ),
        ((x(), weight(6, 2, 3), None, WINDOW, 2), ValueError, "weight must have 4 dimensions"),
        ((x(), weight(0, 2, 3, 2), None, WINDOW, 2), ValueError, "weight must not be empty"),
        ((x(), weight(), None, WINDOW, 4), ValueError, "groups must divide the 6 channels of weight, got 4"),
        ((x(), weight(), None, WINDOW, 0), ValueError, "groups must be at least 1, got 0"),
        ((x(), weight(), None, WINDOW, 1.0), TypeError, "groups must be an integer, got 1.0"),
        ((x(), weight(), None, WINDOW, 1), ValueError, r"x has 4 channels but weight .* groups=1 needs 2"),
        ((x(), weight(), None, (3, 2), 2), TypeError, "window must be a kernels.Window, got tuple"),
        (
            (x(), weight(), None, Window.of((2, 3)), 2),
            ValueError,
            r"kernel \(2, 3\) but weight needs \(3, 2\)",
        ),
        ((x(), weight(), None, Window.of((3, 2), ceil_mode=True), 2), ValueError, "must not have ceil_mode"),
        ((x(), weight(), np.zeros(5), WINDOW, 2), ValueError, r"bias must have shape \(6,\), got \(5,\)"),
        (
            (x(2, 4, 2, 6), weight(), None, WINDOW, 2),
            ValueError,
            "input height 2 .* smaller than the window's",
        ),
        (
            (x(), weight().astype(np.float32), None, WINDOW, 2),
            TypeError,
            "weight has dtype float32 but x has",
        ),
        ((x().astype(int), weight(), None, WINDOW, 2), TypeError, "x must have dtype float32 or float64"),
        (([[1.0]], weight(), None, WINDOW, 2), TypeError, "x must be an array, got list"),
    ],
)
def test_forward_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        conv2d_forward(*arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((dy(), weight(), (4, 5, 6), WINDOW, 2), ValueError, r"input_shape must be \(N, C, H, W\), got"),
        ((dy(), weight(), (2, 5, 5, 6), WINDOW, 2), ValueError, "input_shape has 5 channels but weight"),
        ((dy(), weight(), (2, 4, 0, 6), WINDOW, 2), ValueError, "input_shape must have a positive height"),
        (
            (dy(), weight(), (2, 4, 6, 6), WINDOW, 2),
            ValueError,
            r"grad_output must have shape \(2, 6, 4, 5\)",
        ),
        ((dy(), weight(), (2, 4, 5.0, 6), WINDOW, 2), TypeError, "input_shape must be an integer, got 5.0"),
        ((dy(2, 6, 3), weight(), (2, 4, 5, 6), WINDOW, 2), ValueError, "grad_output must have 4 dimensions"),
    ],
)
def test_backward_input_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        conv2d_backward_input(*arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((dy(), x(), WINDOW, 3), ValueError, "groups must divide the 4 channels of x, got 3"),
        ((dy(2, 5, 3, 5), x(), WINDOW, 2), ValueError, "groups must divide the 5 channels of grad_output"),
        ((dy(3, 6, 3, 5), x(), WINDOW, 2), ValueError, r"grad_output must have shape \(2, 6, 3, 5\)"),
        ((dy(2, 6, 5, 3), x(), WINDOW, 2), ValueError, r"grad_output must have shape \(2, 6, 3, 5\)"),
        ((dy(), x(), None, 2), TypeError, "window must be a kernels.Window, got NoneType"),
    ],
)
def test_backward_weight_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        conv2d_backward_weight(*arguments)


def test_backward_bias_refuses_another_rank() -> None:
    with pytest.raises(ValueError, match="grad_output must have 4 dimensions"):
        conv2d_backward_bias(dy(2, 6))


@pytest.mark.parametrize("version", kernels.versions("conv2d_forward", "reference"))
def test_complex_step(version: str) -> None:
    """The formula is linear in x, also in complex numbers: Im f(x + i h v) / h = f(v)."""
    draw = Draw(3)
    values, direction, filters = draw.normal(1, 2, 5, 4), draw.normal(1, 2, 5, 4), draw.normal(3, 2, 3, 2)
    with kernels.use(backend="reference", conv2d_forward=version):
        stepped = conv2d_forward(values + 1e-20j * direction, filters.astype(complex), None, WINDOW, 1)
        derivative = conv2d_forward(direction, filters, None, WINDOW, 1)
    np.testing.assert_allclose(stepped.imag / 1e-20, derivative, rtol=1e-12, atol=1e-14)


def test_columns_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose columns would be too many is cut up; five samples in pieces of two give the same."""
    draw = Draw(4)
    values, filters, upstream = draw.normal(5, 4, 5, 6), draw.normal(6, 2, 3, 2), draw.normal(5, 6, 3, 5)

    def results() -> list[np.ndarray]:
        return [
            conv2d_forward(values, filters, None, WINDOW, 2),
            conv2d_backward_input(upstream, filters, values.shape, WINDOW, 2),
            conv2d_backward_weight(upstream, values, WINDOW, 2),
        ]

    with kernels.use(backend="reference"):
        whole = results()
        monkeypatch.setattr(columns, "COLUMN_ELEMENTS", 2 * 4 * 3 * 2 * 3 * 5)
        pieces = [(p.start, p.stop) for p in columns.batch_pieces(values.shape, WINDOW, (3, 5))]
        assert pieces == [(0, 2), (2, 4), (4, 5)]
        for cut, complete in zip(results(), whole, strict=True):
            np.testing.assert_allclose(cut, complete, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((weight(), (2, 5, 5, 6), WINDOW, 2), ValueError, "input_shape has 5 channels but weight"),
        ((weight(), (2, 4, 2, 6), WINDOW, 2), ValueError, "input height 2 .* smaller than the window's"),
        ((weight(), (2, 4, 5, 6), WINDOW, 4), ValueError, "groups must divide the 6 channels of weight"),
        ((weight().astype(int), (2, 4, 5, 6), WINDOW, 2), TypeError, "weight must have dtype float32"),
    ],
)
def test_prepare_weight_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        conv2d_prepare_weight(*arguments)


PREPARED = conv2d_prepare_weight(weight(), (2, 4, 5, 6), WINDOW, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((x(), weight(), None, WINDOW, 2, None), TypeError, "must be a kernels.PreparedWeight, got ndarray"),
        (
            (x(), replace(PREPARED, operation="linear"), None, WINDOW, 2, None),
            ValueError,
            "prepared must be a weight of conv2d, got one of linear",
        ),
        (
            (x(), PREPARED, None, WINDOW, 1, None),
            ValueError,
            "made for the same window and groups: it is for .* 2",
        ),
        ((x(), PREPARED, None, Window.of((3, 2), 2), 2, None), ValueError, "the call has .*stride"),
        ((x(2, 6, 5, 6), PREPARED, None, WINDOW, 2, None), ValueError, "x has 6 channels but weight"),
        ((x().astype(np.float32), PREPARED, None, WINDOW, 2, None), TypeError, "prepared has dtype float64"),
        ((x(), PREPARED, np.zeros(5), WINDOW, 2, None), ValueError, "bias must have shape"),
        ((x(2, 4, 2, 6), PREPARED, None, WINDOW, 2, None), ValueError, "smaller than the window's"),
        ((x(), PREPARED, None, WINDOW, 2, "swish"), ValueError, "activation must be None or one of relu,"),
        ((x(), PREPARED, None, WINDOW, 2, 1), ValueError, "activation must be None or one of relu,"),
        ((x(), PREPARED, None, None, 2, None), TypeError, "window must be a kernels.Window"),
        ((x().tolist(), PREPARED, None, WINDOW, 2, None), TypeError, "x must be an array, got list"),
        ((x(), PREPARED, np.zeros(6, np.float32), WINDOW, 2, None), TypeError, "bias has dtype float32"),
        ((x(), PREPARED, [0.0] * 6, WINDOW, 2, None), TypeError, "bias must be an array, got list"),
    ],
)
def test_forward_prepared_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    """Also after a call of the same shapes that was in order."""
    conv2d_forward_prepared(x(), PREPARED, np.zeros(6), WINDOW, 2, None)
    with pytest.raises(error, match=message):
        conv2d_forward_prepared(*arguments)


def test_a_weight_remembers_a_bounded_number_of_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.prepared.MOST_ACCEPTED", 2)
    prepared = conv2d_prepare_weight(weight(), (1, 4, 5, 6), WINDOW, 2)
    for batch in (1, 2, 3, 1):
        conv2d_forward_prepared(x(batch, 4, 5, 6), prepared, None, WINDOW, 2, None)
    assert prepared.accepted == {(1, 4, 5, 6), (2, 4, 5, 6)}


def test_complex_numbers_have_no_activations() -> None:
    values, filters = x().astype(np.complex128), weight().astype(np.complex128)
    prepared = conv2d_prepare_weight(filters, values.shape, WINDOW, 2)
    conv2d_forward_prepared(values, prepared, None, WINDOW, 2, None)
    with pytest.raises(TypeError, match="x must have dtype float32 or float64, got complex128"):
        conv2d_forward_prepared(values, prepared, None, WINDOW, 2, "relu")


@pytest.mark.parametrize("activation", [None, "relu", "silu"])
def test_a_prepared_weight_runs_on_other_sizes_and_backends(activation: str | None) -> None:
    draw = Draw(5)
    filters, offsets = draw.normal(6, 2, 3, 2), draw.normal(6)
    prepared = conv2d_prepare_weight(filters, (2, 4, 5, 6), WINDOW, 2)
    for size in ((1, 4, 5, 6), (3, 4, 9, 4), (0, 4, 5, 6)):
        values = draw.normal(*size)
        got = conv2d_forward_prepared(values, prepared, offsets, WINDOW, 2, activation)
        with kernels.use(backend="reference"):
            want = conv2d_forward_prepared(values, prepared, offsets, WINDOW, 2, activation)
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13)
