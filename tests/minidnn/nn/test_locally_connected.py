"""The locally connected layer: its parameters, how it prints, what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn.nn import LocallyConnected2d


def test_parameters_begin_within_the_limit() -> None:
    layer = LocallyConnected2d(4, 8, (9, 7), (3, 2), stride=(2, 1))
    assert layer.weight.shape == (4, 6, 8, 4, 3, 2)
    assert layer.bias.shape == (8, 4, 6)
    for parameter in (layer.weight, layer.bias):
        largest = float(np.abs(parameter.numpy()).max())
        assert 0.95 / 24**0.5 < largest <= 1 / 24**0.5


def test_repr_says_what_is_not_the_default() -> None:
    assert repr(LocallyConnected2d(4, 8, 5, 3)) == (
        "LocallyConnected2d(4, 8, input_size=(5, 5), kernel_size=(3, 3), stride=(1, 1))"
    )
    layer = LocallyConnected2d(1, 2, (5, 6), (3, 2), 2, ((1, 0), (0, 0)), (1, 2), bias=False)
    assert repr(layer).endswith("stride=(2, 2), padding=((1, 0), (0, 0)), dilation=(1, 2), bias=False)")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 2, 5, 3), ValueError, "in_channels must be at least 1, got 0"),
        ((2, 1.5, 5, 3), TypeError, "out_channels must be an integer, got 1.5"),
        ((2, 3, 0, 3), ValueError, "input_size must be at least 1, got 0"),
        ((2, 3, (2, 5), 3), ValueError, "input height 2 .* smaller than the window's"),
    ],
)
def test_refuses(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LocallyConnected2d(*arguments)


def test_refuses_another_size_than_its_own() -> None:
    with pytest.raises(ValueError, match=r"x of height and width \(6, 5\) has \(4, 3\) positions"):
        LocallyConnected2d(1, 2, 5, 3)(np.zeros((1, 1, 6, 5), np.float32))
