"""The matrix product's strips of every size, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.cpu.gemm import NARROW, ROWS, STRIP_ROWS, pack_rows, strip, tile_columns
from tests.kernels.sample import Draw

PITCH, AROUND = 7, 5  # more columns than needed in B's rows, and elements of C that must stay


def packed(a: np.ndarray) -> np.ndarray:
    """Blocks of ROWS rows, one after the other."""
    rows, depth = a.shape
    result = np.empty(-(-rows // ROWS) * ROWS * depth, a.dtype)
    for first in range(0, rows, ROWS):
        count = min(ROWS, rows - first)
        pack_rows(a.reshape(-1), first * depth, count, depth, depth, 1, result, first * depth)
    return result


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("accumulate", [False, True])
def test_strips_of_every_size(dtype: Any, accumulate: bool) -> None:
    draw, width = Draw(1, dtype), tile_columns(dtype)
    depth = 9
    for rows in (1, ROWS - 1, ROWS, ROWS + 1, STRIP_ROWS):
        for columns in range(1, width + 1):
            a, b = draw.normal(rows, depth), draw.normal(depth + 1, width + PITCH)
            bias, c = draw.normal(rows), draw.normal(rows + 2, width + 2 * AROUND)
            want = c.copy()
            inner = want[1 : rows + 1, AROUND : AROUND + columns]
            start = inner if accumulate else bias[:, None]
            inner[...] = np.clip(start + a @ b[:depth, :columns], -2, 1.5)
            strip(
                *(depth, packed(a), 0, b.reshape(-1), 0, width + PITCH),
                *(c.reshape(-1), c.shape[1] + AROUND, c.shape[1], rows, columns, accumulate),
                *(bias, 0, dtype(-2), dtype(1.5), np.empty(NARROW * STRIP_ROWS, dtype)),
            )
            np.testing.assert_allclose(c, want, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("step", [1, 2])
def test_rows_are_packed_wherever_they_lie(dtype: Any, turned: bool, step: int) -> None:
    """Row by row, column by column, and with gaps; nothing is written beyond the last group."""
    draw, depth = Draw(2, dtype), 2 * ROWS + 3
    for rows in (ROWS - 1, ROWS):
        lying = draw.normal(depth if turned else rows, (rows if turned else depth) * step)
        a = lying[:, ::step].T if turned else lying[:, ::step]
        row_step, depth_step = (size // lying.itemsize for size in a.strides)
        got = np.full(ROWS * (depth + 1), 9, dtype)
        pack_rows(lying.reshape(-1), 0, rows, depth, row_step, depth_step, got, 0)
        want = np.full((depth + 1, ROWS), 9, dtype)
        want[:depth] = 0
        want[:depth, :rows] = a.T
        np.testing.assert_array_equal(got, want.reshape(-1))
