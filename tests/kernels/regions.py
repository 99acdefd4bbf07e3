"""Regions for the samples of ROI pooling and ROI align; corners in quarters are the same in every dtype."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

# [batch index, x1, y1, x2, y2] on a plane 9 wide and 7 high, two images.
REGIONS = {
    "inside": [[0, 1, 1, 6, 5], [1, 0, 0, 8, 6], [0, 2.25, 1.75, 5.5, 4.25]],
    "half-boundaries": [[1, 0.5, 1.5, 4.5, 3.5], [0, 2.5, 0.5, 6.5, 5.5], [1, -0.5, -1.5, 2.5, 2.5]],
    "one-pixel": [[0, 3, 2, 3, 2], [1, 3.25, 2.25, 3.25, 2.25], [0, 8, 6, 8, 6]],
    "malformed": [[0, 5, 4, 2, 1], [1, 6, 1, 2, 5], [0, 2, 5, 6, 1]],
    "partly-outside": [[0, -3, -2, 4, 3], [1, 5, 4, 13, 11], [0, -20, 2, 30, 4]],
    "outside": [[0, 20, 20, 30, 28], [1, -30, -9, -20, -4], [0, 2, 40, 6, 48]],
    "overlapping": [[1, 1, 1, 5, 5], [1, 2, 2, 6, 6], [0, 1, 1, 5, 5], [1, 1, 1, 5, 5]],
    "none": [],
}


@st.composite
def drawn_regions(draw: st.DrawFn, batch: int) -> list[list[float]]:
    """Up to three regions in and around a small plane."""
    corner = st.integers(-16, 48).map(lambda quarters: quarters / 4)
    region = st.tuples(st.integers(0, batch - 1), corner, corner, corner, corner).map(list)
    rows: list[Any] = draw(st.lists(region, max_size=3))
    return rows


def random_regions(count: int, batch: int, size: float, dtype: Any) -> np.ndarray:
    """Regions of any corners, also far outside and malformed: the dtype's own rounding decides the bins."""
    generator = np.random.default_rng(9)
    corners = generator.uniform(-0.5 * size, 1.5 * size, (count, 4))
    return np.column_stack((generator.integers(0, batch, count), corners)).astype(dtype)


def operators() -> ModuleType:
    """torchvision.ops, or skip the test with the reason."""
    try:
        from tests.torchvision_bridge import torchvision_ops

        return torchvision_ops()
    except ImportError as missing:
        pytest.skip(str(missing))
