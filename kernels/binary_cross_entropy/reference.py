"""Binary cross-entropy of logits in NumPy: one element after the other, and whole arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.array import Array, widen
from kernels.binary_cross_entropy import (
    binary_cross_entropy_with_logits_backward_input,
    binary_cross_entropy_with_logits_backward_target,
    binary_cross_entropy_with_logits_forward,
)
from kernels.loss import loss_gradient, reduce_loss
from kernels.operands import element_by_element
from kernels.registry import implements

# ---- the definitions: one number at a time; only exponentials of numbers below 0 are taken -------


def _softplus(x: Any) -> Any:
    return x + np.log1p(np.exp(-x)) if x.real > 0 else np.log1p(np.exp(x))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x)) if x.real > 0 else np.exp(x) / (1 + np.exp(x))


def _loss(x: Any, t: Any, w: Any, u: Any) -> Any:
    return w * (u * t * _softplus(-x) + (1 - t) * _softplus(x))


def _input_gradient(g: Any, x: Any, t: Any, w: Any, u: Any) -> Any:
    return g * w * ((1 - t) * _sigmoid(x) - u * t * _sigmoid(-x))


def _target_gradient(g: Any, x: Any, w: Any, u: Any) -> Any:
    return g * w * (u * _softplus(-x) - _softplus(x))


def _factors(weight: Array | None, pos_weight: Array | None) -> list[Array]:
    """w and u, in float64; 1 where there is none."""
    return [np.ones(()) if factor is None else widen(factor) for factor in (weight, pos_weight)]


def _in_loops(formula: Callable[..., Any], dtype: Any, *operands: Array) -> Array:
    return element_by_element(formula, np.result_type(dtype, np.float64), [widen(each) for each in operands])


@implements(binary_cross_entropy_with_logits_forward, "loops", "the definition, element by element")
def forward_loops(
    x: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """The formula, then the reduction."""
    losses = _in_loops(_loss, x.dtype, x, target, *_factors(weight, pos_weight))
    return reduce_loss(losses, reduction, x.size, x.dtype)


@implements(binary_cross_entropy_with_logits_backward_input, "loops", "the definition, element by element")
def backward_input_loops(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    pos_weight: Array | None,
    reduction: str,
) -> Array:
    """What the reduction hands back, times the slope."""
    grad_losses = loss_gradient(grad_output, reduction, x.shape, x.size)
    factors = _factors(weight, pos_weight)
    return _in_loops(_input_gradient, x.dtype, grad_losses, x, target, *factors).astype(x.dtype)


@implements(binary_cross_entropy_with_logits_backward_target, "loops", "the definition, element by element")
def backward_target_loops(
    grad_output: Array, x: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """What the reduction hands back, times the slope."""
    grad_losses = loss_gradient(grad_output, reduction, x.shape, x.size)
    factors = _factors(weight, pos_weight)
    return _in_loops(_target_gradient, x.dtype, grad_losses, x, *factors).astype(x.dtype)


# ---- whole arrays -------------------------------------------------------------------------------


def _both_softplus(x: Array) -> tuple[Array, Array]:
    """softplus(x) and softplus(-x), which share log(1 + e^-|x|)."""
    right = x.real > 0
    curve = np.log1p(np.exp(np.where(right, -x, x)))
    return np.where(right, x, 0) + curve, np.where(right, 0, -x) + curve


def _both_sigmoids(x: Array) -> tuple[Array, Array]:
    """sigmoid(x) and sigmoid(-x), which share e^-|x|."""
    right = x.real > 0
    e = np.exp(np.where(right, -x, x))
    return np.where(right, 1, e) / (1 + e), np.where(right, e, 1) / (1 + e)


@implements(binary_cross_entropy_with_logits_forward, "vectorized", "the formula on whole arrays")
def forward_vectorized(
    x: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """w (u t softplus(-x) + (1 - t) softplus(x))."""
    w, u = _factors(weight, pos_weight)
    plus, minus = _both_softplus(widen(x))
    t = widen(target)
    return reduce_loss(np.asarray(w * (u * t * minus + (1 - t) * plus)), reduction, x.size, x.dtype)


@implements(binary_cross_entropy_with_logits_backward_input, "vectorized", "the formula on whole arrays")
def backward_input_vectorized(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    pos_weight: Array | None,
    reduction: str,
) -> Array:
    """g w ((1 - t) sigmoid(x) - u t sigmoid(-x))."""
    w, u = _factors(weight, pos_weight)
    plus, minus = _both_sigmoids(widen(x))
    t = widen(target)
    grad_losses = loss_gradient(grad_output, reduction, x.shape, x.size)
    return np.asarray(grad_losses * w * ((1 - t) * plus - u * t * minus)).astype(x.dtype)


@implements(binary_cross_entropy_with_logits_backward_target, "vectorized", "the formula on whole arrays")
def backward_target_vectorized(
    grad_output: Array, x: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """g w (u softplus(-x) - softplus(x))."""
    w, u = _factors(weight, pos_weight)
    plus, minus = _both_softplus(widen(x))
    grad_losses = loss_gradient(grad_output, reduction, x.shape, x.size)
    return np.asarray(grad_losses * w * (u * minus - plus)).astype(x.dtype)
