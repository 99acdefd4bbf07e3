"""What comparisons and logic refuse, and that they give arrays for scalars too."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from kernels import comparison
from kernels.registry import contract

ONE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("operation", "arguments", "error", "message"),
    [
        ("equal", (ONE, np.ones((2, 4))), ValueError, "a (2, 3) and b (2, 4) do not broadcast"),
        ("less", (ONE, np.ones(3, np.float32)), TypeError, "b has dtype float32 but a has float64"),
        ("less", (ONE.astype(complex), ONE.astype(complex)), TypeError, "got complex128"),
        ("greater_equal", (ONE, 1.0), TypeError, "b must be an array, got float"),
        ("logical_and", (ONE, ONE), TypeError, "a must have one of the dtypes bool, got float64"),
        ("logical_not", (ONE,), TypeError, "x must have one of the dtypes bool, got float64"),
    ],
)
def test_bad_input(operation: str, arguments: tuple[Any, ...], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        contract(operation)(*arguments)


@pytest.mark.parametrize("operation", comparison.__all__)
def test_scalars_give_arrays(operation: str) -> None:
    x = np.array(True)
    arguments = (x,) if operation == "logical_not" else (x, x)
    assert isinstance(contract(operation)(*arguments), np.ndarray)
