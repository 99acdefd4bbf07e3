"""Other shapes for the same elements: against PyTorch, against differences, views and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor
from tests.minidnn.operators.table import OperatorCase, check_against_torch, check_gradients, on

CASES = [
    on("reshape", lambda x: x.reshape(4, 3), (2, 6)),
    on("reshape-sequence", lambda x: x.reshape((3, 2, 2)), (2, 6)),
    on("reshape-inferred", lambda x: x.reshape(-1, 2), (2, 3, 4)),
    on("reshape-to-scalar", lambda x: x.reshape(()), (1, 1)),
    on("reshape-empty", lambda x: x.reshape(3, 0, 2), (0, 3)),
    on("reshape-of-a-transposed", lambda x: x.transpose(0, 1).reshape(6), (2, 3)),
    on("view", lambda x: x.contiguous().view(3, -1), (2, 6)),
    on("flatten", lambda x: x.flatten(), (2, 3, 2)),
    on("flatten-from", lambda x: x.flatten(1), (2, 3, 2)),
    on("flatten-between", lambda x: x.flatten(1, -2), (2, 3, 2, 2)),
    on("flatten-one", lambda x: x.flatten(1, 1), (2, 3)),
    on("flatten-scalar", lambda x: x.flatten(), ()),
    on("flatten-empty", lambda x: x.flatten(1), (0, 3, 2)),
    on("unflatten", lambda x: x.unflatten(1, (2, -1)), (2, 6, 3)),
    on("unflatten-last", lambda x: x.unflatten(-1, (3, 2)), (2, 6)),
    on("squeeze", lambda x: x.squeeze(), (1, 3, 1, 2)),
    on("squeeze-one", lambda x: x.squeeze(0), (1, 3, 1, 2)),
    on("squeeze-nothing", lambda x: x.squeeze(1), (1, 3)),
    on("squeeze-several", lambda x: x.squeeze((0, -2)), (1, 3, 1, 2)),
    on("unsqueeze", lambda x: x.unsqueeze(1), (2, 3)),
    on("unsqueeze-last", lambda x: x.unsqueeze(-1), (2, 3)),
    on("unsqueeze-scalar", lambda x: x.unsqueeze(0), ()),
    on("transpose", lambda x: x.transpose(0, 2), (2, 3, 4)),
    on("transpose-negative", lambda x: x.transpose(-1, 1), (2, 3, 4)),
    on("transpose-scalar", lambda x: x.transpose(0, -1), ()),
    on("permute", lambda x: x.permute(2, 0, 1), (2, 3, 4)),
    on("permute-sequence", lambda x: x.permute((1, -1, 0)), (2, 3, 4)),
    on("T", lambda x: x.T * 2, (2, 3)),
    on("mT", lambda x: x.mT * 2, (2, 3, 4)),
    on("expand", lambda x: x.expand(4, 3), (1, 3)),
    on("expand-keeps", lambda x: x.expand(-1, 5, -1), (2, 1, 3)),
    on("expand-leading", lambda x: x.expand(2, 4, 3), (3,)),
    on("expand-scalar", lambda x: x.expand(2, 3), ()),
    on("expand-to-nothing", lambda x: x.expand(0, 3), (1, 3)),
    on("expand-as", lambda x, y: x.expand_as(y) * y, (1, 3), (2, 3)),
    on("broadcast-to", lambda x: x.broadcast_to((2, 2, 3)), (1, 3)),
    on("repeat", lambda x: x.repeat(2, 3), (2, 2)),
    on("repeat-leading", lambda x: x.repeat(2, 1, 3), (2, 2)),
    on("repeat-never", lambda x: x.repeat(0, 1), (2, 2)),
    on("narrow", lambda x: x.narrow(1, 1, 2), (3, 4)),
    on("narrow-from-the-end", lambda x: x.narrow(0, -2, 2), (3, 4)),
    on("narrow-nothing", lambda x: x.narrow(0, 3, 0), (3, 4)),
    on("select", lambda x: x.select(1, -1), (3, 4, 2)),
    on("split", lambda x: x.split(2), (5, 2)),
    on("split-exact", lambda x: x.split(2, dim=1), (2, 4)),
    on("split-sizes", lambda x: x.split([1, 0, 3], dim=-1), (2, 4)),
    on("split-nothing", lambda x: x.split(2), (0, 3)),
    on("chunk", lambda x: x.chunk(3), (7, 2)),
    on("chunk-fewer", lambda x: x.chunk(4, dim=1), (2, 6)),
    on("chunk-nothing", lambda x: x.chunk(3), (0, 2)),
    on("unbind", lambda x: x.unbind(1), (2, 3, 2)),
    on("iterate", lambda x: [row * (i + 1) for i, row in enumerate(x)], (3, 2)),
    on("view-of-a-view", lambda x: x.reshape(6, 2).T.unsqueeze(0).expand(3, 2, 6)[1:, 0], (3, 4)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_torch(case: OperatorCase) -> None:
    check_against_torch(case)


@pytest.mark.parametrize("case", [case for case in CASES if case.smooth], ids=str)
def test_gradients(case: OperatorCase) -> None:
    check_gradients(case)


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "reshape": lambda x: x.reshape(6),
    "view": lambda x: x.view(3, 2),
    "flatten": lambda x: x.flatten(),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "squeeze": lambda x: x.squeeze(),
    "transpose": lambda x: x.transpose(0, 1),
    "permute": lambda x: x.permute(1, 0),
    "T": lambda x: x.T,
    "narrow": lambda x: x.narrow(0, 0, 1),
    "split": lambda x: x.split(1)[1],
    "slice": lambda x: x[:, 1:],
    "row": lambda x: x[1],
    "detach": lambda x: x.detach(),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_and_version(name: str) -> None:
    """A change through a view is noticed by a backward that needs the base."""
    plain = Tensor(np.arange(6.0).reshape(2, 3))
    view = VIEWS[name](plain)
    view.fill_(-1)
    assert (plain == -1).any()
    weight = Tensor(np.ones((2, 3)), requires_grad=True)
    product = plain * weight
    VIEWS[name](plain).zero_()
    with pytest.raises(ValueError, match="was changed in place"):
        product.sum().backward()


def test_copies_do_not_share() -> None:
    x = Tensor(np.arange(6.0).reshape(2, 3))
    copies = [x.T.reshape(6), x.repeat(1, 1), x.clone(), x[[0, 1]], x.T.contiguous(), x.to(np.float32)]
    for copied in copies:
        copied.fill_(-1)
    assert x.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_layout() -> None:
    x = Tensor(np.ones((2, 3)))
    assert x.is_contiguous()
    assert x.contiguous() is x
    assert not x.T.is_contiguous()
    assert x.T.contiguous().is_contiguous()


ONE = Tensor(np.ones((2, 3)))
SCALAR = Tensor(1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ONE.reshape(4), ValueError, "cannot reshape array of size 6 into shape (4,)"),
        (lambda: ONE.reshape(2.0, 3), TypeError, "shape must be an integer, got 2.0"),
        (lambda: ONE.T.view(6), ValueError, "Unable to avoid creating a copy"),
        (lambda: ONE.flatten(1, 0), ValueError, "start_dim must not come after end_dim, got 1 and 0"),
        (lambda: ONE.flatten(2), ValueError, "start_dim must be in [-2, 1]"),
        (lambda: ONE.unflatten(1, (2, 2)), ValueError, "sizes (2, 2) do not multiply to axis 1's length 3"),
        (lambda: ONE.unflatten(1, (2, -1)), ValueError, "sizes (2, -1) do not multiply to axis 1's length 3"),
        (lambda: ONE.unsqueeze(3), ValueError, "dim must be in [-3, 2] for 3 dimensions, got 3"),
        (lambda: ONE.squeeze(2), ValueError, "axes must be in [-2, 1]"),
        (lambda: ONE.transpose(0, 2), ValueError, "dim1 must be in [-2, 1]"),
        (lambda: ONE.permute(0, 0), ValueError, "dims must name each of 2 axes once, got (0, 0)"),
        (lambda: ONE.permute(0), ValueError, "dims must name each of 2 axes once, got (0,)"),
        (lambda: ONE.reshape(1, 2, 3).T, ValueError, "T needs at most 2 dimensions, got shape (1, 2, 3)"),
        (lambda: ONE[0].mT, ValueError, "mT needs at least 2 dimensions, got shape (3,)"),
        (lambda: ONE.expand(3, 3), ValueError, "a tensor of shape (2, 3) cannot be expanded to (3, 3)"),
        (lambda: ONE.expand(3), ValueError, "a tensor of shape (2, 3) cannot be expanded to (3,)"),
        (lambda: ONE.expand(-1, 2, 3), ValueError, "cannot be expanded to (-1, 2, 3)"),
        (lambda: ONE.repeat(2), ValueError, "sizes must name all 2 axes, got (2,)"),
        (lambda: ONE.repeat(2, -1), ValueError, "sizes must be at least 0, got -1"),
        (lambda: ONE.narrow(1, 2, 2), ValueError, "start 2 and length 2 leave axis 1 of length 3"),
        (lambda: ONE.narrow(1, 0, -1), ValueError, "length must be at least 0, got -1"),
        (lambda: ONE.select(0, 2), IndexError, "out of bounds"),
        (lambda: ONE.split(0), ValueError, "split_size must be at least 1, got 0"),
        (lambda: ONE.split([1, 2], 0), ValueError, "split_size must sum up to axis 0's length 2, got (1, 2)"),
        (lambda: SCALAR.split(1), ValueError, "x must have at least 1 dimension to be split"),
        (lambda: ONE.chunk(0), ValueError, "chunks must be at least 1, got 0"),
        (lambda: SCALAR.unbind(), ValueError, "unbind needs at least 1 dimension, got a scalar"),
        (lambda: minidnn.cat([]), ValueError, "tensors must hold at least one tensor, got none"),
        (lambda: minidnn.cat([ONE, SCALAR]), TypeError, "operands have dtypes float64 and float32"),
        (lambda: minidnn.cat([SCALAR, SCALAR]), ValueError, "must have at least 1 dimension, got shape ()"),
        (lambda: minidnn.cat([ONE, ONE[:1]], 1), ValueError, "they may differ along dim 1 only"),
        (lambda: minidnn.stack([]), ValueError, "tensors must hold at least one tensor, got none"),
        (lambda: minidnn.stack([ONE, ONE[0]]), ValueError, "tensors[1] has shape (3,) but tensors[0] has"),
        (lambda: minidnn.stack([ONE], 3), ValueError, "dim must be in [-3, 2] for 3 dimensions, got 3"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_joining_brings_integers_to_the_floating_dtype() -> None:
    assert minidnn.cat([Tensor([1]), Tensor([2.5]), np.array([True])]).tolist() == [1.0, 2.5, 1.0]
    assert minidnn.stack([Tensor([1]), Tensor([True])]).dtype == np.int64
