"""Indexing of tensors: against PyTorch, against differences, assignment and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor
from tests.kernels.sample import Draw
from tests.minidnn.operators.table import OperatorCase, check_against_torch, check_gradients, on

SHAPE = (3, 4, 5)
ROWS = np.array([2, 0, 2, -1])
MASK = np.arange(12).reshape(3, 4) % 3 == 0
# An index, and what it is called. PyTorch understands every one of them.
KEYS: dict[str, Any] = {
    "row": 1,
    "last-row": -1,
    "element": (1, -1, 2),
    "slice": slice(1, None),
    "steps": (slice(None, None, 2), slice(1, 4, 2)),
    "nothing": slice(2, 1),
    "new-axis": (None, slice(None), None, 1),
    "ellipsis": (..., 2),
    "ellipsis-between": (0, ..., slice(1, 3)),
    "everything": ...,
    "list": [2, 0, 2],
    "array": ROWS,
    "grid": np.array([[0, 1], [2, 2]]),
    "second-axis": (slice(None), ROWS),
    "last-axis": (..., ROWS),
    "pairs": (np.array([0, 1]), np.array([2, 3])),
    "outer": (np.array([[0], [2]]), np.array([1, 3, 3])),
    "neighbours": (slice(None), np.array([0, 3]), np.array([1, 4])),
    "apart": (np.array([0, 2]), slice(None), np.array([1, 4])),
    "number-and-array": (0, slice(None), np.array([1, 4])),
    "number-between-arrays": (np.array([0, 2]), 1, np.array([1, 4])),
    "slice-and-array": (slice(1, None), ROWS, slice(None, None, 2)),
    "new-axis-and-array": (None, slice(1, 3), None, ROWS),
    "empty-list": [],
    "mask": MASK,
    "mask-of-an-axis": np.array([True, False, True]),
    "mask-of-the-last-axes": (1, np.arange(20).reshape(4, 5) % 2 == 0),
    "mask-and-array": (np.array([True, False, True]), np.array([1, 3])),
    "mask-and-slice": (slice(None), np.array([True, False, True, True]), slice(2)),
    "empty-mask": np.zeros((3, 4), bool),
}


def theirs(key: Any, x: Any) -> Any:
    """The key with arrays as PyTorch wants them."""
    if isinstance(x, Tensor):
        return key
    import torch

    parts = key if isinstance(key, tuple) else (key,)
    return tuple(torch.from_numpy(part) if isinstance(part, np.ndarray) else part for part in parts)


def assigned(x: Any, key: Any, value: Any) -> Any:
    """x with value at the key; also the old values, so that both gradients are seen."""
    changed = x * 2
    changed[theirs(key, x)] = value
    return changed


def value_shape(key: Any) -> tuple[int, ...]:
    """The shape that PyTorch's rule gives: numbers first, then what NumPy does with the rest."""
    parts = key if isinstance(key, tuple) else (key,)
    numbers = tuple(slice(part, part + 1 or None) if isinstance(part, int) else part for part in parts)
    arrays = any(isinstance(part, np.ndarray | list) for part in parts)
    if not arrays or not any(isinstance(part, int) for part in parts):
        return np.zeros(SHAPE)[key].shape
    assert not any(part is None or part is Ellipsis for part in parts)
    view = np.zeros(SHAPE)[tuple(part if isinstance(part, slice) else slice(None) for part in numbers)]
    view = view.squeeze(tuple(i for i, part in enumerate(parts) if isinstance(part, int)))
    return view[tuple(part for part in parts if not isinstance(part, int))].shape


UNIQUE = {
    name: key for name, key in KEYS.items() if name not in ("list", "array", "second-axis", "last-axis")
}
INDEX = np.array([[0, 3, 3], [1, 0, 2]])


def with_index(
    label: str, call: Callable[..., Any], shape: tuple[int, ...], index: np.ndarray
) -> OperatorCase:
    return OperatorCase(label, call, lambda draw: [draw.normal(*shape), index])


CASES = [
    *(on(f"get-{name}", lambda x, key=key: x[theirs(key, x)], SHAPE) for name, key in KEYS.items()),
    *(
        on(
            f"set-{name}",
            lambda x, value, key=key: assigned(x, key, value),
            SHAPE,
            value_shape(key),
        )
        for name, key in UNIQUE.items()
        if name not in ("grid", "outer", "slice-and-array", "new-axis-and-array")
    ),
    on("set-a-number", lambda x: assigned(x, (slice(None), 1), 3.5), SHAPE),
    on("set-a-scalar", lambda x, value: assigned(x, MASK, value), SHAPE, ()),
    on("set-stretched", lambda x, value: assigned(x, (0, slice(1, 3)), value), SHAPE, (2, 1)),
    on("set-leading-ones", lambda x, value: assigned(x, 0, value), SHAPE, (1, 1, 4, 5)),
    on("set-leading-ones-at-indices", lambda x, value: assigned(x, [0, 2], value), SHAPE, (1, 1, 4, 5)),
    with_index("gather", lambda x, index: x.gather(1, index), (2, 4), INDEX),
    with_index("gather-fewer", lambda x, index: x.gather(0, index), (5, 4), INDEX),
    with_index("gather-negative-axis", lambda x, index: x.gather(-1, index), (3, 4), INDEX),
    with_index("index-select", lambda x, index: x.index_select(1, index), (2, 4, 2), INDEX[0]),
    with_index("masked-select", lambda x, mask: x.masked_select(mask), (3, 4), MASK),
    with_index("nonzero", lambda x, mask: mask.nonzero(), (1,), MASK),
    with_index("tensor-keys", lambda x, index: x[index, 1:], (4, 3), INDEX),
    with_index("scalar-tensor-key", lambda x, index: x[index], (4, 3), np.array(2)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_torch(case: OperatorCase) -> None:
    if case.label.startswith(("get", "set")):
        pytest.importorskip("torch", reason="torch is not installed")
    check_against_torch(case)


@pytest.mark.parametrize("case", [case for case in CASES if case.smooth], ids=str)
def test_gradients(case: OperatorCase) -> None:
    check_gradients(case)


@pytest.mark.parametrize("name", KEYS)
def test_assignment_without_gradients_writes_into_the_memory(name: str) -> None:
    """The same values as the recorded assignment, in the old memory."""
    values = Draw(3).normal(*SHAPE)
    plain, recorded = Tensor(values.copy()), Tensor(values.copy(), requires_grad=True) * 1
    memory = plain.data
    new = Draw(4).normal(*Tensor(values)[KEYS[name]].shape)
    plain[KEYS[name]] = new
    recorded[KEYS[name]] = new
    assert plain.data is memory
    assert np.array_equal(memory, recorded.detach().numpy())
    assert plain[KEYS[name]].shape == new.shape


def test_assignment_converts_to_the_tensors_dtype() -> None:
    x = Tensor([1, 2, 3])
    x[0] = 7.9
    x[1:] = np.array([True, False])
    assert x.tolist() == [7, 1, 0]
    source = Tensor(np.array([0.5, 0.25]), requires_grad=True)
    y = Tensor([0.0, 0.0])
    y[:] = source
    (y * Tensor([2.0, 4.0])).sum().backward()
    assert source.grad is not None
    assert source.grad.dtype == np.float64
    assert source.grad.tolist() == [2.0, 4.0]


def test_assignment_counts_as_a_change() -> None:
    x = Tensor(np.ones(3))
    weight = Tensor(np.ones(3), requires_grad=True)
    product = x * weight
    x[0] = 5
    with pytest.raises(ValueError, match="was changed in place"):
        product.sum().backward()
    with pytest.raises(ValueError, match="a leaf that requires grad cannot be changed in place"):
        weight[0] = 1
    with minidnn.no_grad():
        weight[0] = 4
    assert weight.tolist() == [4.0, 1.0, 1.0]


def test_the_index_may_change_afterwards() -> None:
    index = np.array([0, 1])
    x = Tensor(np.arange(3.0), requires_grad=True)
    taken = x[index]
    index[:] = 2
    taken.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 0.0]


def test_negative_steps() -> None:
    """NumPy's tensors can be read backwards; PyTorch has no such view."""
    x = Tensor(np.arange(4.0), requires_grad=True)
    backwards = x[::-1]
    assert backwards.tolist() == [3.0, 2.0, 1.0, 0.0]
    backwards.backward(np.array([1.0, 2.0, 3.0, 4.0]))
    assert x.grad is not None
    assert x.grad.tolist() == [4.0, 3.0, 2.0, 1.0]


def test_loops_over_a_tensor_end() -> None:
    x = Tensor(np.arange(6.0).reshape(3, 2))
    assert [row.tolist() for row in x] == x.tolist()
    assert len(x) == 3
    with pytest.raises(TypeError, match="a scalar cannot be iterated over"):
        iter(Tensor(1.0))
    with pytest.raises(TypeError, match="a scalar has no length"):
        len(Tensor(1.0))


X = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: X[2], IndexError, "index 2 is out of bounds for axis 0 with size 2"),
        (lambda: X[[0, 2]], IndexError, "indices[0] holds 2, but axis 0 has length 2"),
        (lambda: X[0, 0, 0], IndexError, "3 indices are too many for a tensor of shape (2, 3)"),
        (lambda: X[..., 0, ...], IndexError, "an index may hold one Ellipsis (...) only"),
        (
            lambda: X[0.5],
            TypeError,
            "an index must be an integer, slice, None, ..., integers or a mask, got 0.5",
        ),
        (lambda: X[[0.5]], TypeError, "an index must be an integer"),
        (lambda: X["text"], TypeError, "an index must be an integer"),
        (lambda: X[True], TypeError, "an index must be an integer"),
        (
            lambda: X[np.ones((3, 2), bool)],
            IndexError,
            "a mask of shape (3, 2) cannot index axes of shape (2, 3)",
        ),
        (lambda: X[Tensor([0.5])], TypeError, "an index must be an integer"),
        (lambda: X.gather(1, np.array([[0.5]])), TypeError, "index must be an int64 array, got float64"),
        (lambda: X.gather(2, np.array([[0]])), ValueError, "dim must be in [-2, 1]"),
        (lambda: X.index_select(0, np.array([[0]])), ValueError, "index must be a vector, got shape (1, 1)"),
        (lambda: (X * 1).__setitem__(0, np.ones(2)), ValueError, "could not broadcast"),
        (lambda: _recorded().__setitem__(0, np.ones(2)), ValueError, "values must broadcast to shape (3,)"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def _recorded() -> Tensor:
    return Tensor(np.ones((2, 3)), requires_grad=True) * 1
