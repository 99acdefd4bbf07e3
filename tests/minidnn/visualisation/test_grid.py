"""Pictures on one scale, and many as one."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn.visualisation import grid, normalised


def test_every_picture_fills_its_range() -> None:
    pictures = (
        np.random.default_rng(1).standard_normal((4, 3, 5, 2))
        * np.array([1, 10, 1e-3, 1e6])[:, None, None, None]
    )
    scaled = normalised(pictures)
    assert scaled.min(axis=(1, 2, 3)).tolist() == [0] * 4
    assert scaled.max(axis=(1, 2, 3)).tolist() == [1] * 4
    around = normalised(pictures, centred=True)
    np.testing.assert_array_equal(np.sign(around - 0.5), np.sign(pictures))
    np.testing.assert_allclose(np.abs(around - 0.5).max(axis=(1, 2, 3)), 0.5)


def test_constant_pictures_are_no_division_by_zero() -> None:
    assert normalised(np.full((2, 3, 3), 7.0)).tolist() == np.zeros((2, 3, 3)).tolist()
    assert normalised(np.zeros((1, 2, 2)), centred=True).tolist() == np.full((1, 2, 2), 0.5).tolist()
    assert normalised(np.zeros((1, 2, 2), np.float32)).dtype == np.float32


def test_the_grid_by_hand() -> None:
    pictures = np.arange(3 * 1 * 2).reshape(3, 1, 2).astype(float)
    want = [[0, 1, 9, 2, 3], [9, 9, 9, 9, 9], [4, 5, 9, 9, 9]]
    assert grid(pictures, columns=2, value=9).tolist() == want
    assert grid(pictures[:, None], columns=2, value=9).tolist() == [want]
    assert grid(pictures, columns=3, gap=0).tolist() == [[0, 1, 2, 3, 4, 5]]
    assert grid(pictures).shape == (3, 5)  # two columns


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="pictures must hold at least one"):
        grid(np.zeros((0, 3, 3)))
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        grid(np.zeros((1, 3, 3)), columns=0)
    with pytest.raises(ValueError, match="gap must be at least 0"):
        grid(np.zeros((1, 3, 3)), gap=-1)
    with pytest.raises(TypeError, match="pictures must be of floating point, got uint8"):
        normalised(np.zeros((1, 3, 3), np.uint8))
    for function in (grid, normalised):
        with pytest.raises(ValueError, match=r"pictures must have 3 or 4 dimensions, got shape \(2, 2\)"):
            function(np.zeros((2, 2)))
