"""Tensors as Python objects, and their conversions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor


def test_numbers() -> None:
    x = Tensor(np.array([[2.5]]))
    assert x.item() == 2.5
    assert float(x) == 2.5
    assert int(x) == 2
    assert complex(x) == 2.5
    assert bool(x) is True
    assert bool(Tensor(0)) is False
    assert [10, 20, 30][Tensor(1)] == 20
    assert f"{Tensor(2.0):.3f}" == "2.000"
    assert f"{x}" == str(x)
    assert Tensor([[1, 2]]).tolist() == [[1, 2]]


def test_sizes() -> None:
    x = Tensor(np.zeros((2, 3)))
    assert x.dim() == 2
    assert x.numel() == 6
    assert x.size() == (2, 3)
    assert x.size(-1) == 3
    assert x.is_floating_point()
    assert not Tensor([1]).is_floating_point()


def test_conversions() -> None:
    x = Tensor([1.5, 0.0])
    assert x.double().dtype == np.float64
    assert x.float() is x
    assert x.long().tolist() == [1, 0]
    assert x.int().dtype == np.int32
    assert x.bool().tolist() == [True, False]
    assert x.to(np.float64).dtype == np.float64
    assert x.to("float64").dtype == np.float64
    assert x.to(dtype="int64").dtype == np.int64
    assert x.to(Tensor(np.ones(1))).dtype == np.float64
    assert x.to("cpu") is x
    assert x.to("cpu", np.float64).dtype == np.float64
    assert x.to(device="cpu") is x
    assert x.cpu() is x


def test_gradients_flow_through_conversions_in_their_own_dtype() -> None:
    x = Tensor([1.5, 2.0], requires_grad=True)
    (x.double() * np.array([2.0, 3.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [2.0, 3.0]
    assert not x.long().requires_grad


TWO = Tensor(np.ones(2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: TWO.item(), ValueError, "item needs exactly one element, this tensor has shape (2,)"),
        (lambda: bool(TWO), ValueError, "the truth of a tensor of shape (2,) is ambiguous"),
        (lambda: float(TWO), ValueError, "item needs exactly one element"),
        (lambda: [1][TWO], TypeError, "only a scalar can be an index, this tensor has shape (2,)"),
        (lambda: [1][Tensor(0.5)], TypeError, "cannot be interpreted as an integer"),
        (lambda: TWO.to("tpu"), ValueError, "device must be one of 'cpu', 'gpu', 'emulator', got 'tpu'"),
        (lambda: TWO.to(3.5), TypeError, "dtype must be a NumPy dtype or its name, got 3.5"),
        (
            lambda: TWO.to("float16"),
            TypeError,
            "x must be float32 to become float16, and the reverse, got float64",
        ),
        (lambda: TWO.size(1), ValueError, "dim must be in [-1, 0] for 1 dimensions, got 1"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_masked_select_takes_masks_only_and_broadcasts() -> None:
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    chosen = x.masked_select(np.array([True, False, True]))
    assert np.array_equal(chosen.detach().numpy(), [0, 2, 3, 5])
    chosen.backward(np.array([1.0, 2.0, 3.0, 4.0]))
    assert np.array_equal(x.grad.numpy(), [[1, 0, 2], [3, 0, 4]])
    with pytest.raises(TypeError, match="mask must be bool, got int64"):
        x.masked_select(np.array([0, 1]))
    with pytest.raises(ValueError, match="do not broadcast"):
        x.masked_select(np.array([True, False]))


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "any", "argmax", "var"])
def test_keepdim_is_a_flag(name: str) -> None:
    with pytest.raises(TypeError, match="keepdim must be True or False, got 'yes'"):
        getattr(Tensor(np.ones((2, 3))), name)(0, keepdim="yes")
