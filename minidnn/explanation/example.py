"""The numbers of an example: drawn so that they are easy to follow, computed by the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import kernels
from kernels.array import Array, check_integer
from kernels.window import pair
from minidnn.explanation.content import Grid, Index
from minidnn.tensor import Tensor

LARGEST = 20_000  # elements or products of an example; beyond it nobody reads the sums
_SHOWN = 12  # rows and columns of a plane, around what is marked
_PLANES = 6


class Draws:
    """Random numbers with few digits.

    Args:
        seed: decides all of them.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(check_integer("seed", seed, minimum=0))

    def whole(self, shape: Sequence[int], low: int = -3, high: int = 9) -> Array:
        """Integers from low to high."""
        check_example_size("elements", math.prod(shape))
        return self._generator.integers(low, high + 1, tuple(shape)).astype(np.float64)

    def halves(self, shape: Sequence[int]) -> Array:
        """Multiples of a half from -2 to 2, without 0."""
        check_example_size("elements", math.prod(shape))
        drawn = self._generator.integers(0, 8, tuple(shape))
        return np.where(drawn < 4, drawn - 4, drawn - 3) / 2.0

    def tenths(self, shape: Sequence[int], low: float = -1.0, high: float = 1.0) -> Array:
        """Multiples of a tenth from low to high, without 0."""
        check_example_size("elements", math.prod(shape))
        drawn = self._generator.integers(round(10 * low), round(10 * high), tuple(shape))
        return np.round(np.where(drawn < 0, drawn, drawn + 1) / 10.0, 1)


def check_example_size(what: str, count: int) -> None:
    """Require an example that a person can follow (ValueError otherwise)."""
    if count > LARGEST:
        raise ValueError(
            f"an example must have at most {LARGEST:,} {what}, got {count:,}; `minidnn cost` takes any size"
        )


class Worked(NamedTuple):
    """What the engine computed.

    Attributes:
        y: the output.
        grad_y: the upstream gradient.
        gradients: of the inputs, by name.
    """

    y: Array
    grad_y: Array
    gradients: Mapping[str, Array]


def work_out(
    function: Callable[..., Tensor], inputs: Mapping[str, Array | None], grad_y: Callable[[Index], Array]
) -> Worked:
    """Run the engine forward and backward, on the kernels whose text is the definition.

    Args:
        function: called with a Tensor for each input.
        inputs: arrays by name; all get a gradient. None stays None.
        grad_y: makes the upstream gradient for the output's shape.
    """
    tensors = {
        name: None if array is None else Tensor(array.copy(), requires_grad=True)
        for name, array in inputs.items()
    }
    with kernels.use(backend="reference"):
        y = function(*tensors.values())
        upstream = grad_y(y.shape)
        y.backward(Tensor(upstream))
    gradients = {
        name: tensor.grad.numpy()
        for name, tensor in tensors.items()
        if tensor is not None and tensor.grad is not None
    }
    return Worked(y.numpy(), upstream, gradients)


def planes(name: str, array: Array, marked: Iterable[Index] = ()) -> tuple[Grid, ...]:
    """An array of any rank as its last two axes' planes, the marked ones first where there are too many."""
    marks = list(marked)
    if array.ndim < 2:
        row = array.reshape(1, -1)
        return (
            _plane(name, row, [(0, *index) if index else (0, 0) for index in marks], bare=array.ndim == 0),
        )
    leading = list(np.ndindex(array.shape[:-2]))
    leading.sort(key=lambda index: index not in {mark[:-2] for mark in marks})
    chosen = sorted(leading[:_PLANES])
    return tuple(
        _plane(
            at_plane(name, index),
            array[index],
            [(mark[-2], mark[-1]) for mark in marks if mark[:-2] == index],
        )
        for index in chosen
    )


def at_plane(name: str, index: Index) -> str:
    """A plane's name: x[0,1]."""
    return f"{name}[{','.join(map(str, index))}]" if index else name


def _plane(name: str, plane: Array, marks: list[Index], bare: bool = False) -> Grid:
    """A plane, or the part around what is marked."""
    rows = _part(plane.shape[0], [row for row, _ in marks])
    columns = _part(plane.shape[1], [column for _, column in marks])
    cut = len(rows) < plane.shape[0] or len(columns) < plane.shape[1]
    return Grid(
        f"{name} (part of {plane.shape[0]}x{plane.shape[1]})" if cut else name,
        tuple(tuple(float(value) for value in plane[row, columns]) for row in rows),
        frozenset(
            (row - rows[0], column - columns[0]) for row, column in marks if row in rows and column in columns
        ),
        () if bare or plane.shape[0] == 1 else tuple(map(str, rows)),
        () if bare else tuple(map(str, columns)),
    )


def _part(length: int, marks: list[int]) -> range:
    if length <= _SHOWN:
        return range(length)
    middle = (min(marks) + max(marks)) // 2 if marks else 0
    first = min(max(middle - _SHOWN // 2, 0), length - _SHOWN)
    return range(first, first + _SHOWN)


def middle(shape: Sequence[int]) -> Index:
    """The entry in the middle of the last two axes, at the start of the others."""
    leading = len(shape) - 2
    return tuple(length // 2 if axis >= leading else 0 for axis, length in enumerate(shape))


def arguments_shape(size: Any) -> tuple[int, int]:
    """--size as (height, width), each at least 1."""
    return pair("size", size, minimum=1)
