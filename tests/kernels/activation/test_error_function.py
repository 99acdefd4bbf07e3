"""erfc on arrays against Python's own."""

from __future__ import annotations

import math

import numpy as np

from kernels.activation.error_function import erfc


def test_erfc_keeps_its_relative_precision() -> None:
    """Over all three pieces and both sides of their borders; e^-x^2 costs x^2 roundings."""
    borders = [sign * np.nextafter(edge, to) for edge in (0.46875, 4) for to in (0, 9) for sign in (1, -1)]
    x = np.concatenate([np.linspace(-8, 26, 4001), borders, [0.0, -0.0, 0.46875, 4.0]])
    want = np.array([math.erfc(value) for value in x])
    eps = np.finfo(np.float64).eps
    assert np.all(np.abs(erfc(x) - want) <= 4 * eps * np.maximum(1, x * x) * want)


def test_erfc_in_float32() -> None:
    x = np.linspace(-4, 4, 101, dtype=np.float32)
    want = np.array([math.erfc(value) for value in x])
    assert erfc(x).dtype == np.float32
    assert np.abs(erfc(x) - want).max() <= 4 * np.finfo(np.float32).eps


def test_erfc_beyond_all_bounds() -> None:
    with np.errstate(all="ignore"):
        limits = erfc(np.array([[np.nan, np.inf], [-np.inf, 1e200]]))
    assert np.array_equal(limits, [[np.nan, 0], [2, 0]], equal_nan=True)
    assert erfc(np.array(0.0)) == 1
