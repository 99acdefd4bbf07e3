"""Indexing on the GPU: every element of a result gathers what is named for it, see indexing.cu.

Indices in device memory are not looked at before: one beyond its axis reads NaN (0 of integers and bool),
and what it would write or add is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.array import FLOATING, Array
from kernels.cuda.broadcasting import MOST_AXES, Shape, collapse, front_padded
from kernels.cuda.launch import C_TYPES, Source, array_module, c_type, contiguous, empty_beside
from kernels.elementwise import copy
from kernels.indexing import (
    Indices,
    Key,
    gather_backward,
    gather_forward,
    index_assign,
    index_backward,
    index_forward,
    nonzero,
    slice_assign,
    slice_backward,
    taken_shape,
)
from kernels.indexing.views import View, merged, view_of
from kernels.reduction import cumulative_sum
from kernels.registry import implements

SOURCE = Source(__file__, "indexing.cu")
EACH = "one thread per element of the result"
GATHER = "one thread per element of x, which looks at all indices"
CHUNK = 64


def _macros(x: Any) -> dict[str, Any]:
    return {"ELEMENT": c_type(x.dtype), "FLOATING": int(x.dtype in FLOATING)}


class Named(NamedTuple):
    """Which positions of x's middle axis are named, x seen as (outer, length, inner).

    Attributes:
        targets: the table in device memory.
        steps: its strides along outer, named position and inner.
        length: of the middle axis.
        taken: the number of positions.
        inner: the number of elements after the middle axis.
    """

    targets: Any
    steps: tuple[int, int, int]
    length: int
    taken: int
    inner: int

    def arguments(self) -> list[Any]:
        """The kernels' parameters NAMED."""
        return [self.targets, *map(np.int64, self.steps)]

    def sizes(self, count: int) -> list[np.int64]:
        """The kernels' parameters SIZES."""
        return [np.int64(number) for number in (count, self.length, self.taken, self.inner)]


def _run(kernel: str, operands: Sequence[Any], named: Named, shape: Sequence[int]) -> Any:
    """Return the array of a shape that a kernel makes of its first operand and what is named."""
    first, *others = map(contiguous, operands)
    result = empty_beside(first, shape, first.dtype)
    arguments = (first, *named.arguments(), *others, result, *named.sizes(result.size))
    SOURCE.launch_each(kernel, result.size, arguments, _macros(first))
    return result


# ---- indices on several axes --------------------------------------------------------------------


def _indexed(indices: Indices) -> list[int]:
    return [axis for axis, index in enumerate(indices) if index is not None]


def _order(indices: Indices, rank: int) -> list[int]:
    """The axes of x so that the indexed ones are neighbours: as they are, or with these in front."""
    at = _indexed(indices)
    if at[-1] - at[0] + 1 == len(at):
        return list(range(rank))
    return [*at, *(axis for axis in range(rank) if axis not in at)]


def _back(x: Any, order: Sequence[int]) -> Any:
    """Undo x.transpose(order)."""
    return contiguous(x.transpose([order.index(axis) for axis in range(x.ndim)]))


def _collapsed(indices: Indices) -> tuple[Shape, Shape, list[Shape]]:
    """The indices' broadcast shape, its axes' lengths once collapsed, and every index's strides."""
    shapes = [index.shape for index in indices if index is not None]
    found = np.broadcast_shapes(*shapes)
    return found, *collapse(found, shapes)


def _named(indices: Indices, shape: Sequence[int]) -> Named:
    """The elements that indices name together, of an x of this shape in the order of `_order`."""
    at, order = _indexed(indices), _order(indices, len(shape))
    found, lengths, strides = _collapsed(indices)
    targets: Any = empty_beside(indices[at[0]], found, np.int64)
    for number, (axis, steps) in enumerate(zip(at, strides, strict=True)):
        numbers = np.int64(targets.size), np.int64(shape[axis]), np.int32(number == 0)
        places = map(np.int64, (*front_padded(lengths, 1)[1:], *front_padded(steps, 0)))
        arguments = (contiguous(indices[axis]), targets, *numbers, *places)
        SOURCE.launch_each("add_axis", targets.size, arguments, _macros(targets))
    inner = math.prod(shape[axis] for axis in order[order.index(at[-1]) + 1 :])
    length = math.prod(shape[axis] for axis in at)
    return Named(targets, (0, 1, 0), length, targets.size, inner)


def _index_fits(x: Any, indices: Indices, *others: Any) -> bool:
    return x.dtype in C_TYPES and len(_collapsed(indices)[1]) <= MOST_AXES


@implements(index_forward, "each", EACH, fits=_index_fits)
def index_forward_each(x: Array, indices: Indices) -> Array:
    """y[o, i, r] = x[o, target of i, r]."""
    shape = taken_shape(indices, x.shape)
    y: Array = _run("take", [x.transpose(_order(indices, x.ndim))], _named(indices, x.shape), shape)
    return y


@implements(index_backward, "gather", GATHER, fits=_index_fits)
def index_backward_gather(grad_output: Array, indices: Indices, shape: Sequence[int]) -> Array:
    """dx[o, a, r] = the sum of dy[o, i, r] over the i with target a."""
    order = _order(indices, len(shape))
    moved = [shape[axis] for axis in order]
    grad_x: Array = _back(_run("sum_of_takers", [grad_output], _named(indices, shape), moved), order)
    return grad_x


def _spread(values: Any, shape: Sequence[int]) -> Any:
    """Values without leading axes that are too many."""
    return contiguous(values).reshape(values.shape[max(values.ndim - len(shape), 0) :])


def _assign_fits(x: Any, indices: Indices, values: Any) -> bool:
    shape = taken_shape(indices, x.shape)
    lengths, _ = collapse(shape, [values.shape[max(values.ndim - len(shape), 0) :]])
    return _index_fits(x, indices) and len(lengths) <= MOST_AXES


@implements(index_assign, "gather", GATHER, fits=_assign_fits)
def index_assign_gather(x: Array, indices: Indices, values: Array) -> Array:
    """y[o, a, r] = the value of the last i with target a."""
    order, shape = _order(indices, x.ndim), taken_shape(indices, x.shape)
    moved: Any = contiguous(x.transpose(order))
    y, spread, named = empty_beside(x, moved.shape, x.dtype), _spread(values, shape), _named(indices, x.shape)
    lengths, (steps,) = collapse(shape, [spread.shape])
    places = map(np.int64, (*front_padded(lengths, 1)[1:], *front_padded(steps, 0)))
    arguments = (moved, *named.arguments(), spread, y, *named.sizes(y.size), *places)
    SOURCE.launch_each("assign", y.size, arguments, _macros(x))
    result: Array = _back(y, order)
    return result


# ---- an index along one axis --------------------------------------------------------------------


def _named_along(index: Any, axis: int, shape: Sequence[int]) -> Named:
    """What an index names of an x of this shape, cut to the index's lengths along the other axes."""
    length, taken = (lengths[axis] if lengths else 1 for lengths in (shape, index.shape))
    inner = math.prod(index.shape[axis + 1 :])
    return Named(contiguous(index), (taken * inner, inner, 1), length, taken, inner)


def _cut(index: Any, axis: int) -> tuple[slice, ...]:
    return tuple(slice(None if i == axis else n) for i, n in enumerate(index.shape))


@implements(gather_forward, "each", EACH, fits=lambda x, index, axis: x.dtype in C_TYPES)
def gather_forward_each(x: Array, index: Array, axis: int) -> Array:
    """y[o, i, r] = x[o, index[o, i, r], r]."""
    named = _named_along(index, axis, x.shape)
    y: Array = _run("take", [x[_cut(index, axis)] if x.ndim else x], named, index.shape)
    return y


@implements(gather_backward, "gather", GATHER, fits=lambda grad_output, *others: grad_output.dtype in C_TYPES)
def gather_backward_gather(grad_output: Array, index: Array, axis: int, shape: Sequence[int]) -> Array:
    """dx[o, a, r] = the sum of dy[o, i, r] over the i with index[o, i, r] = a."""
    reached = tuple(shape[i] if i == axis else n for i, n in enumerate(index.shape))
    grad_x: Array = _run("sum_of_takers", [grad_output], _named_along(index, axis, shape), reached)
    return grad_x if reached == tuple(shape) else slice_backward(grad_x, _cut(index, axis), shape)


# ---- views --------------------------------------------------------------------------------------


def _walk(values: Any, view: View) -> tuple[Shape, list[Shape]]:
    """Lengths and strides to walk over values and view together."""
    extra = max(values.ndim - len(view.lengths), 0)
    own = values.shape[extra:]
    padded = (1,) * (len(view.lengths) - len(own)) + own
    steps = tuple(0 if n == 1 else math.prod(padded[axis + 1 :]) for axis, n in enumerate(padded))
    return merged(view.lengths, [steps, view.steps])


def _write(values: Any, y: Any, view: View) -> Any:
    """Write values into a view of y, and return y."""
    lengths, (value_steps, y_steps) = _walk(values, view)
    numbers = (math.prod(view.lengths), view.first, *front_padded(lengths, 1)[1:])
    steps = (*front_padded(value_steps, 0), *front_padded(y_steps, 0))
    arguments = (contiguous(values), y, *map(np.int64, (*numbers, *steps)))
    SOURCE.launch_each("assign_view", math.prod(view.lengths), arguments, _macros(y))
    return y


def _view_fits(values: Any, key: Key, shape: Sequence[int]) -> bool:
    return values.dtype in C_TYPES and len(_walk(values, view_of(shape, key))[0]) <= MOST_AXES


@implements(slice_backward, "view", "one thread per element of the view", fits=_view_fits)
def slice_backward_view(grad_output: Array, key: Key, shape: Sequence[int]) -> Array:
    """dx = 0, then dx[key] = dy."""
    zeros = array_module(grad_output).zeros(tuple(shape), grad_output.dtype)
    grad_x: Array = _write(grad_output, zeros, view_of(shape, key))
    return grad_x


@implements(
    slice_assign,
    "view",
    "one thread per element of the view",
    fits=lambda x, key, values: _view_fits(values, key, x.shape),
)
def slice_assign_view(x: Array, key: Key, values: Array) -> Array:
    """y = x, then y[key] = values."""
    y: Array = _write(values, copy(x), view_of(x.shape, key))
    return y


# ---- places -------------------------------------------------------------------------------------


@implements(nonzero, "chunks", "a thread per chunk counts, then lists", fits=lambda x: x.dtype in C_TYPES)
def nonzero_chunks(x: Array) -> Array:
    """How many there are only the device knows: the host waits for that number."""
    x = contiguous(x)
    flat: Any = empty_beside(x, (x.size,), np.int64)
    if x.size:
        chunks = -(-x.size // CHUNK)
        counts = empty_beside(x, (chunks,), np.int64)
        sizes = np.int64(chunks), np.int64(x.size)
        SOURCE.launch_each("count_nonzero", chunks, (x, counts, *sizes), _macros(x))
        ends: Any = cumulative_sum(counts, 0, False)
        SOURCE.launch_each("list_nonzero", chunks, (x, ends, flat, *sizes), _macros(x))
        flat = flat[: int(ends[-1].get())]
    places: Array = empty_beside(x, (flat.shape[0], x.ndim), np.int64)
    for axis, length in enumerate(x.shape):
        numbers = (flat.shape[0], x.ndim, axis, length, math.prod(x.shape[axis + 1 :]))
        SOURCE.launch_each("split_places", flat.shape[0], (flat, places, *map(np.int64, numbers)), _macros(x))
    return places
