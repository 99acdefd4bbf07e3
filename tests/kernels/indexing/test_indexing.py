"""What indexing refuses, and the order of repeated places."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.indexing import index_assign, index_backward
from kernels.registry import contract
from tests.kernels.tables import host_versions

ONE = np.ones((2, 3))
ROWS = (np.array([0, 1, 1]),)


@pytest.mark.parametrize(
    ("operation", "arguments", "error", "message"),
    [
        ("index_forward", (ONE, (np.array([2]),)), IndexError, "indices[0] holds 2, but axis 0 has length 2"),
        ("index_forward", (ONE, (None, np.array([0, -4]))), IndexError, "indices[1] holds -4"),
        ("index_forward", (ONE, (None, None, None)), ValueError, "must not outnumber x's 2 axes, got 3"),
        ("index_forward", (ONE, (None,)), ValueError, "indices must hold at least one array, got none"),
        ("index_forward", (ONE, (np.array([0.5]),)), TypeError, "indices[0] must be an int64 array"),
        (
            "index_forward",
            (ONE, (np.array([0, 1]), np.array([0, 1, 2]))),
            ValueError,
            "indices[0] (2,) and indices[1] (3,) do not broadcast",
        ),
        (
            "index_backward",
            (ONE, ROWS, (2, 3)),
            ValueError,
            "grad_output must have shape (3, 3), got (2, 3)",
        ),
        (
            "index_assign",
            (ONE, ROWS, np.ones(2)),
            ValueError,
            "values must broadcast to shape (3, 3), got (2,)",
        ),
        (
            "index_assign",
            (ONE, ROWS, np.ones((2, 3, 3))),
            ValueError,
            "values must broadcast to shape (3, 3)",
        ),
        (
            "index_assign",
            (ONE, ROWS, np.ones(3, np.float32)),
            TypeError,
            "values must have one of the dtypes float64, got float32",
        ),
        ("slice_backward", (ONE, (0,), (2, 3)), ValueError, "grad_output must have shape (3,), got (2, 3)"),
        ("slice_backward", (ONE, (2,), (2, 3)), IndexError, "out of bounds"),
        (
            "slice_assign",
            (ONE, (0,), np.ones(2)),
            ValueError,
            "values must broadcast to shape (3,), got (2,)",
        ),
        ("slice_assign", (ONE, (0.5,), np.ones(2)), TypeError, "key must be an integer, got 0.5"),
        ("gather_forward", (ONE, np.array([0]), 0), ValueError, "index must have x's 2 dimensions"),
        ("gather_forward", (ONE, np.array([[0, 0]] * 3), 1), ValueError, "index must not be longer than x"),
        ("gather_forward", (ONE, np.array([[-1]]), 1), IndexError, "index holds -1, but axis 1 has length 3"),
        ("gather_forward", (ONE, np.array([[3]]), 1), IndexError, "index holds 3, but axis 1 has length 3"),
        ("gather_forward", (ONE, np.array([[0]]), 2), ValueError, "axis must be in [-2, 1]"),
        (
            "gather_backward",
            (ONE, np.array([[0]]), 1, (2, 3)),
            ValueError,
            "grad_output must have shape (1, 1), got (2, 3)",
        ),
        ("nonzero", ([1],), TypeError, "x must be an array, got list"),
    ],
)
def test_bad_input(operation: str, arguments: tuple[Any, ...], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        contract(operation)(*arguments)


@pytest.mark.parametrize("version", host_versions("index_assign"))
def test_the_last_of_two_values_for_one_place_stays(version: str) -> None:
    with kernels.use(index_assign=version):
        result = index_assign(np.zeros(3), (np.array([1, 1, -2]),), np.array([5.0, 6.0, 7.0]))
    assert result.tolist() == [0, 7, 0]


def test_repeated_places_are_summed_up_in_one_order() -> None:
    """Equal bits in every version: the terms come in row-major order."""
    generator = np.random.default_rng(0)
    indices = (generator.integers(0, 3, 500),)
    grad_output = generator.standard_normal((500, 2)).astype(np.float32)
    results = set()
    for version in host_versions("index_backward"):
        with kernels.use(index_backward=version):
            results.add(index_backward(grad_output, indices, (3, 2)).tobytes())
    assert len(results) == 1
