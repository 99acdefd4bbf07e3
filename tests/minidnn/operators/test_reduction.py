"""Reductions of tensors: against PyTorch, against differences, dtypes and refusals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor
from tests.minidnn.operators.table import (
    OperatorCase,
    check_against_torch,
    check_gradients,
    few,
    on,
    positive,
)

# label: shape, dim, keepdim
PLACES: dict[str, tuple[tuple[int, ...], Any, bool]] = {
    "first": ((3, 4), 0, False),
    "last-kept": ((2, 1, 5), -1, True),
    "two": ((2, 3, 4), (0, -1), False),
    "two-kept": ((2, 3, 4), (2, 1), True),
    "scalar": ((), 0, False),
}
REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda x, dim, keepdim: x.sum(dim, keepdim),
    "mean": lambda x, dim, keepdim: x.mean(dim=dim, keepdim=keepdim),
    "amax": lambda x, dim, keepdim: x.amax(dim, keepdim),
    "amin": lambda x, dim, keepdim: x.amin(dim, keepdim),
    "norm": lambda x, dim, keepdim: x.norm(dim=dim, keepdim=keepdim),
    "norm-1": lambda x, dim, keepdim: x.norm(p=1, dim=dim, keepdim=keepdim),
    "norm-inf": lambda x, dim, keepdim: x.norm(p=math.inf, dim=dim, keepdim=keepdim),
}


def reduced(name: str, place: str) -> OperatorCase:
    shape, dim, keepdim = PLACES[place]
    return on(f"{name}-{place}", lambda x: REDUCTIONS[name](x, dim, keepdim), shape)


CASES = [
    *(reduced(name, place) for name in REDUCTIONS for place in PLACES),
    on("sum-all", lambda x: x.sum(), (3, 4)),
    on("sum-empty-tuple", lambda x: x.sum(dim=()), (3, 4)),
    on("sum-list", lambda x: x.sum(dim=[0, 1]), (3, 4, 2)),
    on("sum-of-nothing", lambda x: x.sum(0) + x.sum(), (0, 3)),
    on("sum-of-an-empty-batch", lambda x: x.sum(1), (0, 3)),
    on("mean-all", lambda x: x.mean(), (3, 4)),
    on("mean-of-nothing", lambda x: x.mean(0), (0, 3), smooth=False),
    on("prod-all", lambda x: x.prod(), (2, 3)),
    on("prod-last", lambda x: x.prod(-1), (2, 3)),
    on("prod-first-kept", lambda x: x.prod(dim=0, keepdim=True), (4, 3)),
    few("prod-with-zeros", lambda x: x.prod(1), (12, 3)),
    on("prod-scalar", lambda x: x.prod(), ()),
    on("prod-of-nothing", lambda x: x.prod(0), (0, 3)),
    on("max-all", lambda x: x.max(), (3, 4)),
    few("max-all-ties", lambda x: x.max() + x.min(), (30,)),
    few("amax-ties", lambda x: x.amax((0, 2)) * 2 + x.amin((0, 2)), (4, 2, 5)),
    on("max-along", lambda x: tuple(x.max(1)), (3, 4)),
    on("max-along-kept", lambda x: tuple(x.max(dim=-2, keepdim=True)), (2, 3, 4)),
    on("min-along", lambda x: tuple(x.min(0)), (3, 4)),
    on("min-along-kept", lambda x: tuple(x.min(dim=1, keepdim=True)), (2, 3, 4)),
    on("max-scalar-along", lambda x: tuple(x.max(0)), ()),
    few("max-along-ties", lambda x: tuple(x.max(1)), (6, 5)),
    few("min-along-ties", lambda x: tuple(x.min(0)), (6, 5)),
    on("max-of-two", lambda x, y: x.max(y) + x.min(y), (3, 4), (4,)),
    on("max-of-an-empty-batch", lambda x: x.max(1).values, (0, 3)),
    few("arg", lambda x: (x.argmax(), x.argmin(0), x.argmax(1, keepdim=True), x.argmin(dim=-1)), (4, 5)),
    few("any-and-all", lambda x: (x.any(), x.all(1), x.any(dim=0, keepdim=True), x.all()), (4, 3)),
    on("cumsum", lambda x: x.cumsum(1), (2, 4, 3)),
    on("cumsum-last", lambda x: x.cumsum(dim=-1), (2, 4)),
    on("cumsum-empty", lambda x: x.cumsum(0), (0, 2)),
    on("var-all", lambda x: x.var(), (3, 4)),
    on("var-biased", lambda x: x.var(1, False), (3, 4)),
    on("var-kept", lambda x: x.var(dim=(0, 2), keepdim=True), (3, 2, 4)),
    on("var-correction", lambda x: x.var(dim=0, correction=2), (5, 2)),
    on("std-all", lambda x: x.std(), (3, 4)),
    on("std-last", lambda x: x.std(-1, unbiased=False, keepdim=True), (3, 4)),
    on("std-correction", lambda x: x.std(dim=(0, 1), correction=0), (3, 4, 2)),
    on("norm-all", lambda x: x.norm(), (3, 4)),
    on("norm-fro", lambda x: x.norm("fro", dim=(0, 1)), (3, 4, 2)),
    on("norm-at-zero", lambda x: (x * 0).norm(dim=1), (3, 4), smooth=False),
    on("std-of-equals", lambda x: (x * 0).std(1, False), (3, 4), smooth=False),
    positive("mean-of-a-stretched-view", lambda x: x.expand(4, 3).mean(0) * x, (1, 3)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_torch(case: OperatorCase) -> None:
    check_against_torch(case)


@pytest.mark.parametrize("case", [case for case in CASES if case.smooth], ids=str)
def test_gradients(case: OperatorCase) -> None:
    check_gradients(case)


def test_integers_and_truths_are_counted_in_int64() -> None:
    x = Tensor(np.array([[1, 2], [3, 4]], np.int8))
    for result, value in ((x.sum(), 10), (x.prod(), 24), (Tensor([True, True]).sum(), 2)):
        assert result.dtype == np.int64
        assert result.item() == value
    assert x.cumsum(0).tolist() == [[1, 2], [4, 6]]
    assert x.max().dtype == np.int8
    assert x.any().item() is True
    assert Tensor([True, False]).all().item() is False


def test_what_has_no_gradient_has_no_history() -> None:
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    assert not x.argmax().requires_grad
    assert not x.any().requires_grad
    values, indices = x.max(1)
    assert values.requires_grad
    assert not indices.requires_grad
    assert x.max(1).indices.tolist() == [0, 0]


def test_writing_into_the_indices_does_not_change_the_gradient() -> None:
    x = Tensor(np.array([[1.0, 2.0]]), requires_grad=True)
    values, indices = x.max(1)
    indices.fill_(0)
    values.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 1.0]]


def test_a_variance_without_degrees_of_freedom_is_nan() -> None:
    x = Tensor(np.ones((1, 2)))
    assert np.isnan(x.var(0).numpy()).all()
    assert np.isnan(x.std(0).numpy()).all()


ONE = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ONE.sum(2), ValueError, "axes must be in [-2, 1] for 2 dimensions, got 2"),
        (lambda: ONE.sum((0, 0)), ValueError, "axes must name each axis once, got (0, 0)"),
        (lambda: ONE.sum(0.5), TypeError, "axes must be an integer, got 0.5"),
        (lambda: Tensor([1]).mean(), TypeError, "mean needs a floating tensor, this one is int64"),
        (lambda: Tensor([1]).var(), TypeError, "var needs a floating tensor, this one is int64"),
        (lambda: Tensor([1]).norm(), TypeError, "norm needs a floating tensor, this one is int64"),
        (lambda: ONE.norm(3), ValueError, "p must be 1, 2, 'fro' or infinity, got 3"),
        (lambda: Tensor(np.ones((0, 2))).max(), ValueError, "the maximum over axes (0, 1) needs an element"),
        (lambda: Tensor(np.ones((0, 2))).min(0), ValueError, "the argmin over axes (0,) needs an element"),
        (lambda: ONE.max(3), ValueError, "dim must be in [-2, 1] for 2 dimensions, got 3"),
        (lambda: ONE.max(0.5), TypeError, "dim must be an integer, got 0.5"),
        (lambda: ONE.cumsum(None), TypeError, "axis must be an integer, got None"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
