"""What the creation kernels refuse."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from kernels.creation import full, sequence
from kernels.registry import contract


@pytest.mark.parametrize(
    ("operation", "arguments", "error", "message"),
    [
        ("full", ((2, -1), 0, np.float32), ValueError, "shape must be at least 0, got -1"),
        ("full", ((2.5,), 0, np.float32), TypeError, "shape must be an integer, got 2.5"),
        ("full", ((2,), 1j, np.float32), TypeError, "value must be real for dtype float32"),
        ("full", ((2,), 0, np.float16), TypeError, "got float16"),
        ("sequence", (0, 1, 0, np.int64), ValueError, "step must not be 0"),
        ("sequence", (0, float("inf"), 1, np.float32), ValueError, "stop must be finite, got inf"),
        ("sequence", (0, 1, 1, np.bool_), TypeError, "got bool"),
    ],
)
def test_bad_input(operation: str, arguments: tuple[Any, ...], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        contract(operation)(*arguments)


def test_complex_values() -> None:
    assert full((2,), 1 + 2j, np.complex128).tolist() == [1 + 2j, 1 + 2j]


def test_errors_of_the_step_do_not_add_up() -> None:
    assert sequence(0, 1000, 0.1, np.float64)[-1] == 9999 * 0.1
