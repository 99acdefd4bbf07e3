"""Indexing in NumPy: every element's place worked out in loops, and NumPy's indexing of whole arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kernels.array import Array
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
from kernels.registry import implements

Place = tuple[int, ...]


def _numpy_key(indices: Indices) -> tuple[Array | slice, ...]:
    return tuple(slice(None) if index is None else index for index in indices)


def _taken(indices: Indices, shape: Sequence[int]) -> Iterator[tuple[Place, Place]]:
    """(place in the result, place in x) for every element taken, in row-major order of the result."""
    at = [axis for axis, index in enumerate(indices) if index is not None]
    arrays = np.broadcast_arrays(*[index for index in indices if index is not None])
    front = at[0] if at[-1] - at[0] + 1 == len(at) else 0
    rank = arrays[0].ndim
    for place in np.ndindex(taken_shape(indices, shape)):
        which = place[front : front + rank]
        free = iter((*place[:front], *place[front + rank :]))
        chosen = {axis: int(array[which]) % shape[axis] for axis, array in zip(at, arrays, strict=True)}
        yield place, tuple(chosen[axis] if axis in chosen else next(free) for axis in range(len(shape)))


@implements(index_forward, "loops", "one element after the other")
def index_forward_loops(x: Array, indices: Indices) -> Array:
    """y[place] = x[what the indices say there]."""
    y: Array = np.empty(taken_shape(indices, x.shape), x.dtype)
    for place, source in _taken(indices, x.shape):
        y[place] = x[source]
    return y


@implements(index_forward, "vectorized", "NumPy's indexing of whole arrays")
def index_forward_vectorized(x: Array, indices: Indices) -> Array:
    """x[indices], in row-major order."""
    return np.asarray(x[_numpy_key(indices)], order="C")


@implements(index_backward, "loops", "every taken element hands its gradient back")
def index_backward_loops(grad_output: Array, indices: Indices, shape: Sequence[int]) -> Array:
    """dx[source] += dy[place]."""
    grad_x = np.zeros(tuple(shape), grad_output.dtype)
    for place, source in _taken(indices, shape):
        grad_x[source] += grad_output[place]
    return grad_x


@implements(index_backward, "vectorized", "NumPy's unbuffered addition, which is sequential")
def index_backward_vectorized(grad_output: Array, indices: Indices, shape: Sequence[int]) -> Array:
    """The indices are applied to the flat places 0, 1, 2, ..., which says where each element came from."""
    places = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(tuple(shape))[_numpy_key(indices)]
    grad_x = np.zeros(tuple(shape), grad_output.dtype)
    np.add.at(grad_x.reshape(-1), places.reshape(-1), grad_output.reshape(-1))
    return grad_x


def _spread(values: Array, shape: Sequence[int]) -> Array:
    """Values broadcast to `shape`, without leading axes that are too many."""
    return np.broadcast_to(values.reshape(values.shape[max(values.ndim - len(shape), 0) :]), tuple(shape))


@implements(index_assign, "loops", "one element after the other")
def index_assign_loops(x: Array, indices: Indices, values: Array) -> Array:
    """y = x, then y[source] = values[place]."""
    y = x.copy(order="C")
    spread = _spread(values, taken_shape(indices, x.shape))
    for place, source in _taken(indices, x.shape):
        y[source] = spread[place]
    return y


@implements(index_assign, "vectorized", "NumPy's assignment to whole arrays")
def index_assign_vectorized(x: Array, indices: Indices, values: Array) -> Array:
    """Through flat places: NumPy then assigns one after the other, so the last of two equals stays."""
    places = np.arange(x.size).reshape(x.shape)[_numpy_key(indices)]
    y = x.copy(order="C")
    y.reshape(-1)[places.reshape(-1)] = _spread(values, places.shape).reshape(-1)
    return y


@implements(slice_backward, "loops", "one element after the other")
def slice_backward_loops(grad_output: Array, key: Key, shape: Sequence[int]) -> Array:
    """The key is applied to the flat places 0, 1, 2, ..., which says where each element came from."""
    grad_x = np.zeros(tuple(shape), grad_output.dtype)
    places = np.arange(grad_x.size).reshape(grad_x.shape)[key]
    for index in np.ndindex(grad_output.shape):
        grad_x.reshape(-1)[places[index]] = grad_output[index]
    return grad_x


@implements(slice_backward, "view", "written through a view of the result")
def slice_backward_view(grad_output: Array, key: Key, shape: Sequence[int]) -> Array:
    """dx = 0, then dx[key] = dy."""
    grad_x = np.zeros(tuple(shape), grad_output.dtype)
    grad_x[key] = grad_output
    return grad_x


@implements(slice_assign, "loops", "one element after the other")
def slice_assign_loops(x: Array, key: Key, values: Array) -> Array:
    """The key is applied to the flat places 0, 1, 2, ..., which says where each value goes."""
    y = x.copy(order="C")
    places = np.asarray(np.arange(x.size).reshape(x.shape)[key])
    spread = _spread(values, places.shape)
    for index in np.ndindex(places.shape):
        y.reshape(-1)[places[index]] = spread[index]
    return y


@implements(slice_assign, "view", "written through a view of the result")
def slice_assign_view(x: Array, key: Key, values: Array) -> Array:
    """y = x, then y[key] = values."""
    y = x.copy(order="C")
    y[key] = values
    return y


@implements(gather_forward, "loops", "one element after the other")
def gather_forward_loops(x: Array, index: Array, axis: int) -> Array:
    """y[i, j, k] = x[i, index[i, j, k], k]."""
    y: Array = np.empty(index.shape, x.dtype)
    for place in np.ndindex(index.shape):
        y[place] = x[(*place[:axis], index[place], *place[axis + 1 :])] if place else x[()]
    return y


@implements(gather_forward, "vectorized", "NumPy's take_along_axis of whole arrays")
def gather_forward_vectorized(x: Array, index: Array, axis: int) -> Array:
    """x is cut to the index's lengths along the other axes."""
    if x.ndim == 0:
        return x.copy()
    return np.take_along_axis(_cut(x, index, axis), index, axis)


def _cut(x: Array, index: Array, axis: int) -> Array:
    """A view of x with the index's lengths along the axes other than `axis`."""
    return x[tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape))]


@implements(gather_backward, "loops", "every taken element hands its gradient back")
def gather_backward_loops(grad_output: Array, index: Array, axis: int, shape: Sequence[int]) -> Array:
    """dx[i, index[i, j, k], k] += dy[i, j, k]."""
    grad_x = np.zeros(tuple(shape), grad_output.dtype)
    for place in np.ndindex(index.shape):
        grad_x[(*place[:axis], index[place], *place[axis + 1 :]) if place else ()] += grad_output[place]
    return grad_x


@implements(gather_backward, "vectorized", "NumPy's unbuffered addition, which is sequential")
def gather_backward_vectorized(grad_output: Array, index: Array, axis: int, shape: Sequence[int]) -> Array:
    """Flat places are gathered the way the elements were."""
    grad_x = np.zeros(tuple(shape), grad_output.dtype)
    places = np.arange(grad_x.size).reshape(grad_x.shape)
    taken = gather_forward_vectorized(places, index, axis)
    np.add.at(grad_x.reshape(-1), taken.reshape(-1), grad_output.reshape(-1))
    return grad_x


@implements(nonzero, "loops", "one element after the other")
def nonzero_loops(x: Array) -> Array:
    """The places where x != 0."""
    places = [place for place in np.ndindex(x.shape) if x[place] != 0]
    return np.array(places, np.int64).reshape(len(places), x.ndim)


@implements(nonzero, "vectorized", "NumPy's search of whole arrays")
def nonzero_vectorized(x: Array) -> Array:
    """One row per place."""
    if x.ndim == 0:
        return np.zeros((int(bool(x)), 0), np.int64)
    return np.stack(np.nonzero(x), axis=1)
