"""Tensor's construction, interchange, copies and looks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        (1.5, "float32", ()),
        ([1, 2], "int64", (2,)),
        ([[True], [False]], "bool", (2, 1)),
        ([1, 2.5], "float32", (2,)),
        (np.arange(3, dtype=np.int32), "int32", (3,)),
        (np.float64(2), "float64", ()),
        (np.ones((2, 0)), "float64", (2, 0)),
        ([], "float32", (0,)),
        ([Tensor([1.0]), Tensor([2.0])], "float32", (2, 1)),
    ],
)
def test_values_become_arrays(value: Any, dtype: str, shape: tuple[int, ...]) -> None:
    made = Tensor(value)
    assert made.dtype == dtype
    assert made.shape == shape
    assert made.ndim == len(shape)


@pytest.mark.parametrize("value", ["text", [None], object(), {"a": 1}])
def test_what_is_not_numbers_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="array must hold numbers, got"):
        Tensor(value)


def test_tensor_copies_and_from_numpy_shares() -> None:
    array = np.zeros(2)
    copied, shared = minidnn.tensor(array, dtype="float32"), minidnn.from_numpy(array)
    array[0] = 5
    assert copied.numpy()[0] == 0
    assert copied.dtype == np.float32
    assert shared.numpy()[0] == 5
    with pytest.raises(TypeError, match="array must be a NumPy array, got list"):
        minidnn.from_numpy([1.0])  # type: ignore[arg-type]
    assert minidnn.as_tensor(shared) is shared
    assert minidnn.as_tensor(shared, dtype=np.float32).dtype == np.float32


def test_numpy_shares_memory_and_is_read_only_where_a_gradient_depends_on_it() -> None:
    plain = Tensor(np.zeros(2))
    plain.numpy()[0] = 3
    assert plain.data[0] == 3
    watched = Tensor(np.zeros(2), requires_grad=True)
    with pytest.raises(ValueError, match="read-only"):
        watched.numpy()[0] = 3
    watched.detach().numpy()[0] = 4
    assert watched.data[0] == 4


def test_numpy_functions_take_tensors() -> None:
    x = Tensor(np.arange(3.0))
    assert np.array_equal(np.asarray(x), [0, 1, 2])
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    assert np.shares_memory(np.asarray(x), x.data)
    assert isinstance(np.ones(3) + x, Tensor)
    assert isinstance(np.float64(2) * x, Tensor)


def test_dlpack_with_numpy_shares_memory() -> None:
    x = Tensor(np.arange(6.0).reshape(2, 3))
    assert np.shares_memory(np.from_dlpack(x), x.data)
    back = minidnn.from_dlpack(x.data)
    back.data[0, 0] = 9
    assert x.data[0, 0] == 9
    with pytest.raises(ValueError, match="cannot be exported by DLPack; use detach"):
        np.from_dlpack(Tensor(np.ones(1), requires_grad=True))


def test_dlpack_with_torch_shares_memory_both_ways() -> None:
    torch = pytest.importorskip("torch")
    ours = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    theirs = torch.from_dlpack(ours)
    theirs[1, 2] = 50
    assert ours.data[1, 2] == 50
    again = minidnn.from_dlpack(torch.arange(4.0))
    assert np.array_equal(again.numpy(), [0, 1, 2, 3])
    source = torch.zeros(3)
    shared = minidnn.from_dlpack(source)
    source[0] = 7
    assert shared.data[0] == 7


def test_requires_grad() -> None:
    x = Tensor([1.0]).requires_grad_()
    assert x.requires_grad
    assert x.is_leaf
    y = x * 2.0
    assert y.requires_grad
    assert not y.is_leaf
    assert repr(y.grad_fn) == "<Multiply>"
    with pytest.raises(ValueError, match="requires_grad of a computed tensor cannot be set to False"):
        y.requires_grad = False
    with pytest.raises(TypeError, match="only floating tensors can require gradients, this one is int64"):
        Tensor([1], requires_grad=True)
    assert not y.detach().requires_grad


def test_integer_results_do_not_require_grad() -> None:
    x = Tensor([3.0, 1.0], requires_grad=True)
    assert not (x > 2.0).requires_grad
    assert not x.argmax().requires_grad


def test_data_keeps_its_shape() -> None:
    x = Tensor([1.0, 2.0])
    x.data = np.array([3.0, 4.0])
    assert np.array_equal(x.numpy(), [3, 4])
    with pytest.raises(ValueError, match=r"data must have shape \(2,\), got \(3,\)"):
        x.data = np.ones(3)


def test_retain_grad_and_hooks_need_a_gradient() -> None:
    x = Tensor([1.0])
    with pytest.raises(ValueError, match="retain_grad needs a tensor that requires grad"):
        x.retain_grad()
    with pytest.raises(ValueError, match="register_hook needs a tensor that requires grad"):
        x.register_hook(lambda gradient: gradient)


def test_copies_of_leaves() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    twin = copy.deepcopy(x)
    assert x.grad is not None
    assert twin.grad is not None
    assert twin.requires_grad
    assert np.array_equal(twin.grad.numpy(), x.grad.numpy())
    assert not np.shares_memory(twin.data, x.data)
    again = pickle.loads(pickle.dumps(x))
    assert np.array_equal(again.numpy(), x.numpy())
    assert again.requires_grad
    for copying in (copy.deepcopy, pickle.dumps):
        with pytest.raises(ValueError, match="only leaf tensors can be"):
            copying(x * 2.0)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: Tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (lambda: Tensor(np.array([1.0])), "tensor([1.], dtype=float64)"),
        (lambda: Tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: Tensor([1.0], requires_grad=True) * 2.0, "tensor([2.], grad_fn=<Multiply>)"),
        (lambda: Tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
        (lambda: Tensor(np.ones((0, 3), np.float32)), "tensor([], size=(0, 3))"),
        (lambda: Tensor(3.0), "tensor(3.)"),
    ],
)
def test_repr(made: Any, text: str) -> None:
    assert repr(made()) == text


def test_a_large_tensor_is_abbreviated() -> None:
    assert len(repr(Tensor(np.zeros((100, 100))))) < 1000


def test_retained_gradient_follows_a_change_in_place() -> None:
    x = minidnn.Tensor(np.array([1.0, -2.0, 3.0]), requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.mul_(5)
    y.sum().backward()
    assert np.array_equal(y.grad.numpy(), [1, 1, 1])  # of the value that y holds now
    assert np.array_equal(x.grad.numpy(), [10, 10, 10])
