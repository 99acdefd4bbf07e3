"""Resizing as a function: gradients by differences, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import functional
from tests.kernels.sample import Draw


@pytest.mark.parametrize(
    "keywords",
    [
        {"size": (3, 7)},
        {"scale_factor": 1.7, "mode": "bilinear"},
        {"size": (2, 9), "mode": "bilinear", "align_corners": True},
    ],
)
@pytest.mark.parametrize("method", ["central", "complex"])
def test_gradcheck(keywords: dict[str, Any], method: str) -> None:
    x = minidnn.Tensor(Draw(1).normal(1, 2, 4, 5), requires_grad=True)
    assert minidnn.gradcheck(lambda x: functional.interpolate(x, **keywords), x, method=method)


@pytest.mark.parametrize(
    ("shape", "keywords", "error", "message"),
    [
        ((2, 3), {"size": 7}, ValueError, r"3 or 4 or 5 dimensions in mode nearest, got shape \(2, 3\)"),
        ((2, 3, 4), {"size": 7, "mode": "bilinear"}, ValueError, "x must have 4 dimensions in mode bilinear"),
        (
            (2, 3, 4),
            {"size": 7, "mode": "area"},
            ValueError,
            "mode must be one of nearest, bilinear, got 'area'",
        ),
        ((2, 3, 4), {}, ValueError, "exactly one of size and scale_factor must be given, got neither"),
        ((2, 3, 4), {"size": 7, "scale_factor": 2}, ValueError, "must be given, got both"),
        ((2, 3, 4), {"size": (7, 8)}, ValueError, r"size must be a number or 1 of them, .* got \(7, 8\)"),
        ((2, 3, 4, 5), {"scale_factor": (2,)}, ValueError, r"scale_factor must be a number or 2 of them"),
        ((2, 3, 4), {"size": 0}, ValueError, "size must be at least 1, got 0"),
        ((2, 3, 4), {"size": 3.5}, TypeError, "size must be an integer, got 3.5"),
        ((2, 3, 4), {"scale_factor": 0.1}, ValueError, "at least 1 element, got 0.1 for length 4"),
        ((2, 3, 4), {"scale_factor": -1.0}, ValueError, "at least 1 element, got -1.0 for length 4"),
        ((2, 3, 4), {"scale_factor": "2"}, TypeError, "scale_factor must be a number, got '2'"),
        ((2, 3, 4), {"scale_factor": float("nan")}, ValueError, "scale_factor must be finite, got nan"),
        (
            (2, 3, 4),
            {"size": 7, "align_corners": False},
            ValueError,
            "align_corners must be None in mode nearest",
        ),
        (
            (2, 3, 4),
            {"size": 7, "recompute_scale_factor": True},
            ValueError,
            "must not be True when size is given",
        ),
        ((2, 0, 4), {"size": 7}, ValueError, "x may be empty in its first axis only"),
        ((2, 3, 0), {"size": 7}, ValueError, "x may be empty in its first axis only"),
    ],
)
def test_refuses(
    shape: tuple[int, ...], keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        functional.interpolate(np.ones(shape), **keywords)
