"""The checks that contracts make: what passes, and the sentence for what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.array import check_integer
from minidnn import Tensor, nn


@pytest.mark.parametrize("value", [0, -3, np.int32(7), np.uint64(2**63 - 1), 2**63 - 1, -(2**63)])
def test_integers(value: Any) -> None:
    checked = check_integer("size", value)
    assert type(checked) is int
    assert checked == value


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (1.0, TypeError, "size must be an integer, got 1.0"),
        (True, TypeError, "size must be an integer, got True"),
        ("3", TypeError, "size must be an integer, got '3'"),
        (0, ValueError, "size must be at least 1, got 0"),
        (2**63, ValueError, r"size must be less than 2\^63, got 9223372036854775808"),
        (10**200, ValueError, r"size must be less than 2\^63, got 10+\.\.\.$"),
    ],
)
def test_what_is_no_positive_integer(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_integer("size", value, minimum=1)


def test_a_negative_integer_beyond_int64() -> None:
    with pytest.raises(ValueError, match=r"index must be at least -2\^63, got -9223372036854775809"):
        check_integer("index", -(2**63) - 1)


def test_sizes_beyond_int64_are_told_by_name() -> None:
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"index must be less than 2\^63"):
        x.select(0, 2**63)
    with pytest.raises(ValueError, match=r"shape must be less than 2\^63"):
        x.reshape(2**63)
    with pytest.raises(ValueError, match=r"in_features must be less than 2\^63"):
        nn.Linear(2**63, 2)
