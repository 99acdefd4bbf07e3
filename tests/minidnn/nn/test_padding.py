"""Padding layers: printing and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import nn


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.ZeroPad2d(1), "ZeroPad2d((1, 1, 1, 1))"),
        (nn.ConstantPad2d((1, 2, 3, 4), 2.5), "ConstantPad2d(padding=(1, 2, 3, 4), value=2.5)"),
        (nn.ReflectionPad2d(1), "ReflectionPad2d((1, 1, 1, 1))"),
        (nn.ReplicationPad2d([1, 2, 3, 4]), "ReplicationPad2d((1, 2, 3, 4))"),
    ],
)
def test_printing(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.ZeroPad2d((1, 2, 3)), ValueError, r"\(left, right, top, bottom\), got \(1, 2, 3\)"),
        (lambda: nn.ZeroPad2d(1.5), TypeError, "padding must be an integer, got 1.5"),
        (lambda: nn.ReflectionPad2d((1, 1, 1, "a")), TypeError, "padding must be an integer, got 'a'"),
        (lambda: nn.ReflectionPad2d(3)(np.ones((1, 2, 3, 4))), ValueError, "less than the length 3"),
        (lambda: nn.ReplicationPad2d(1)(np.ones((3, 4))), ValueError, r"4 amounts for shape \(3, 4\)"),
        (lambda: nn.ConstantPad2d(1, "a")(np.ones((3, 4))), TypeError, "value must be a number"),
    ],
)
def test_refuses(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
