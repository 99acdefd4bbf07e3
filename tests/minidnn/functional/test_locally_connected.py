"""What no case can say about the locally connected layer: what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn.functional import locally_connected2d

X, WEIGHT = np.zeros((2, 4, 5, 6)), np.zeros((3, 5, 6, 4, 3, 2))


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((X[0, 0], WEIGHT), {}, ValueError, "x must have 3 or 4 dimensions"),
        ((X, WEIGHT[0, 0]), {}, ValueError, "weight must have 6 dimensions"),
        ((X, WEIGHT), {"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ((X, WEIGHT), {"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ((X, WEIGHT), {"dilation": 1.5}, TypeError, "dilation must be an integer, got 1.5"),
        ((X, WEIGHT), {"padding": 1}, ValueError, r"has \(5, 7\) positions but weight .* is for \(3, 5\)"),
        ((X, WEIGHT, np.zeros((3, 5, 6))), {}, ValueError, r"bias must have shape \(6, 3, 5\)"),
    ],
)
def test_refuses(
    arguments: tuple[Any, ...], keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        locally_connected2d(*arguments, **keywords)
