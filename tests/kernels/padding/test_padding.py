"""Padding's kernels: what the sample tables cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.padding import pad_backward, pad_forward
from tests.kernels.sample import Draw


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, np.complex128])
def test_every_dtype_is_carried(dtype: Any) -> None:
    x = np.array([[1, 0, 1]], dtype)
    y = pad_forward(x, ((2, -1),), "constant", 1)
    assert y.dtype == dtype
    assert y.tolist() == [[1, 1, 1, 0]]
    assert pad_forward(x, ((2, 1),), "reflect", 0).tolist() == [[1, 0, 1, 0, 1, 0]]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
def test_backward_is_the_adjoint_on_complex_arrays(mode: str) -> None:
    """<dy, pad(x)> = <pad_backward(dy), x> without conjugation, as complex-step checks need."""
    draw, padding = Draw(3), ((2, -1), (1, 3))
    x = draw.normal(2, 4, 5) + 1j * draw.normal(2, 4, 5)
    y = pad_forward(x, padding, mode, 0.0)
    upstream = draw.normal(*y.shape) + 1j * draw.normal(*y.shape)
    np.testing.assert_allclose((upstream * y).sum(), (pad_backward(upstream, padding, mode) * x).sum())


@pytest.mark.parametrize(
    ("x", "padding", "mode", "value", "error", "message"),
    [
        (
            np.ones((2, 3)),
            ((1, 1),),
            "wrap",
            0,
            ValueError,
            "one of constant, reflect, replicate, got 'wrap'",
        ),
        (np.ones(3), ((1, 1), (1, 1)), "constant", 0, ValueError, r"for 2 axes, but x has shape \(3,\)"),
        (
            np.ones(3),
            ((1, 1, 1),),
            "constant",
            0,
            ValueError,
            r"one \(before, after\) per axis, got \(\(1, 1, 1",
        ),
        (np.ones(3), (1, 1), "constant", 0, ValueError, r"one \(before, after\) per axis, got \(1, 1\)"),
        (np.ones(3), ((1.0, 1),), "constant", 0, TypeError, "padding must be an integer, got 1.0"),
        (
            np.ones(3),
            ((-2, -2),),
            "constant",
            0,
            ValueError,
            r"\(-2, -2\) on axis 0 .* crops more than the 3",
        ),
        (np.ones(3), ((-4, 5),), "constant", 0, ValueError, "crops more than the 3 elements there are"),
        (
            np.ones((1, 3)),
            ((3, 0),),
            "reflect",
            0,
            ValueError,
            r"\(3, 0\) on axis 1 .* less than the length 3",
        ),
        (np.ones((1, 3)), ((-1, -2),), "replicate", 0, ValueError, "needs a length of at least 1"),
        (np.ones((1, 0)), ((1, 1),), "reflect", 0, ValueError, "needs a length of at least 1"),
        (np.ones((1, 3)), ((1, 1),), "reflect", 1, ValueError, "value must be 0 in mode reflect, .* got 1"),
        (np.ones(3), ((1, 1),), "constant", "a", TypeError, "a number that float64 can hold, got 'a'"),
        (np.ones(3), ((1, 1),), "constant", 1j, TypeError, "a number that float64 can hold, got 1j"),
        (np.ones(3, int), ((1, 1),), "constant", 1.5, TypeError, "a number that int64 can hold, got 1.5"),
        (np.ones(3, np.uint8), ((1, 1),), "constant", 300, ValueError, "within the range of uint8, got 300"),
        (np.array(["a"]), ((1, 1),), "constant", 0, TypeError, "x must have one of the dtypes"),
        ([1.0], ((1, 1),), "constant", 0, TypeError, "x must be an array, got list"),
    ],
)
def test_forward_refuses(
    x: Any, padding: Any, mode: str, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        pad_forward(x, padding, mode, value)


@pytest.mark.parametrize(
    ("grad_output", "padding", "mode", "error", "message"),
    [
        (np.ones(3), ((2, 2),), "constant", ValueError, r"\(3,\) is smaller than its padding"),
        (np.ones(3), ((2, 0),), "reflect", ValueError, "must be less than the length 1"),
        (np.ones(3), ((1, 1), (0, 0)), "constant", ValueError, "for 2 axes, but grad_output has shape"),
        (np.ones(3, int), ((1, 1),), "constant", TypeError, "grad_output must have dtype float32 or"),
        (np.ones(3), ((1, 1),), "edge", ValueError, "mode must be one of constant, reflect, replicate"),
    ],
)
def test_backward_refuses(
    grad_output: Any, padding: Any, mode: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        pad_backward(grad_output, padding, mode)
