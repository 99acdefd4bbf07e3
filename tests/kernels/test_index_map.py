"""Taking slices at positions and adding them back: one is the other's transpose."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.index_map import add_slices, take_slices
from tests.kernels.sample import Draw

POSITIONS = [3, 0, 3, 3, 1, 0, 5]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_against_a_one_hot_matrix(axis: int) -> None:
    draw, shape = Draw(1), [2, 3, 4]
    matrix = np.zeros((len(POSITIONS), 6))
    matrix[np.arange(len(POSITIONS)), POSITIONS] = 1  # (taken, length)
    shape[axis] = 6
    x = draw.normal(*shape)
    want = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    np.testing.assert_array_equal(take_slices(x, axis, POSITIONS), want)
    values = draw.normal(*want.shape)
    want = np.moveaxis(np.tensordot(matrix.T, values, (1, axis)), 0, axis)
    np.testing.assert_allclose(add_slices(values, axis, POSITIONS, 6), want, rtol=1e-12)


def test_an_infinite_slice_stays_in_its_own_sum() -> None:
    assert add_slices(np.array([1.0, np.inf, 2.0]), 0, [0, 1, 0], 3).tolist() == [3, np.inf, 0]


def test_an_empty_batch_stays_empty() -> None:
    assert add_slices(np.zeros((0, 2, 3)), 2, [0, 0, 1], 4).shape == (0, 2, 4)
