"""Reductions in NumPy: one step per element in loops, and NumPy's reductions of whole arrays.

The contracts hand over axes that are counted from the front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import reduction
from kernels.array import Array
from kernels.registry import implements

Places = tuple[int, ...]


def _sum_dtype(x: Array) -> Any:
    """Sums of integers and of truths are counted in int64."""
    return np.dtype(np.int64) if x.dtype.kind in "iub" else x.dtype


def _own_dtype(x: Array) -> Any:
    return x.dtype


def _larger(so_far: Any, element: Any) -> Any:
    """`element != element` is true for NaN only, which stays."""
    return element if element > so_far or element != element else so_far


def _smaller(so_far: Any, element: Any) -> Any:
    return element if element < so_far or element != element else so_far


# contract, first value (None: the first element), step for scalars, reduction of arrays, result's dtype
REDUCTIONS: list[tuple[Callable[..., Array], Any, Callable[[Any, Any], Any], Any, Callable[[Array], Any]]] = [
    (reduction.reduce_sum, 0, lambda total, element: total + element, np.add, _sum_dtype),
    (reduction.reduce_product, 1, lambda total, element: total * element, np.multiply, _sum_dtype),
    (reduction.reduce_maximum, None, _larger, np.maximum, _own_dtype),
    (reduction.reduce_minimum, None, _smaller, np.minimum, _own_dtype),
    (reduction.reduce_any, False, lambda found, element: found or element, np.logical_or, _own_dtype),
    (reduction.reduce_all, True, lambda held, element: held and element, np.logical_and, _own_dtype),
]


def _kept(x: Array, axes: Places) -> Places:
    """x's shape with the axes shrunk to 1."""
    return tuple(1 if axis in axes else length for axis, length in enumerate(x.shape))


def _dropped(x: Array, axes: Places) -> Places:
    """x's shape without the axes."""
    return tuple(length for axis, length in enumerate(x.shape) if axis not in axes)


def _loops(
    first: Any, step: Callable[[Any, Any], Any], dtype: Callable[[Array], Any]
) -> Callable[..., Array]:
    """Walk over x in row-major order and take each element into the result it belongs to."""

    def loops(x: Array, axes: Places, keepdims: bool) -> Array:
        if first is None:
            starts = x[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(x.ndim))]
            result = np.array(starts)
        else:
            result = np.full(_kept(x, axes), first, dtype(x))
        for index in np.ndindex(x.shape):
            place = tuple(0 if axis in axes else i for axis, i in enumerate(index))
            result[place] = step(result[place], x[index])
        return result if keepdims else result.reshape(_dropped(x, axes))

    return loops


def _arrays(operation: Any, dtype: Callable[[Array], Any]) -> Callable[..., Array]:
    def vectorized(x: Array, axes: Places, keepdims: bool) -> Array:
        return np.asarray(operation.reduce(x, axis=axes, dtype=dtype(x), keepdims=keepdims))

    return vectorized


for _contract, _first, _step, _operation, _dtype in REDUCTIONS:
    implements(_contract, "loops", "one element after the other", backend="reference")(
        _loops(_first, _step, _dtype)
    )
    implements(_contract, "vectorized", "NumPy's reduction of whole arrays", backend="reference")(
        _arrays(_operation, _dtype)
    )


@implements(reduction.reduce_product_backward, "loops", "the definition: a product of all others per element")
def reduce_product_backward_loops(grad_output: Array, x: Array, axes: Places) -> Array:
    """dx[i] = dy product over j != i of x[j]."""
    grad_x: Array = np.empty(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        place = tuple(0 if axis in axes else i for axis, i in enumerate(index))
        total = grad_output[place]
        for other in np.ndindex(x.shape):
            together = tuple(0 if axis in axes else i for axis, i in enumerate(other)) == place
            if together and other != index:
                total = total * x[other]
        grad_x[index] = total
    return grad_x


@implements(
    reduction.reduce_product_backward, "prefixes", "the product of all before times the product of all after"
)
def reduce_product_backward_prefixes(grad_output: Array, x: Array, axes: Places) -> Array:
    """dx[i] = dy (x[0] ... x[i-1]) (x[i+1] ... x[N-1])."""
    order = [axis for axis in range(x.ndim) if axis not in axes] + list(axes)
    moved = x.transpose(order)  # the reduced axes last
    outer = moved.shape[: x.ndim - len(axes)]
    count = int(np.prod(moved.shape[len(outer) :], dtype=np.int64))
    flat = moved.reshape(*outer, count)
    others = np.ones(flat.shape, x.dtype)
    np.cumprod(flat[..., :-1], axis=-1, out=others[..., 1:])  # all before
    after = np.ones(flat.shape, x.dtype)
    np.cumprod(flat[..., :0:-1], axis=-1, out=after[..., 1:])
    others *= after[..., ::-1]
    restored = others.reshape(moved.shape).transpose(np.argsort(order))
    return np.asarray(restored * grad_output)


def _position(better: Callable[[Any, Any], bool]) -> Callable[..., Array]:
    """The first index along the axis that no other beats."""

    def loops(x: Array, axis: int | None, keepdims: bool) -> Array:
        line = x.reshape(-1) if axis is None or x.ndim == 0 else np.moveaxis(x, axis, -1)
        result: Array = np.zeros(line.shape[:-1], np.int64)
        for place in np.ndindex(result.shape):
            for i in range(1, line.shape[-1]):
                challenger, best = line[place][i], line[place][result[place]]
                if best == best and (challenger != challenger or better(challenger, best)):
                    result[place] = i
        return result.reshape(_one_left(x, axis)) if keepdims else result

    return loops


def _one_left(x: Array, axis: int | None) -> Places:
    """x's shape with 1 along the axis (everywhere for None)."""
    return tuple(1 if axis is None or i == axis else length for i, length in enumerate(x.shape))


def _position_arrays(operation: Callable[..., Any]) -> Callable[..., Array]:
    def vectorized(x: Array, axis: int | None, keepdims: bool) -> Array:
        line = x.reshape(-1) if x.ndim == 0 else x
        result = np.asarray(operation(line, axis=axis), np.int64)
        return result.reshape(_one_left(x, axis)) if keepdims else result

    return vectorized


implements(reduction.argmax, "loops", "every element challenges the best so far", backend="reference")(
    _position(lambda challenger, best: bool(challenger > best))
)
implements(reduction.argmin, "loops", "every element challenges the best so far", backend="reference")(
    _position(lambda challenger, best: bool(challenger < best))
)
implements(reduction.argmax, "vectorized", "NumPy's argmax of whole arrays", backend="reference")(
    _position_arrays(np.argmax)
)
implements(reduction.argmin, "vectorized", "NumPy's argmin of whole arrays", backend="reference")(
    _position_arrays(np.argmin)
)


@implements(reduction.cumulative_sum, "loops", "one addition per element")
def cumulative_sum_loops(x: Array, axis: int, reverse: bool) -> Array:
    """y[i] = y[i - 1] + x[i], or y[i + 1] + x[i]."""
    y = np.array(x, _sum_dtype(x))
    if x.ndim == 0:
        return y
    line = np.moveaxis(y, axis, 0)
    order = range(len(line) - 2, -1, -1) if reverse else range(1, len(line))
    for i in order:
        line[i] += line[i + 1 if reverse else i - 1]
    return y


@implements(reduction.cumulative_sum, "vectorized", "NumPy's accumulation of whole arrays")
def cumulative_sum_vectorized(x: Array, axis: int, reverse: bool) -> Array:
    """From the end means: turn round, sum up, turn back."""
    if x.ndim == 0:
        return np.array(x, _sum_dtype(x))
    turned = np.flip(x, axis) if reverse else x
    sums = np.cumsum(turned, axis=axis, dtype=_sum_dtype(x))
    return np.ascontiguousarray(np.flip(sums, axis)) if reverse else sums
