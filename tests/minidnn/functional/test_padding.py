"""Padding as a function: integers, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import functional
from tests.kernels.sample import Draw


def test_integers_and_booleans_are_padded() -> None:
    assert functional.pad(np.array([1, 2]), (1, 2), value=7).numpy().tolist() == [7, 1, 2, 7, 7]
    assert functional.pad(np.array([True]), (0, 1)).numpy().tolist() == [True, False]


def test_the_result_owns_its_memory() -> None:
    x = np.ones((2, 3))
    functional.pad(x, (0, 0)).data[...] = 5
    assert (x == 1).all()


@pytest.mark.parametrize("method", ["central", "complex"])
@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
def test_gradcheck(mode: str, method: str) -> None:
    x = minidnn.Tensor(Draw(1).normal(2, 2, 4, 5), requires_grad=True)
    assert minidnn.gradcheck(lambda x: functional.pad(x, (2, -1, 1, 3), mode), x, method=method)


@pytest.mark.parametrize(
    ("shape", "pad", "keywords", "error", "message"),
    [
        ((3, 4), 1, {}, TypeError, "pad must be a sequence of integers, got 1"),
        ((3, 4), "12", {}, TypeError, "pad must be a sequence of integers, got '12'"),
        ((3, 4), (1, 2, 3), {}, ValueError, r"pad must have an even number of amounts, got \(1, 2, 3\)"),
        ((3, 4), (1.0, 2), {}, TypeError, "pad must be an integer, got 1.0"),
        (
            (4,),
            (1, 1, 1, 1),
            {},
            ValueError,
            r"at most 2 amounts per axis, got \(1, 1, 1, 1\) for shape \(4,\)",
        ),
        ((3, 4), (-2, -3), {}, ValueError, "crops more than the 4 elements there are"),
        ((3, 4), (1, 1), {"mode": "wrap"}, ValueError, "mode must be one of constant, reflect, replicate"),
        ((3, 4), (1, 1), {"mode": "reflect", "value": 1.0}, ValueError, "value must be 0 in mode reflect"),
        ((3, 4), (1, 1), {"value": "a"}, TypeError, "value must be a number that float64 can hold, got 'a'"),
        ((4,), (1, 1), {"mode": "reflect"}, ValueError, r"got 2 amounts for shape \(4,\)"),
        ((2, 3, 4, 5), (1, 1), {"mode": "replicate"}, ValueError, "got 2 amounts for shape"),
        ((3, 4), (1, 1, 1, 1), {"mode": "replicate"}, ValueError, "got 4 amounts for shape"),
        ((3, 4), (), {"mode": "reflect"}, ValueError, "got 0 amounts for shape"),
        ((2, 3, 4), (4, 0), {"mode": "reflect"}, ValueError, "must be less than the length 4"),
        ((2, 0, 4), (1, 0), {"mode": "reflect"}, ValueError, "not be empty in any axis but the batch's"),
        ((0, 4), (1, 0), {"mode": "replicate"}, ValueError, "not be empty in any axis but the batch's"),
        ((2, 3, 0), (1, 0), {"mode": "replicate"}, ValueError, "not be empty in any axis but the batch's"),
    ],
)
def test_refuses(
    shape: tuple[int, ...], pad: Any, keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        functional.pad(np.ones(shape), pad, **keywords)
