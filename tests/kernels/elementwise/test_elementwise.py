"""What the samples cannot say: refusals, complex numbers, silence, and that a result is a new array."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from kernels import elementwise
from kernels.registry import contract

ONE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("operation", "arguments", "error", "message"),
    [
        ("add", (ONE, np.ones((2, 4))), ValueError, "a (2, 3) and b (2, 4) do not broadcast"),
        ("add", (ONE, np.ones(3, np.float32)), TypeError, "b has dtype float32 but a has float64"),
        ("add", (ONE, 1.0), TypeError, "b must be an array, got float"),
        ("add", ([1.0], ONE), TypeError, "a must be an array, got list"),
        ("multiply", (ONE.astype(np.float16), ONE), TypeError, "a must have one of the dtypes"),
        ("subtract", (ONE > 0, ONE > 0), TypeError, "got bool"),
        ("divide", (np.array([1]), np.array([2])), TypeError, "got int64"),
        ("floor_divide", (np.array([1, 2]), np.array([2, 0])), ValueError, "b holds a 0"),
        ("remainder", (np.array([1, 2]), np.array([2, 0])), ValueError, "b holds a 0"),
        ("power", (np.array([2]), np.array([-1])), ValueError, "b holds a negative exponent"),
        ("maximum", (ONE.astype(complex), ONE.astype(complex)), TypeError, "got complex128"),
        ("absolute", (ONE.astype(complex),), TypeError, "x must have one of the dtypes"),
        ("exponential", (np.array([1]),), TypeError, "got int64"),
        ("where", (ONE, ONE, ONE), TypeError, "condition must have one of the dtypes bool, got float64"),
        ("where", (ONE[:, :2] > 0, ONE, ONE), ValueError, "condition (2, 2) and a (2, 3) and b (2, 3)"),
        ("clip", (ONE, "low", None), TypeError, "low must be a real number or None, got 'low'"),
        ("clip", (ONE, None, True), TypeError, "high must be a real number or None, got True"),
        ("clip", (np.array([1]), 0.5, None), TypeError, "low must be an integer because x is int64, got 0.5"),
        ("cast", (ONE, np.float16), TypeError, "x must be float32 to become float16, and the reverse, got"),
        ("cast", (ONE.astype(complex), np.float64), TypeError, "imaginary part would be lost in float64"),
    ],
)
def test_bad_input(operation: str, arguments: tuple[Any, ...], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        contract(operation)(*arguments)


@pytest.mark.parametrize("operation", elementwise.__all__)
def test_results_are_new_arrays_also_for_scalars(operation: str) -> None:
    x = np.array(2.0)
    arguments = {
        "where": (np.array(True), x, x),
        "clip": (x, None, None),
        "cast": (x, np.float64),
        **dict.fromkeys(
            (
                *("negative", "absolute", "sign", "exponential", "logarithm", "square_root", "sine"),
                *("cosine", "floor", "round_half_even", "copy", "is_nan", "is_finite"),
            ),
            (x,),
        ),
    }.get(operation, (x, x))
    result = contract(operation)(*arguments)
    assert isinstance(result, np.ndarray)
    assert result.shape == ()
    assert not np.shares_memory(result, x)


@pytest.mark.parametrize(
    "operation", ["exponential", "logarithm", "square_root", "sine", "cosine", "negative", "copy"]
)
def test_complex_step_gives_the_derivative(operation: str) -> None:
    """Im f(x + ih) / h needs no conjugate and no branch on the way."""
    x = np.array([0.3, 1.7, 2.5])
    function, h = contract(operation), 1e-20
    derivative = function(x + 1j * h).imag / h
    central = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(derivative, central, rtol=1e-8)


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "power"])
def test_complex_step_of_two_operands(operation: str) -> None:
    a, b = np.array([0.3, 1.7]), np.array([1.2, 0.4])
    function, h = contract(operation), 1e-20
    derivative = function(a + 1j * h, b + 0j).imag / h
    central = (function(a + 1e-6, b) - function(a - 1e-6, b)) / 2e-6
    np.testing.assert_allclose(derivative, central, rtol=1e-8)


def test_nan_and_infinity_come_silently() -> None:
    """The suite turns warnings into errors, so this would raise."""
    huge = np.array([np.finfo(np.float32).max, -1, 0], np.float32)
    assert np.isinf(elementwise.add(huge, huge)[0])
    assert np.isnan(elementwise.logarithm(huge)[1])
    assert np.isnan(elementwise.divide(huge, np.zeros_like(huge))[2])
    elementwise.cast(np.array([np.nan]), np.int64)


def test_integers_wrap_around() -> None:
    top = np.array([255], np.uint8)
    assert elementwise.add(top, np.array([2], np.uint8))[0] == 1
    assert elementwise.cast(np.array([300]), np.uint8)[0] == 44
    assert elementwise.negative(np.array([1], np.uint8))[0] == 255
    assert elementwise.clip(top, -5, 300)[0] == 255
