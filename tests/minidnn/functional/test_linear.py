"""What the fully connected layer refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import functional

X, WEIGHT = np.zeros((5, 7)), np.zeros((3, 7))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros(()), WEIGHT), ValueError, r"x must have at least 1 dimension, got shape \(\)"),
        ((X, WEIGHT[None]), ValueError, r"weight must have 1 or 2 dimensions, got shape \(1, 3, 7\)"),
        ((X[:, :6], WEIGHT), ValueError, r"x has 6 features but weight \(3, 7\) needs 7"),
        ((X, WEIGHT, np.zeros(4)), ValueError, r"bias must have shape \(3,\), got \(4,\)"),
        ((X, WEIGHT[0], np.zeros(1)), ValueError, r"bias must have shape \(\), got \(1,\)"),
        ((X, WEIGHT.astype(np.float32)), TypeError, "weight has dtype float32 but x has float64"),
        ((X.astype(int), WEIGHT), TypeError, "x must have dtype float32 or float64"),
        (("text", WEIGHT), TypeError, "x must hold numbers"),
    ],
)
def test_linear_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        functional.linear(*arguments)
