"""Reading and writing parts of an array.

An index `x[...]` has two steps, as in PyTorch: first what makes a view (integers, slices, None, Ellipsis),
then what copies (int64 arrays, axis by axis; masks are turned into them). `split_key` takes it apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from kernels.array import Array, shown
from kernels.device import device_of, is_array, on_some_device, to_device, to_host
from kernels.elementwise import cast
from kernels.indexing import (
    gather_backward,
    gather_forward,
    index_assign,
    index_backward,
    index_forward,
    nonzero,
    slice_assign,
    slice_backward,
)
from minidnn.autograd import Function
from minidnn.operators.arithmetic import constant, unbroadcast

Basic = tuple[int | slice | EllipsisType | None, ...]
Advanced = tuple[Array | None, ...]


class Slice(Function):
    """y = x[key], a view;  dx = dy in its place, else 0."""

    is_view = True

    def __init__(self, key: Basic) -> None:
        self.key = open_ended(key)

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return x[self.key]

    def backward(self, grad_output: Array) -> Array:
        return slice_backward(grad_output, self.key, self.x_shape)


class Index(Function):
    """y = x[indices], a copy;  dx sums dy over all places that took an element."""

    def __init__(self, indices: Advanced) -> None:
        self.indices = indices

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return index_forward(x, self.indices)

    def backward(self, grad_output: Array) -> Array:
        return index_backward(grad_output, self.indices, self.x_shape)


class SliceAssign(Function):
    """y = x with values in the view x[key];  dx = dy, 0 in the view;  dvalues = dy[key]."""

    def __init__(self, key: Basic) -> None:
        self.key = open_ended(key)

    def forward(self, x: Array, values: Array) -> Array:
        self.values_shape = values.shape
        return slice_assign(x, self.key, values)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        zero = constant(0, grad_output)
        return (
            slice_assign(grad_output, self.key, zero) if self.needs[0] else None,
            _as_values(grad_output[self.key], self.values_shape) if self.needs[1] else None,
        )


class IndexAssign(Function):
    """y = x with values at the indices;  dx = dy, 0 there;  dvalues = dy[indices]."""

    def __init__(self, indices: Advanced) -> None:
        self.indices = indices

    def forward(self, x: Array, values: Array) -> Array:
        self.values_shape = values.shape
        return index_assign(x, self.indices, values)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        zero = constant(0, grad_output)
        return (
            index_assign(grad_output, self.indices, zero) if self.needs[0] else None,
            _as_values(index_forward(grad_output, self.indices), self.values_shape)
            if self.needs[1]
            else None,
        )


def open_ended(key: Basic) -> Basic:
    """With an Ellipsis a key takes an array out of an array, never a NumPy scalar."""
    return key if Ellipsis in key else (*key, Ellipsis)


def _as_values(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Summed over the axes along which the values were stretched; leading axes of 1 may be too many."""
    extra = max(len(shape) - gradient.ndim, 0)
    return unbroadcast(gradient, shape[extra:]).reshape(shape)


class Gather(Function):
    """y[i, j] = x[i, index[i, j]] (axis 1);  dx sums dy over all places that took an element."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array, index: Array) -> Array:
        self.save(index)
        self.x_shape = x.shape
        return gather_forward(x, index, self.axis)

    def backward(self, grad_output: Array) -> tuple[Array | None, ...]:
        return gather_backward(grad_output, self.saved[0], self.axis, self.x_shape), None


def split_key(key: tuple[Any, ...], x: Array) -> tuple[Basic, Advanced]:
    """Take an index of x apart into a view's key and the indices to use on that view (() if there are none).

    Indices may lie in host memory whatever x's device is.

    Raises:
        IndexError: more indices than axes, or a mask of another shape than its axes.
        TypeError: an index that is neither integer, slice, None, Ellipsis, integers nor a mask.
    """
    shape = x.shape
    parts = [_as_part(part) for part in key]
    taken = sum(_axes_taken(part) for part in parts)
    if taken > len(shape):
        raise IndexError(f"{taken} indices are too many for a tensor of shape {tuple(shape)}")
    ellipses = sum(part is Ellipsis for part in parts)
    if ellipses > 1:
        raise IndexError("an index may hold one Ellipsis (...) only")
    if not any(is_array(part) for part in parts):
        return tuple(parts), ()
    if not ellipses:
        parts.append(Ellipsis)
    basic: list[Any] = []
    advanced: list[Array | None] = []
    axis = 0
    for part in parts:
        if part is Ellipsis:
            arrays: Sequence[Array | None] = [None] * (len(shape) - taken)
        elif is_array(part):
            is_mask = part.dtype == np.bool_
            arrays = _mask_places(part, shape[axis : axis + part.ndim]) if is_mask else [part]
            arrays = [to_device(array, device_of(x)) for array in arrays]
        else:
            basic.append(part)
            advanced += [] if isinstance(part, int) else [None]
            axis += part is not None
            continue
        basic += [slice(None)] * len(arrays)
        advanced += arrays
        axis += len(arrays)
    return tuple(basic), tuple(advanced)


def _as_part(part: Any) -> Any:
    """One part of an index as an int, slice, None, Ellipsis, an int64 array or a bool array."""
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, int | np.integer) and not isinstance(part, bool):
        if abs(int(part)) >= 2**63:
            raise IndexError(f"an index must be within 64 bits, got {shown(part)}")
        return int(part)
    empty = isinstance(part, list | tuple) and not part
    array: Any = part if on_some_device(part) else np.asarray(part, np.int64 if empty else None)
    if array.dtype == np.bool_ and array.ndim:
        return array
    if array.dtype.kind in "iu":
        return int(to_host(array)) if array.ndim == 0 else _as_int64(array)
    raise TypeError(f"an index must be an integer, slice, None, ..., integers or a mask, got {shown(part)}")


def _as_int64(array: Array) -> Array:
    """A copy, which whoever writes into the array later does not change."""
    return array.astype(np.int64) if isinstance(array, np.ndarray) else cast(array, np.int64)


def _axes_taken(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if is_array(part) and part.dtype == np.bool_ else 1


def _mask_places(mask: Array, shape: Sequence[int]) -> list[Array]:
    """The places where a mask over some axes holds: one index array per axis."""
    if mask.shape != tuple(shape):
        raise IndexError(f"a mask of shape {mask.shape} cannot index axes of shape {tuple(shape)}")
    places = nonzero(mask)
    return [places[:, axis] for axis in range(mask.ndim)]
