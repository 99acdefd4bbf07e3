"""What concatenation refuses, and that its results own their memory."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from kernels.concat import concat_backward, concat_forward
from kernels.registry import contract

ONE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("operation", "arguments", "error", "message"),
    [
        ("concat_forward", ((), 0), ValueError, "arrays must hold at least one array, got none"),
        ("concat_forward", ((np.array(1.0),), 0), ValueError, "must have at least 1 dimension, got shape ()"),
        ("concat_forward", ((ONE, ONE), 2), ValueError, "axis must be in [-2, 1] for 2 dimensions, got 2"),
        ("concat_forward", ((ONE, ONE), 0.5), TypeError, "axis must be an integer, got 0.5"),
        (
            "concat_forward",
            ((ONE, np.ones((3, 3))), 1),
            ValueError,
            "arrays[1] has shape (3, 3) but arrays[0] has (2, 3); they may differ along axis 1 only",
        ),
        ("concat_forward", ((ONE, ONE[0]), 1), ValueError, "arrays[1] has shape (3,) but arrays[0]"),
        (
            "concat_forward",
            ((ONE, ONE.astype(np.float32)), 1),
            TypeError,
            "arrays[1] has dtype float32 but arrays[0] has float64",
        ),
        ("concat_forward", ((ONE, [1.0]), 1), TypeError, "arrays[1] must be an array, got list"),
        (
            "concat_backward",
            (np.array(1.0), (1,), 0),
            ValueError,
            "grad_output must have at least 1 dimension",
        ),
        ("concat_backward", (ONE, (1, 1), 1), ValueError, "lengths sum up to 2 but grad_output has length 3"),
        ("concat_backward", (ONE, (4, -1), 1), ValueError, "lengths must be at least 0, got -1"),
    ],
)
def test_bad_input(operation: str, arguments: tuple[Any, ...], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        contract(operation)(*arguments)


def test_results_own_their_memory() -> None:
    x = np.ones((2, 3))
    assert not np.shares_memory(concat_forward((x,), 0), x)
    assert not np.shares_memory(concat_backward(x, (2,), 0)[0], x)
