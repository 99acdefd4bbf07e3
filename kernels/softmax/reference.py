"""Softmax and its logarithm in NumPy: one line along the axis after the other, and all lines at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from kernels.array import Array, widen
from kernels.registry import implements
from kernels.softmax import (
    log_softmax_backward,
    log_softmax_forward,
    softmax_backward,
    softmax_forward,
)


def _line_by_line(axis: int, formula: Callable[..., Iterable[Any]], *arrays: Array) -> Array:
    """Apply a formula for lines, computed in float64, to every line along the axis."""
    operands = [np.moveaxis(widen(np.atleast_1d(array)), axis, -1) for array in arrays]
    result = np.empty(operands[0].shape, arrays[0].dtype)
    for place in np.ndindex(result.shape[:-1]):
        result[place] = formula(*(operand[place] for operand in operands))
    return np.moveaxis(result, -1, axis).reshape(arrays[0].shape)


def _largest(line: Array) -> float:
    """The largest real part, 0 for an empty line; beside NaN every result is NaN, whatever is subtracted."""
    return float(max((value.real for value in line), default=0))


@implements(softmax_forward, "loops", "the definition, one line after the other")
def softmax_forward_loops(x: Array, axis: int) -> Array:
    """y[i] = e^(x[i] - m) / sum_j e^(x[j] - m), m = max x."""

    def formula(line: Array) -> Iterable[Any]:
        m = _largest(line)
        total = sum(np.exp(value - m) for value in line)
        return [np.exp(value - m) / total for value in line]

    return _line_by_line(axis, formula, x)


@implements(softmax_forward, "vectorized", "all lines at once")
def softmax_forward_vectorized(x: Array, axis: int) -> Array:
    """The same, with the sums along the axis."""
    y = np.exp(_shifted(x, axis))
    return np.asarray(y / y.sum(axis=axis, keepdims=True))


@implements(softmax_backward, "loops", "the definition, one line after the other")
def softmax_backward_loops(grad_output: Array, y: Array, axis: int) -> Array:
    """dx[i] = sum_j dy[j] dy[j]/dx[i], where dy[j]/dx[i] = y[j] ((i = j) - y[i])."""

    def formula(grad_line: Array, y_line: Array) -> Iterable[Any]:
        total = sum(grad * value for grad, value in zip(grad_line, y_line, strict=True))
        return [value * (grad - total) for grad, value in zip(grad_line, y_line, strict=True)]

    return _line_by_line(axis, formula, grad_output, y)


@implements(softmax_backward, "vectorized", "all lines at once")
def softmax_backward_vectorized(grad_output: Array, y: Array, axis: int) -> Array:
    """dx = y (dy - sum of dy y)."""
    wide, y = widen(grad_output), widen(y)
    total = (wide * y).sum(axis=axis, keepdims=True)
    return np.asarray(y * (wide - total)).astype(grad_output.dtype, copy=False)


@implements(log_softmax_forward, "loops", "the definition, one line after the other")
def log_softmax_forward_loops(x: Array, axis: int) -> Array:
    """y[i] = (x[i] - m) - log sum_j e^(x[j] - m), m = max x."""

    def formula(line: Array) -> Iterable[Any]:
        m = _largest(line)
        total = sum(np.exp(value - m) for value in line)
        return [(value - m) - np.log(total) for value in line]

    return _line_by_line(axis, formula, x)


@implements(log_softmax_forward, "vectorized", "all lines at once")
def log_softmax_forward_vectorized(x: Array, axis: int) -> Array:
    """The same, with the sums along the axis."""
    shifted = _shifted(x, axis)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))


@implements(log_softmax_backward, "loops", "the definition, one line after the other")
def log_softmax_backward_loops(grad_output: Array, y: Array, axis: int) -> Array:
    """dx[i] = sum_j dy[j] dy[j]/dx[i], where dy[j]/dx[i] = (i = j) - e^y[i]."""

    def formula(grad_line: Array, y_line: Array) -> Iterable[Any]:
        total = sum(grad_line)
        return [grad - np.exp(value) * total for grad, value in zip(grad_line, y_line, strict=True)]

    return _line_by_line(axis, formula, grad_output, y)


@implements(log_softmax_backward, "vectorized", "all lines at once")
def log_softmax_backward_vectorized(grad_output: Array, y: Array, axis: int) -> Array:
    """dx = dy - e^y (sum of dy)."""
    wide = widen(grad_output)
    total = wide.sum(axis=axis, keepdims=True)
    return np.asarray(wide - np.exp(widen(y)) * total).astype(grad_output.dtype, copy=False)


def _shifted(x: Array, axis: int) -> Array:
    """x minus its largest real part along the axis; an empty line has nothing to subtract from."""
    largest = x.real.max(axis=axis, keepdims=True, initial=-np.inf)
    shifted: Array = x - largest
    return shifted
