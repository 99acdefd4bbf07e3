"""Random changes to batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, manual_seed
from minidnn.data import RandomShift


def test_every_image_is_moved_by_its_own_offset() -> None:
    images = np.random.default_rng(0).uniform(1, 2, (60, 2, 5, 7)).astype(np.float32)
    manual_seed(0)
    shifted = RandomShift(2)(Tensor(images)).numpy()
    assert shifted.shape == images.shape
    assert shifted.dtype == np.float32
    offsets = [find_offset(before, after) for before, after in zip(images, shifted, strict=True)]
    assert len(set(offsets)) > 15
    assert {dy for dy, _ in offsets} == {dx for _, dx in offsets} == {-2, -1, 0, 1, 2}


def find_offset(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """The one (dy, dx) for which after[y, x] = before[y + dy, x + dx], and zero where that is outside."""
    _, height, width = before.shape
    found = []
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            want = np.zeros_like(before)
            for y in range(height):
                for x in range(width):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        want[:, y, x] = before[:, y + dy, x + dx]
            if np.array_equal(want, after):
                found.append((dy, dx))
    assert len(found) == 1
    return found[0]


def test_the_seed_decides() -> None:
    images = Tensor(np.random.default_rng(0).uniform(size=(9, 1, 4, 4)))
    results = []
    for seed in (3, 3, 4):
        manual_seed(seed)
        results.append(RandomShift()(images).numpy())
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize(("pixels", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_refuses(pixels: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="pixels must be"):
        RandomShift(pixels)
