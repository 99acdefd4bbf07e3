"""Squared, absolute and smooth absolute distance in NumPy: scalar formulas in loops, and whole arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.array import Array, widen
from kernels.loss import loss_gradient, reduce_loss
from kernels.operands import element_by_element
from kernels.registry import implements
from kernels.regression_loss import (
    l1_loss_backward,
    l1_loss_forward,
    mse_loss_backward,
    mse_loss_forward,
    smooth_l1_loss_backward,
    smooth_l1_loss_forward,
)

# ---- the definitions, functions of one difference d = x - target, and their slopes ---------------


def _squared(d: Any) -> Any:
    return d * d


def _squared_slope(d: Any) -> Any:
    return 2 * d


def _absolute(d: Any) -> Any:
    return -d if d < 0 else d


def _absolute_slope(d: Any) -> Any:
    return 1 if d > 0 else -1 if d < 0 else 0


def _smooth_absolute(d: Any, beta: float) -> Any:
    return d * d / (2 * beta) if _absolute(d) < beta else _absolute(d) - beta / 2


def _smooth_absolute_slope(d: Any, beta: float) -> Any:
    """Where d is NaN nothing is below or above, and NaN is passed on."""
    if _absolute(d) < beta:
        return d / beta
    return _absolute_slope(d) if d == d else d


# ---- the same on arrays (those without a branch serve for both) ----------------------------------


def _absolute_slope_array(d: Array) -> Any:
    return (d > 0).astype(d.dtype) - (d < 0)


def _smooth_absolute_array(d: Array, beta: float) -> Any:
    size = np.abs(d)
    return np.where(size < beta, d * d / (2 * beta), size - beta / 2) if beta > 0 else size


def _smooth_absolute_slope_array(d: Array, beta: float) -> Any:
    """d / beta cut at -1 and 1; without a parabola the sign, which np.sign leaves NaN for NaN."""
    return np.clip(d / beta, -1, 1) if beta > 0 else np.sign(d)


# ---- the versions -------------------------------------------------------------------------------


def _each(formula: Callable[..., Any], d: Array, *parameters: float) -> Array:
    """The formula on one difference after the other."""
    return element_by_element(lambda element: formula(element, *parameters), d.dtype, [d])


def _weigh(losses: Any, weight: Array | None) -> Array:
    return np.asarray(losses if weight is None else losses * weight)


def _total(d: Array, weight: Array | None) -> Any:
    """What "mean" divides by."""
    return d.size if weight is None else widen(weight).sum()


def _chain(grad_output: Array, slopes: Any, reduction: str, total: Any) -> Array:
    """dx = g slope."""
    slopes = np.asarray(slopes)
    grad_losses = loss_gradient(grad_output, reduction, slopes.shape, total)
    return np.asarray(grad_losses * slopes).astype(grad_output.dtype)


@implements(mse_loss_forward, "loops", "the definition, element by element")
def mse_loss_forward_loops(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """w d^2."""
    d = np.asarray(x - target)
    return reduce_loss(_weigh(_each(_squared, d), weight), reduction, _total(d, weight), x.dtype)


@implements(mse_loss_forward, "vectorized", "the formula on whole arrays")
def mse_loss_forward_vectorized(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """w d^2."""
    d = np.asarray(x - target)
    return reduce_loss(_weigh(_squared(d), weight), reduction, _total(d, weight), x.dtype)


@implements(mse_loss_backward, "loops", "the definition, element by element")
def mse_loss_backward_loops(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """g w 2 d."""
    d = np.asarray(x - target)
    return _chain(grad_output, _weigh(_each(_squared_slope, d), weight), reduction, _total(d, weight))


@implements(mse_loss_backward, "vectorized", "the formula on whole arrays")
def mse_loss_backward_vectorized(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """g w 2 d."""
    d = np.asarray(x - target)
    return _chain(grad_output, _weigh(_squared_slope(d), weight), reduction, _total(d, weight))


@implements(l1_loss_forward, "loops", "the definition, element by element")
def l1_loss_forward_loops(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """w |d|."""
    d = np.asarray(x - target)
    return reduce_loss(_weigh(_each(_absolute, d), weight), reduction, _total(d, weight), x.dtype)


@implements(l1_loss_forward, "vectorized", "the formula on whole arrays")
def l1_loss_forward_vectorized(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """w |d|."""
    d = np.asarray(x - target)
    return reduce_loss(_weigh(np.abs(d), weight), reduction, _total(d, weight), x.dtype)


@implements(l1_loss_backward, "loops", "the definition, element by element")
def l1_loss_backward_loops(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """g w sign(d)."""
    d = np.asarray(x - target)
    return _chain(grad_output, _weigh(_each(_absolute_slope, d), weight), reduction, _total(d, weight))


@implements(l1_loss_backward, "vectorized", "the formula on whole arrays")
def l1_loss_backward_vectorized(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """g w sign(d)."""
    d = np.asarray(x - target)
    return _chain(grad_output, _weigh(_absolute_slope_array(d), weight), reduction, _total(d, weight))


@implements(smooth_l1_loss_forward, "loops", "the definition, element by element")
def smooth_l1_loss_forward_loops(x: Array, target: Array, beta: float, reduction: str) -> Array:
    """d^2 / (2 beta) or |d| - beta / 2."""
    d = np.asarray(x - target)
    return reduce_loss(_each(_smooth_absolute, d, beta), reduction, d.size, x.dtype)


@implements(smooth_l1_loss_forward, "vectorized", "the formula on whole arrays")
def smooth_l1_loss_forward_vectorized(x: Array, target: Array, beta: float, reduction: str) -> Array:
    """d^2 / (2 beta) or |d| - beta / 2."""
    d = np.asarray(x - target)
    return reduce_loss(np.asarray(_smooth_absolute_array(d, beta)), reduction, d.size, x.dtype)


@implements(smooth_l1_loss_backward, "loops", "the definition, element by element")
def smooth_l1_loss_backward_loops(
    grad_output: Array, x: Array, target: Array, beta: float, reduction: str
) -> Array:
    """g d / beta or g sign(d)."""
    d = np.asarray(x - target)
    return _chain(grad_output, _each(_smooth_absolute_slope, d, beta), reduction, d.size)


@implements(smooth_l1_loss_backward, "vectorized", "the formula on whole arrays")
def smooth_l1_loss_backward_vectorized(
    grad_output: Array, x: Array, target: Array, beta: float, reduction: str
) -> Array:
    """g d / beta or g sign(d)."""
    d = np.asarray(x - target)
    return _chain(grad_output, _smooth_absolute_slope_array(d, beta), reduction, d.size)
