"""The functions that loops turn into vector code, against Python's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels.cpu.compilation import compiled
from kernels.cpu.vector_math import exponentials, normal_distribution

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


@pytest.mark.parametrize("size", [4, 17, 37, 64])
@pytest.mark.parametrize("dtype", FLOATS)
def test_exponentials_are_the_same_wherever_the_arrays_lie(dtype: Any, size: int) -> None:
    """Also where the results end just before what they are made from, or begin just behind it."""
    for seed in range(6):
        memory = np.empty(size + 400, dtype)
        x = memory[200 : 200 + size]
        x[...] = np.random.default_rng(seed).standard_normal(size)
        apart = np.empty(size, dtype)
        found = exponentials(apart, x)
        want = np.exp((x - x.max()).astype(np.float64))
        np.testing.assert_allclose(apart, want, rtol=4 * float(np.finfo(dtype).eps))
        for begin in (*range(201 - size), *range(200 + size, 400)):
            y = memory[begin : begin + size]
            assert exponentials(y, x) == found
            assert np.array_equal(y, apart)
