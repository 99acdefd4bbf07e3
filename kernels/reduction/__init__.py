"""Reductions over axes: sums, products, extremes and their places, and running sums.

`axes` is None (all), one axis or a tuple of them, negative ones counted from the end; with `keepdims` the
reduced axes stay with length 1. A 0-d array has one virtual axis, 0 or -1, as in PyTorch. The order of
accumulation is fixed by the shape and the memory layout and does not depend on the number of threads.
"""

from __future__ import annotations

from typing import TypeAlias

from kernels.array import FLOATING, Array, check_integer, check_shape
from kernels.operands import ANYTHING, BOOLEAN, REAL, check_operand, normalize_axis
from kernels.registry import dispatch

__all__ = [
    "argmax",
    "argmin",
    "cumulative_sum",
    "reduce_all",
    "reduce_any",
    "reduce_maximum",
    "reduce_minimum",
    "reduce_product",
    "reduce_product_backward",
    "reduce_sum",
]

Axes: TypeAlias = int | tuple[int, ...] | None


def normalize_axes(axes: Axes, ndim: int) -> tuple[int, ...]:
    """Return the axes counted from the front, in ascending order.

    Raises:
        ValueError: an axis out of range, or one that is named twice.
        TypeError: an axis that is not an integer.
    """
    if axes is None:
        return tuple(range(ndim))
    given = axes if isinstance(axes, tuple) else (axes,)
    found = sorted(normalize_axis("axes", check_integer("axes", axis), ndim) for axis in given)
    if len(set(found)) != len(found):
        raise ValueError(f"axes must name each axis once, got {axes}")
    return tuple(found) if ndim else ()


def reduce_sum(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """Return the sum over the axes.

    Shapes: x any; result: x's without the axes (or with 1 there).
    Dtypes: numbers or bool; the result's too, but int64 for integers and bool.
    Edge contract: the sum of nothing is 0.

    Raises:
        ValueError: an axis out of range, or named twice.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, ANYTHING)
    return dispatch(reduce_sum, x, normalize_axes(axes, x.ndim), keepdims)


def reduce_product(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """Return the product over the axes.

    Shapes: x any; result: x's without the axes (or with 1 there).
    Dtypes: numbers or bool; the result's too, but int64 for integers and bool.
    Edge contract: the product of nothing is 1.

    Raises:
        ValueError: an axis out of range, or named twice.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, ANYTHING)
    return dispatch(reduce_product, x, normalize_axes(axes, x.ndim), keepdims)


def reduce_product_backward(grad_output: Array, x: Array, axes: tuple[int, ...]) -> Array:
    """Return the gradient of `reduce_product(x, axes, keepdims=True)` with respect to x.

        dx[i] = dy  product over j != i of x[j]

    Shapes: x any; grad_output: x's with 1 along the axes; result as x.
    Dtypes: float32 or float64, the same for both and the result.
    Edge contract: nothing is divided, so zeros are exact: with one zero only its element has a gradient,
        with two none has.

    Raises:
        ValueError: grad_output has another shape, an axis out of range, or named twice.
        TypeError: another dtype, two dtypes, or an axis that is not an integer.
    """
    check_operand(x, FLOATING)
    check_operand(grad_output, (x.dtype,), "grad_output")
    found = normalize_axes(axes, x.ndim)
    check_shape("grad_output", grad_output, [1 if i in found else n for i, n in enumerate(x.shape)])
    return dispatch(reduce_product_backward, grad_output, x, found)


def reduce_maximum(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """Return the largest element over the axes.

    Shapes: x any; result: x's without the axes (or with 1 there).
    Dtypes: real numbers or bool; the result's too.
    Edge contract: NaN if any element is NaN.

    Raises:
        ValueError: a reduced axis has length 0, an axis out of range, or named twice.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, REAL)
    return dispatch(reduce_maximum, x, _filled_axes("maximum", x, axes), keepdims)


def reduce_minimum(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """Return the smallest element over the axes.

    Shapes: x any; result: x's without the axes (or with 1 there).
    Dtypes: real numbers or bool; the result's too.
    Edge contract: NaN if any element is NaN.

    Raises:
        ValueError: a reduced axis has length 0, an axis out of range, or named twice.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, REAL)
    return dispatch(reduce_minimum, x, _filled_axes("minimum", x, axes), keepdims)


def argmax(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return where the largest element stands: its index along the axis, or in row-major order for None.

    Shapes: x any; result: x's without the axis (or with 1 there); for None a scalar.
    Dtypes: x real numbers or bool; result int64.
    Edge contract: of equal elements the first; NaN counts as larger than everything.

    Raises:
        ValueError: the axis has length 0 or is out of range.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, REAL)
    _filled_axes("argmax", x, axis)
    return dispatch(argmax, x, None if axis is None else normalize_axis("axis", axis, x.ndim), keepdims)


def argmin(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return where the smallest element stands: its index along the axis, or in row-major order for None.

    Shapes: x any; result: x's without the axis (or with 1 there); for None a scalar.
    Dtypes: x real numbers or bool; result int64.
    Edge contract: of equal elements the first; NaN counts as smaller than everything.

    Raises:
        ValueError: the axis has length 0 or is out of range.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, REAL)
    _filled_axes("argmin", x, axis)
    return dispatch(argmin, x, None if axis is None else normalize_axis("axis", axis, x.ndim), keepdims)


def _filled_axes(what: str, x: Array, axes: Axes) -> tuple[int, ...]:
    found = normalize_axes(axes, x.ndim)
    if any(x.shape[axis] == 0 for axis in found):
        raise ValueError(f"x has shape {tuple(x.shape)}, but the {what} over axes {found} needs an element")
    return found


def reduce_any(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """Return whether any element over the axes holds.

    Shapes: x any; result: x's without the axes (or with 1 there).
    Dtypes: bool.
    Edge contract: false for no elements.

    Raises:
        ValueError: an axis out of range, or named twice.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, BOOLEAN)
    return dispatch(reduce_any, x, normalize_axes(axes, x.ndim), keepdims)


def reduce_all(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """Return whether every element over the axes holds.

    Shapes: x any; result: x's without the axes (or with 1 there).
    Dtypes: bool.
    Edge contract: true for no elements.

    Raises:
        ValueError: an axis out of range, or named twice.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, BOOLEAN)
    return dispatch(reduce_all, x, normalize_axes(axes, x.ndim), keepdims)


def cumulative_sum(x: Array, axis: int, reverse: bool) -> Array:
    """Return the running sums along an axis, from its start or, `reverse`, from its end.

        y[i] = sum over j <= i of x[j]        (reverse: over j >= i)

    Each is the other's backward.

    Shapes: x any; result as x.
    Dtypes: numbers or bool; the result's too, but int64 for integers and bool.
    Edge contract: terms are added one after the other in index order.

    Raises:
        ValueError: the axis is out of range.
        TypeError: another dtype, or an axis that is not an integer.
    """
    check_operand(x, ANYTHING)
    place = normalize_axis("axis", check_integer("axis", axis), x.ndim)
    return dispatch(cumulative_sum, x, place, reverse)
