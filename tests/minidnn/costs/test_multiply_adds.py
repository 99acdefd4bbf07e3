"""Multiply-adds by shapes, held to counts by hand and to what the engine's Functions are called."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
from minidnn import Tensor, costs, functional
from minidnn.autograd import Function
from minidnn.costs.multiply_adds import FUNCTIONS
from minidnn.operators.arithmetic import MatMul
from minidnn.tensor import Tensor as AnyTensor


def counted(function: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    return costs.function_multiply_adds(function, inputs, output)


@pytest.mark.parametrize(
    ("function", "inputs", "output", "multiply_adds"),
    [
        # 3 images, 6 x 4 x 5 outputs each, and every one is a sum over 2 channels of 3 x 2 taps.
        ("Conv2d", [(3, 4, 9, 7), (6, 2, 3, 2), (6,)], (3, 6, 4, 5), 3 * 120 * 12),
        ("DepthwiseConv2d", [(1, 4, 6, 5), (8, 1, 3, 2)], (1, 8, 4, 4), 128 * 6),
        # 2 x 4 x 5 x 3 inputs, each spread over 3 channels of 3 x 2 taps.
        ("ConvTranspose2d", [(2, 4, 5, 3), (4, 3, 3, 2), (6,)], (2, 6, 11, 6), 120 * 18),
        ("LocallyConnected2d", [(2, 3, 5, 4), (4, 2, 5, 3, 2, 3)], (2, 5, 4, 2), 80 * 18),
        ("Linear", [(2, 3, 4), (5, 4), (5,)], (2, 3, 5), 30 * 4),
        ("Linear", [(6, 4), (4,)], (6,), 6 * 4),
        ("Linear", [(2, 4), (0, 4)], (2, 0), 0),
        ("MatMul", [(2, 3, 4), (4, 5)], (2, 3, 5), 30 * 4),
        ("MatMul", [(4,), (4,)], (), 4),
        ("ReLU", [(2, 3)], (2, 3), 0),
    ],
)
def test_by_hand(
    function: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], multiply_adds: int
) -> None:
    assert counted(function, inputs, output) == multiply_adds


def test_names_are_those_of_functions() -> None:
    """The table's names are what a trace sees: classes of the engine."""

    def below(kind: type) -> set[str]:
        return {kind.__name__} | {name for child in kind.__subclasses__() for name in below(child)}

    assert MatMul.__module__ == "minidnn.operators.arithmetic"
    assert FUNCTIONS.keys() <= below(Function)


def test_convolution_multiplies_as_often_as_its_loops() -> None:
    """Inputs of ones without padding: the sum of all outputs is the number of multiplications."""
    x, weight = np.ones((2, 4, 7, 6)), np.ones((6, 2, 3, 2))
    with kernels.use(backend="reference"):
        y: AnyTensor = functional.conv2d(Tensor(x), Tensor(weight), stride=(2, 1), groups=2)
    count = costs.convolution(y.shape, weight.shape)
    assert count.value == y.numpy().sum()
    assert count.formula == "N x O x OH x OW x C/G x KH x KW"
    assert count.filled_in == "2 x 6 x 3 x 5 x 2 x 3 x 2"


def test_counts_add_up() -> None:
    count = costs.product(N=2, C=3) + costs.product(times=4, O=5)
    assert (count.value, count.formula, count.filled_in) == (26, "N x C + 4 x O", "2 x 3 + 4 x 5")
    assert (costs.Count().value, costs.Count().formula, costs.Count().filled_in) == (0, "0", "0")
