"""What the matrix product refuses, complex numbers, and its bits on several threads."""

from __future__ import annotations

import re

import numpy as np
import pytest

import kernels
from kernels.matmul import matmul

ONE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        (ONE, ONE, ValueError, "a (2, 3) has 3 columns but b (2, 3) has 2 rows"),
        (ONE[0], ONE.T, ValueError, "a must have at least 2 dimensions, got shape (3,)"),
        (ONE, ONE[0], ValueError, "b must have at least 2 dimensions, got shape (3,)"),
        (np.ones((2, 2, 3)), np.ones((3, 3, 2)), ValueError, "do not broadcast"),
        (ONE, ONE.T.astype(np.float32), TypeError, "b has dtype float32 but a has float64"),
        (ONE > 0, ONE.T > 0, TypeError, "got bool"),
    ],
)
def test_bad_input(a: np.ndarray, b: np.ndarray, error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        matmul(a, b)


def test_complex_step_gives_the_derivative() -> None:
    generator = np.random.default_rng(0)
    a, b, direction = (generator.standard_normal(shape) for shape in ((2, 3), (3, 4), (2, 3)))
    derivative = matmul(a + 1e-20j * direction, b + 0j).imag / 1e-20
    np.testing.assert_allclose(derivative, matmul(direction, b), rtol=1e-12)


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    generator = np.random.default_rng(0)
    a, b = (generator.standard_normal((200, 200)).astype(np.float32) for _ in range(2))
    before, results = kernels.get_num_threads(), []
    for number in (1, 2, 5):
        kernels.set_num_threads(number)
        results.append(matmul(a, b).tobytes())
    kernels.set_num_threads(before)
    assert len(set(results)) == 1
