"""Tensors from nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor


@pytest.mark.parametrize(
    ("made", "expected", "dtype"),
    [
        (lambda: minidnn.zeros(2, 3), [[0] * 3] * 2, "float32"),
        (lambda: minidnn.zeros((2, 1), dtype="int64"), [[0], [0]], "int64"),
        (lambda: minidnn.ones([2]), [1, 1], "float32"),
        (lambda: minidnn.ones(), 1, "float32"),
        (lambda: minidnn.full((2,), 1.5), [1.5, 1.5], "float32"),
        (lambda: minidnn.full((1, 2), 3), [[3, 3]], "int64"),
        (lambda: minidnn.full((2,), True), [True, True], "bool"),
        (lambda: minidnn.full((), 3, dtype=np.float64), 3, "float64"),
        (lambda: minidnn.zeros_like(Tensor(np.ones(2))), [0, 0], "float64"),
        (lambda: minidnn.ones_like(Tensor([5, 6])), [1, 1], "int64"),
        (lambda: minidnn.full_like(np.ones((1, 2)), 7, dtype="float32"), [[7, 7]], "float32"),
        (lambda: minidnn.arange(4), [0, 1, 2, 3], "int64"),
        (lambda: minidnn.arange(1, 7, 2), [1, 3, 5], "int64"),
        (lambda: minidnn.arange(3, 0, -1), [3, 2, 1], "int64"),
        (lambda: minidnn.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75], "float32"),
        (lambda: minidnn.arange(2.0), [0, 1], "float32"),
        (lambda: minidnn.arange(3, dtype="float64"), [0, 1, 2], "float64"),
        (lambda: minidnn.arange(2, 2), [], "int64"),
        (lambda: minidnn.eye(2), [[1, 0], [0, 1]], "float32"),
        (lambda: minidnn.eye(2, 3, dtype="int64"), [[1, 0, 0], [0, 1, 0]], "int64"),
    ],
)
def test_constants(made: Callable[[], Tensor], expected: Any, dtype: str) -> None:
    result = made()
    assert result.tolist() == expected
    assert result.dtype == dtype
    assert result.is_leaf
    assert not result.requires_grad


def test_gradients_may_be_wanted() -> None:
    for made in (
        minidnn.zeros(2, requires_grad=True),
        minidnn.ones_like(Tensor([1.0]), requires_grad=True),
        minidnn.randn(2, 3, requires_grad=True),
        minidnn.eye(2, requires_grad=True),
    ):
        assert made.requires_grad
    with pytest.raises(TypeError, match="only floating tensors can require gradients, this one is int64"):
        minidnn.arange(3, requires_grad=True)


def test_random_draws_follow_the_seed() -> None:
    minidnn.manual_seed(3)
    first, uniform = minidnn.randn(2000), minidnn.rand((40, 50), dtype="float64")
    minidnn.manual_seed(3)
    assert np.array_equal(minidnn.randn(2000).numpy(), first.numpy())
    assert np.array_equal(minidnn.rand(40, 50, dtype="float64").numpy(), uniform.numpy())
    assert first.dtype == np.float32
    assert uniform.dtype == np.float64
    assert abs(first.mean().item()) < 0.1
    assert abs(first.std().item() - 1) < 0.1
    assert uniform.min().item() >= 0
    assert uniform.max().item() < 1
    assert abs(uniform.mean().item() - 0.5) < 0.05
    assert minidnn.rand(3).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: minidnn.zeros(2, -1), ValueError, "size must be at least 0, got -1"),
        (lambda: minidnn.ones(2.5), TypeError, "size must be an integer, got 2.5"),
        (lambda: minidnn.randn(-1), ValueError, "size must be at least 0, got -1"),
        (lambda: minidnn.full((2,), "text"), TypeError, "fill_value must hold numbers, got 'text'"),
        (lambda: minidnn.arange(0, 5, 0), ValueError, "step must not be 0"),
        (lambda: minidnn.arange(0, 5, -1), ValueError, "step -1 leads away from 5, starting at 0"),
        (lambda: minidnn.eye(-1), ValueError, "n must be at least 0, got -1"),
        (lambda: minidnn.zeros(2, dtype="float16"), TypeError, "got float16"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
