"""The optimisers' updates in Numba: one pass over parameter, gradient and state, in equal shares for all
threads.

An optimiser's state that is not kept is handed to its kernel as an array without elements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import FLOATING, Array
from kernels.cpu.compilation import contiguous, parallel, share_of, tasks_for
from kernels.cpu.mapping import WORTH_IT
from kernels.cpu.vector_math import like
from kernels.optimizer_step import adam_step, adamw_step, rmsprop_step, sgd_step
from kernels.registry import implements

IDEA = "one fused pass"


def _in_order(parameter: Array, gradient: Array, *others: Any) -> bool:
    """Whether all that is written is row-major; a gradient that is not is copied."""
    states = [array for array in others if isinstance(array, np.ndarray)]
    return parameter.dtype in FLOATING and all(a.flags.c_contiguous for a in (parameter, *states))


def _large(parameter: Array, *others: Any) -> bool:
    return parameter.size >= WORTH_IT // 8


def _flat(like: Array, *arrays: Array | None) -> list[Array]:
    """The arrays as one row each; None as an empty one."""
    nothing = np.empty(0, like.dtype)
    return [nothing if array is None else contiguous(array).reshape(-1) for array in arrays]


@parallel
def _sgd(
    task: int,
    tasks: int,
    parameter: Any,
    gradient: Any,
    buffer: Any,
    lr: Any,
    momentum: Any,
    undamped: Any,
    weight_decay: Any,
    nesterov: bool,
    first: bool,
) -> None:
    parameter, gradient = share_of(parameter, task, tasks), share_of(gradient, task, tasks)
    buffer = share_of(buffer, task, tasks)
    if buffer.size == 0:
        for i in range(parameter.size):
            parameter[i] -= lr * (gradient[i] + weight_decay * parameter[i])
    elif first:
        for i in range(parameter.size):
            g = gradient[i] + weight_decay * parameter[i]
            buffer[i] = g
            parameter[i] -= lr * (g + momentum * g if nesterov else g)
    else:
        for i in range(parameter.size):
            g = gradient[i] + weight_decay * parameter[i]
            b = momentum * buffer[i] + undamped * g
            buffer[i] = b
            parameter[i] -= lr * (g + momentum * b if nesterov else b)


@implements(sgd_step, "fused", IDEA, fits=_in_order, pays=_large)
def sgd_step_fused(
    parameter: Array,
    gradient: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    first: bool,
) -> None:
    """p -= lr d."""
    number = parameter.dtype.type
    _sgd(
        tasks_for(parameter.size),
        *_flat(parameter, parameter, gradient, momentum_buffer),
        number(lr),
        number(momentum),
        number(1 - dampening),
        number(weight_decay),
        nesterov,
        first,
    )


@parallel
def _adam(
    task: int,
    tasks: int,
    parameter: Any,
    gradient: Any,
    mean: Any,
    square: Any,
    largest: Any,
    rate: Any,
    correction: Any,
    beta1: Any,
    rest1: Any,
    beta2: Any,
    rest2: Any,
    eps: Any,
    decay: Any,
    shrink: Any,
) -> None:
    """`decay` adds the parameter to the gradient (Adam), `shrink` multiplies it (AdamW)."""
    parameter, gradient = share_of(parameter, task, tasks), share_of(gradient, task, tasks)
    mean, square = share_of(mean, task, tasks), share_of(square, task, tasks)
    largest = share_of(largest, task, tasks)
    for i in range(parameter.size):
        g = gradient[i] + decay * parameter[i]
        m = beta1 * mean[i] + rest1 * g
        v = beta2 * square[i] + rest2 * (g * g)
        mean[i], square[i] = m, v
        if largest.size:
            v = v if v > largest[i] else largest[i]
            largest[i] = v
        parameter[i] = shrink * parameter[i] - rate * m / (np.sqrt(v) / correction + eps)


def _adam_step(
    parameter: Array,
    gradient: Array,
    states: Sequence[Array | None],
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    decay: float,
    shrink: float,
) -> None:
    """Hand both forms to the kernel, the bias corrections folded into the rate and the root's divisor."""
    beta1, beta2 = betas
    rate, correction = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    numbers = (rate, correction, beta1, 1 - beta1, beta2, 1 - beta2, eps, decay, shrink)
    _adam(
        tasks_for(parameter.size),
        *_flat(parameter, parameter, gradient, *states),
        *map(parameter.dtype.type, numbers),
    )


@implements(adam_step, "fused", IDEA, fits=_in_order, pays=_large)
def adam_step_fused(
    parameter: Array,
    gradient: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """p -= lr m' / (sqrt(v') + eps)."""
    states = (exp_avg, exp_avg_sq, max_exp_avg_sq)
    _adam_step(parameter, gradient, states, step, lr, (beta1, beta2), eps, weight_decay, 1)


@implements(adamw_step, "fused", IDEA, fits=_in_order, pays=_large)
def adamw_step_fused(
    parameter: Array,
    gradient: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """p shrinks by lr weight_decay first."""
    states = (exp_avg, exp_avg_sq, max_exp_avg_sq)
    _adam_step(parameter, gradient, states, step, lr, (beta1, beta2), eps, 0, 1 - lr * weight_decay)


@parallel
def _rmsprop(
    task: int,
    tasks: int,
    parameter: Any,
    gradient: Any,
    square: Any,
    mean: Any,
    buffer: Any,
    lr: Any,
    alpha: Any,
    rest: Any,
    eps: Any,
    weight_decay: Any,
    momentum: Any,
) -> None:
    parameter, gradient = share_of(parameter, task, tasks), share_of(gradient, task, tasks)
    square, mean = share_of(square, task, tasks), share_of(mean, task, tasks)
    buffer = share_of(buffer, task, tasks)
    for i in range(parameter.size):
        g = gradient[i] + weight_decay * parameter[i]
        variance = alpha * square[i] + rest * (g * g)
        square[i] = variance
        if mean.size:
            m = alpha * mean[i] + rest * g
            mean[i] = m
            variance -= m * m
            variance = like(variance, 0) if variance < like(variance, 0) else variance
        d = g / (np.sqrt(variance) + eps)
        if buffer.size:
            d += momentum * buffer[i]
            buffer[i] = d
        parameter[i] -= lr * d


@implements(rmsprop_step, "fused", IDEA, fits=_in_order, pays=_large)
def rmsprop_step_fused(
    parameter: Array,
    gradient: Array,
    square_avg: Array,
    grad_avg: Array | None,
    momentum_buffer: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> None:
    """p -= lr g / (root of the running mean square, or standard deviation, of g)."""
    _rmsprop(
        tasks_for(parameter.size),
        *_flat(parameter, parameter, gradient, square_avg, grad_avg, momentum_buffer),
        *map(parameter.dtype.type, (lr, alpha, 1 - alpha, eps, weight_decay, momentum)),
    )
