"""Reading, writing and adding at places that indices name.

Advanced indices are given axis by axis, as `indices[k]` for axis k: None takes the whole axis, an int64 array
(all of them broadcast against each other) takes elements; trailing axes may be left out. The broadcast shape
of the arrays stands in the result where the arrays stand if they are neighbours, else in front (NumPy's
rule, and PyTorch's). Negative indices count from the end.

A `key` of the slice operations holds what makes a view: integers, slices, None and an Ellipsis.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import TypeAlias

import numpy as np

from kernels.array import Array, check_indices, check_integer, check_shape
from kernels.operands import ANYTHING, check_broadcast, check_operand, normalize_axis
from kernels.registry import dispatch

__all__ = [
    "gather_backward",
    "gather_forward",
    "index_assign",
    "index_backward",
    "index_forward",
    "nonzero",
    "slice_assign",
    "slice_backward",
]

Indices: TypeAlias = tuple[Array | None, ...]
Key: TypeAlias = tuple[int | slice | EllipsisType | None, ...]


def index_forward(x: Array, indices: Indices) -> Array:
    """Return x's elements at the indices, e.g. y[i, c] = x[indices[0][i], c] for one array on axis 0.

    Shapes: x any; result: x's with the indexed axes replaced by the indices' broadcast shape (see above).
    Dtypes: x numbers or bool, the result's too; indices int64.
    Edge contract: the result is a copy; an element may be taken any number of times.

    Raises:
        ValueError: more indices than axes, none at all, or shapes that do not broadcast.
        IndexError: an index beyond its axis.
        TypeError: another dtype.
    """
    check_operand(x, ANYTHING)
    _check_places(indices, x.shape)
    return dispatch(index_forward, x, indices)


def index_backward(grad_output: Array, indices: Indices, shape: Sequence[int]) -> Array:
    """Return the gradient of `index_forward` with respect to x: every element's takers sum up.

        dx[j] = sum over i with indices[i] = j of dy[i]

    Shapes: grad_output as `index_forward`'s result; result `shape`, x's.
    Dtypes: grad_output numbers, the result's too; indices int64.
    Edge contract: terms are added in row-major order of grad_output; an element nobody took has gradient 0.

    Raises:
        ValueError, IndexError, TypeError: as `index_forward`; ValueError if grad_output has another shape.
    """
    check_operand(grad_output, ANYTHING, "grad_output")
    lengths = tuple(shape)
    _check_places(indices, lengths)
    check_shape("grad_output", grad_output, taken_shape(indices, lengths))
    return dispatch(index_backward, grad_output, indices, lengths)


def index_assign(x: Array, indices: Indices, values: Array) -> Array:
    """Return a copy of x with `values` at the indices.

    Shapes: x any; values broadcast to the shape of `index_forward(x, indices)`; result as x.
    Dtypes: x and values numbers or bool, the same for both and the result; indices int64.
    Edge contract: where an element is named twice, the last value in row-major order stays.

    Raises:
        ValueError, IndexError, TypeError: as `index_forward`; ValueError if values do not fit.
    """
    check_operand(x, ANYTHING)
    check_operand(values, (x.dtype,), "values")
    _check_places(indices, x.shape)
    _check_fits(values, taken_shape(indices, x.shape))
    return dispatch(index_assign, x, indices, values)


def slice_backward(grad_output: Array, key: Key, shape: Sequence[int]) -> Array:
    """Return the gradient of the view x[key] with respect to x: grad_output in its place, else 0.

    Shapes: grad_output as x[key]; result `shape`, x's.
    Dtypes: grad_output numbers, the result's too.
    Edge contract: a view names every element at most once, so nothing is added up.

    Raises:
        ValueError: grad_output has another shape.
        IndexError: an index beyond its axis, or more of them than axes.
        TypeError: another dtype, or a key that makes no view.
    """
    check_operand(grad_output, ANYTHING, "grad_output")
    lengths = tuple(shape)
    check_shape("grad_output", grad_output, _view_shape(lengths, key))
    return dispatch(slice_backward, grad_output, key, lengths)


def slice_assign(x: Array, key: Key, values: Array) -> Array:
    """Return a copy of x with `values` in the view x[key].

    Shapes: x any; values broadcast to the shape of x[key]; result as x.
    Dtypes: numbers or bool, the same for both and the result.
    Edge contract: an empty view changes nothing.

    Raises:
        ValueError: values do not fit.
        IndexError: an index beyond its axis, or more of them than axes.
        TypeError: another dtype, two dtypes, or a key that makes no view.
    """
    check_operand(x, ANYTHING)
    check_operand(values, (x.dtype,), "values")
    _check_fits(values, _view_shape(x.shape, key))
    return dispatch(slice_assign, x, key, values)


def gather_forward(x: Array, index: Array, axis: int) -> Array:
    """Return one element of x along the axis for every element of the index.

        y[i, j, k] = x[i, index[i, j, k], k]        (for axis 1 of 3)

    Shapes: x and index of one rank, index not longer than x along the other axes; result as index.
    Dtypes: x numbers or bool, the result's too; index int64.
    Edge contract: indices count from 0 (negative ones are refused, as in PyTorch).

    Raises:
        ValueError: ranks that differ, an index longer than x, or an axis out of range.
        IndexError: an index beyond the axis.
        TypeError: another dtype.
    """
    check_operand(x, ANYTHING)
    place = _check_gather(index, axis, x.shape)
    return dispatch(gather_forward, x, index, place)


def gather_backward(grad_output: Array, index: Array, axis: int, shape: Sequence[int]) -> Array:
    """Return the gradient of `gather_forward` with respect to x.

        dx[i, index[i, j, k], k] += dy[i, j, k]     (for axis 1 of 3)

    Shapes: grad_output as index; result `shape`, x's.
    Dtypes: grad_output numbers, the result's too; index int64.
    Edge contract: terms are added in row-major order of grad_output.

    Raises:
        ValueError, IndexError, TypeError: as `gather_forward`; ValueError if grad_output has another shape.
    """
    check_operand(grad_output, ANYTHING, "grad_output")
    lengths = tuple(shape)
    place = _check_gather(index, axis, lengths)
    check_shape("grad_output", grad_output, index.shape)
    return dispatch(gather_backward, grad_output, index, place, lengths)


def nonzero(x: Array) -> Array:
    """Return the places of the elements that are not 0, in row-major order.

    Shapes: x any, rank R; result (count, R).
    Dtypes: x numbers or bool; result int64.
    Edge contract: NaN is not 0; for a 0-d x the result is (1, 0) or (0, 0).

    Raises:
        TypeError: another dtype.
    """
    check_operand(x, ANYTHING)
    return dispatch(nonzero, x)


def taken_shape(indices: Indices, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of `index_forward`'s result for an x of `shape` (the indices are checked)."""
    arrays = {axis: index for axis, index in enumerate(indices) if index is not None}
    at = list(arrays)
    found = check_broadcast(**{f"indices[{axis}]": index for axis, index in arrays.items()})
    neighbours = at[-1] - at[0] + 1 == len(at)
    front = at[0] if neighbours else 0
    rest = [length for axis, length in enumerate(shape) if axis not in at]
    return (*rest[:front], *found, *rest[front:])


def _check_places(indices: Indices, shape: Sequence[int]) -> None:
    if len(indices) > len(shape):
        raise ValueError(f"indices must not outnumber x's {len(shape)} axes, got {len(indices)}")
    arrays = {axis: index for axis, index in enumerate(indices) if index is not None}
    if not arrays:
        raise ValueError("indices must hold at least one array, got none")
    for axis, index in arrays.items():
        check_indices(f"indices[{axis}]", index)
    check_broadcast(**{f"indices[{axis}]": index for axis, index in arrays.items()})
    for axis, index in arrays.items():
        _check_range(f"indices[{axis}]", index, -shape[axis], shape[axis], axis)


def _check_range(name: str, index: Array, low: int, length: int, axis: int) -> None:
    if not isinstance(index, np.ndarray | np.generic):
        return  # in device memory: to look at the values would mean to wait for the device
    if index.size and (index.min() < low or index.max() >= length):
        wrong = index[(index < low) | (index >= length)].reshape(-1)[0]
        raise IndexError(f"{name} holds {wrong}, but axis {axis} has length {length}")


def _check_gather(index: Array, axis: int, shape: Sequence[int]) -> int:
    check_indices("index", index)
    if index.ndim != len(shape):
        raise ValueError(f"index must have x's {len(shape)} dimensions, got shape {tuple(index.shape)}")
    place = normalize_axis("axis", check_integer("axis", axis), index.ndim)
    if any(n > m for i, (n, m) in enumerate(zip(index.shape, shape, strict=True)) if i != place):
        raise ValueError(
            f"index must not be longer than x {tuple(shape)} but along axis {place}, "
            f"got shape {tuple(index.shape)}"
        )
    _check_range("index", index, 0, shape[place] if shape else 1, place)
    return place


def _view_shape(shape: Sequence[int], key: Key) -> tuple[int, ...]:
    """The shape of x[key], found without an x: one zero seen at every place."""
    for part in key:
        if part is not None and part is not Ellipsis and not isinstance(part, slice):
            check_integer("key", part)
    return np.broadcast_to(np.int8(0), tuple(shape))[key].shape


def _check_fits(values: Array, shape: tuple[int, ...]) -> None:
    """Values broadcast to `shape`; leading axes of length 1 may be too many."""
    extra = max(values.ndim - len(shape), 0)
    lengths = values.shape[extra:]
    aligned = zip(reversed(lengths), reversed(shape), strict=False)
    if any(n != 1 for n in values.shape[:extra]) or any(n not in (1, m) for n, m in aligned):
        raise ValueError(f"values must broadcast to shape {shape}, got {tuple(values.shape)}")
