"""Binary cross-entropy of logits on the GPU: a thread per element, see binary_cross_entropy.cu."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import FLOATING, Array
from kernels.binary_cross_entropy import (
    binary_cross_entropy_with_logits_backward_input,
    binary_cross_entropy_with_logits_backward_target,
    binary_cross_entropy_with_logits_forward,
)
from kernels.cuda.broadcasting import MOST_AXES, collapse, front_padded
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside
from kernels.cuda.loss import Divisor, reduced, upstream_arguments
from kernels.registry import implements

SOURCE = Source(__file__, "binary_cross_entropy.cu")
IDEA = "one thread per element, which finds its weights by strides over four axes"


def _collapsed(x: Any, factors: tuple[Any, Any]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    return collapse(x.shape, [() if factor is None else factor.shape for factor in factors])


def _factor_arguments(x: Any, *factors: Any) -> list[Any]:
    """The kernels' parameters FACTORS."""
    lengths, strides = _collapsed(x, (factors[0], factors[1]))
    numbers = (*front_padded(lengths, 1)[1:], *(step for own in strides for step in front_padded(own, 0)))
    return [*map(contiguous, factors), *map(np.int64, numbers)]


def _fits(x: Any, weight: Any, pos_weight: Any) -> bool:
    return x.dtype in FLOATING and len(_collapsed(x, (weight, pos_weight))[0]) <= MOST_AXES


def _divisor(x: Any, reduction: str) -> Divisor:
    return Divisor(number=x.size) if reduction == "mean" else Divisor()


def _gradient(kernel: str, grad_output: Any, operands: tuple[Any, ...], factors: Any, reduction: str) -> Any:
    x, *others = map(contiguous, operands)
    result = empty_beside(x, x.shape, x.dtype)
    upstream = upstream_arguments(grad_output, reduction, _divisor(x, reduction))
    arguments = (*upstream, x, *others, result, np.int64(x.size), *_factor_arguments(x, *factors))
    SOURCE.launch_each(kernel, x.size, arguments, {"REAL": c_type(x.dtype)})
    return result


@implements(
    binary_cross_entropy_with_logits_forward,
    "each",
    IDEA,
    fits=lambda x, target, weight, pos_weight, reduction: _fits(x, weight, pos_weight),
)
def forward_each(
    x: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """The formula, then the reduction."""
    x = contiguous(x)
    losses = empty_beside(x, x.shape, np.float64)
    factors = _factor_arguments(x, weight, pos_weight)
    arguments = (x, contiguous(target), losses, np.int64(x.size), *factors)
    SOURCE.launch_each("losses_of_logits", x.size, arguments, {"REAL": c_type(x.dtype)})
    loss: Array = reduced(losses, reduction, _divisor(x, reduction), x.dtype)
    return loss


@implements(
    binary_cross_entropy_with_logits_backward_input,
    "each",
    IDEA,
    fits=lambda grad_output, x, target, weight, pos_weight, reduction: _fits(x, weight, pos_weight),
)
def backward_input_each(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    pos_weight: Array | None,
    reduction: str,
) -> Array:
    """What the reduction hands back, times the slope."""
    factors = (weight, pos_weight)
    grad_x: Array = _gradient("input_gradients", grad_output, (x, target), factors, reduction)
    return grad_x


@implements(
    binary_cross_entropy_with_logits_backward_target,
    "each",
    IDEA,
    fits=lambda grad_output, x, weight, pos_weight, reduction: _fits(x, weight, pos_weight),
)
def backward_target_each(
    grad_output: Array, x: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """What the reduction hands back, times the slope."""
    grad_target: Array = _gradient("target_gradients", grad_output, (x,), (weight, pos_weight), reduction)
    return grad_target
