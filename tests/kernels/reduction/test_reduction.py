"""What the reductions refuse, complex numbers, and the order of sums."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.reduction import reduce_product, reduce_sum
from kernels.registry import contract

ONE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("operation", "arguments", "error", "message"),
    [
        ("reduce_sum", (ONE, 2), ValueError, "axes must be in [-2, 1] for 2 dimensions, got 2"),
        ("reduce_sum", (ONE, (0, -2)), ValueError, "axes must name each axis once, got (0, -2)"),
        ("reduce_sum", (ONE, 0.5), TypeError, "axes must be an integer, got 0.5"),
        ("reduce_sum", ([1.0],), TypeError, "x must be an array, got list"),
        ("reduce_product", (ONE.astype(np.float16),), TypeError, "got float16"),
        ("reduce_maximum", (np.ones((0, 3)), 0), ValueError, "the maximum over axes (0,) needs an element"),
        ("reduce_maximum", (np.ones((0, 0)), 1), ValueError, "the maximum over axes (1,) needs an element"),
        ("reduce_minimum", (np.ones((0, 3)),), ValueError, "the minimum over axes (0, 1) needs an element"),
        ("argmax", (np.ones((0, 3)), 0), ValueError, "the argmax over axes (0,) needs an element"),
        ("argmin", (ONE, 5), ValueError, "must be in [-2, 1] for 2 dimensions, got 5"),
        ("argmin", (ONE.astype(complex), 0), TypeError, "got complex128"),
        ("reduce_any", (ONE,), TypeError, "x must have one of the dtypes bool, got float64"),
        ("reduce_all", (ONE,), TypeError, "x must have one of the dtypes bool, got float64"),
        ("cumulative_sum", (ONE, 2, False), ValueError, "axis must be in [-2, 1]"),
        ("cumulative_sum", (ONE, None, False), TypeError, "axis must be an integer, got None"),
        (
            "reduce_product_backward",
            (ONE, ONE, (1,)),
            ValueError,
            "grad_output must have shape (2, 1), got (2, 3)",
        ),
        (
            "reduce_product_backward",
            (ONE[:, :1].astype(np.float32), ONE, (1,)),
            TypeError,
            "grad_output must have one of the dtypes float64, got float32",
        ),
    ],
)
def test_bad_input(operation: str, arguments: tuple[Any, ...], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        contract(operation)(*arguments)


@pytest.mark.parametrize("operation", [reduce_sum, reduce_product])
def test_complex_step_gives_the_derivative(operation: Any) -> None:
    x, h = np.array([0.3, 1.7, 2.5]), 1e-20
    step = np.array([0, 1, 0])
    derivative = operation(x + 1j * h * step).imag / h
    central = (operation(x + 1e-6 * step) - operation(x - 1e-6 * step)) / 2e-6
    np.testing.assert_allclose(derivative, central, rtol=1e-8)


def test_sums_have_the_same_bits_for_any_number_of_threads() -> None:
    x = np.random.default_rng(0).standard_normal((300, 70)).astype(np.float32)
    before = kernels.get_num_threads()
    results = []
    for number in (1, 2, 7):
        kernels.set_num_threads(number)
        results.append(reduce_sum(x, 0).tobytes())
    kernels.set_num_threads(before)
    assert len(set(results)) == 1
