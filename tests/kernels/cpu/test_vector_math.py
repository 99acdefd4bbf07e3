"""The functions that loops turn into vector code, against Python's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels.cpu.compilation import compiled
from kernels.cpu.vector_math import normal_distribution

FLOATS = (np.float32, np.float64)


@compiled
def _normal_distribution(x: Any, share: Any, density: Any) -> None:
    for i in range(x.size):
        share[i], density[i] = normal_distribution(x[i])


def _normal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    share, density = np.empty_like(x), np.empty_like(x)
    _normal_distribution(x, share, density)
    return share, density


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_normal_distribution_keeps_the_digits_of_both_tails(dtype: Any) -> None:
    """Four units in the last place. Python's erfc is given the rounded -x / sqrt(2) and is itself not exact
    to the last digit, which in float64 is x^2 roundings.
    """
    ends = (-12, 8) if dtype == np.float32 else (-35, 9)
    x = np.concatenate([np.linspace(*ends, 5001), [0.0, -0.0, 4.0, -4.0]]).astype(dtype)
    want = np.array([0.5 * math.erfc(-float(value) / math.sqrt(2)) for value in x])
    share, density = _normal(x)
    doubt = np.maximum(1, x.astype(np.float64) ** 2) * np.finfo(np.float64).eps
    bound = (4 * np.finfo(dtype).eps + doubt) * want
    assert np.all(np.abs(share - want) <= bound)
    want = np.exp(-(x.astype(np.float64) ** 2) / 2) / math.sqrt(2 * math.pi)
    assert np.all(np.abs(density - want) <= (4 * np.finfo(dtype).eps + doubt) * want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_normal_distribution_beyond_all_bounds(dtype: Any) -> None:
    x = np.array([np.nan, -np.inf, np.inf, -1e30, 1e30, -0.0], dtype)
    share, density = _normal(x)
    assert np.array_equal(share, np.array([np.nan, 0, 1, 0, 1, 0.5], dtype), equal_nan=True)
    assert np.isnan(density[0])
    assert density[5] == dtype(1 / math.sqrt(2 * math.pi))
    assert np.all(density[1:5] <= np.finfo(dtype).smallest_subnormal)
