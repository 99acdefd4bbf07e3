"""The optimisers' updates in NumPy: element by element, and whole arrays at a time."""

from __future__ import annotations

from math import sqrt

import numpy as np

from kernels.array import Array
from kernels.optimizer_step import adam_step, adamw_step, rmsprop_step, sgd_step
from kernels.registry import implements


@implements(sgd_step, "loops", "the definition: one element after the other")
def sgd_step_loops(
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
    """p -= lr d, where d is the gradient, the running sum of gradients, or a look ahead along it."""
    for i in np.ndindex(parameter.shape):
        g = gradient[i] + weight_decay * parameter[i]
        d = g
        if momentum_buffer is not None:
            b = g if first else momentum * momentum_buffer[i] + (1 - dampening) * g
            momentum_buffer[i] = b
            d = g + momentum * b if nesterov else b
        parameter[i] -= lr * d


@implements(sgd_step, "vectorized", "whole arrays at a time")
def sgd_step_vectorized(
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
    """The same formula on arrays."""
    g = gradient if weight_decay == 0 else gradient + weight_decay * parameter
    if momentum_buffer is None:
        parameter -= lr * g
        return
    if first:
        momentum_buffer[...] = g
    else:
        momentum_buffer *= momentum
        momentum_buffer += (1 - dampening) * g
    parameter -= lr * (g + momentum * momentum_buffer if nesterov else momentum_buffer)


@implements(adam_step, "loops", "the definition: one element after the other")
def adam_step_loops(
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
    """p -= lr m' / (sqrt(v') + eps), m' and v' freed of their bias towards the zeros they start from."""
    for i in np.ndindex(parameter.shape):
        g = gradient[i] + weight_decay * parameter[i]
        exp_avg[i] = beta1 * exp_avg[i] + (1 - beta1) * g
        exp_avg_sq[i] = beta2 * exp_avg_sq[i] + (1 - beta2) * g * g
        v = exp_avg_sq[i]
        if max_exp_avg_sq is not None:
            v = max_exp_avg_sq[i] = max(max_exp_avg_sq[i], v)
        unbiased_m = exp_avg[i] / (1 - beta1**step)
        unbiased_v = v / (1 - beta2**step)
        parameter[i] -= lr * unbiased_m / (np.sqrt(unbiased_v) + eps)


@implements(adam_step, "vectorized", "whole arrays at a time")
def adam_step_vectorized(
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
    """The same formula on arrays, the two bias corrections folded into scalars."""
    g = gradient if weight_decay == 0 else gradient + weight_decay * parameter
    exp_avg *= beta1
    exp_avg += (1 - beta1) * g
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * (g * g)
    v = exp_avg_sq
    if max_exp_avg_sq is not None:
        v = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    denominator = np.sqrt(v) / sqrt(1 - beta2**step) + eps
    parameter -= (lr / (1 - beta1**step)) * exp_avg / denominator


@implements(adamw_step, "loops", "the definition: shrink the weights, then Adam")
def adamw_step_loops(
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
    """p -= lr weight_decay p, then Adam's step without decay."""
    for i in np.ndindex(parameter.shape):
        parameter[i] -= lr * weight_decay * parameter[i]
    adam_step_loops(
        parameter, gradient, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps, 0.0
    )


@implements(adamw_step, "vectorized", "whole arrays at a time")
def adamw_step_vectorized(
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
    """The same formula on arrays."""
    parameter *= 1 - lr * weight_decay
    adam_step_vectorized(
        parameter, gradient, exp_avg, exp_avg_sq, max_exp_avg_sq, step, lr, beta1, beta2, eps, 0.0
    )


@implements(rmsprop_step, "loops", "the definition: one element after the other")
def rmsprop_step_loops(
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
    for i in np.ndindex(parameter.shape):
        g = gradient[i] + weight_decay * parameter[i]
        square_avg[i] = alpha * square_avg[i] + (1 - alpha) * g * g
        variance = square_avg[i]
        if grad_avg is not None:
            grad_avg[i] = alpha * grad_avg[i] + (1 - alpha) * g
            variance = np.maximum(variance - grad_avg[i] * grad_avg[i], 0)
        d = g / (np.sqrt(variance) + eps)
        if momentum_buffer is not None:
            d = momentum_buffer[i] = momentum * momentum_buffer[i] + d
        parameter[i] -= lr * d


@implements(rmsprop_step, "vectorized", "whole arrays at a time")
def rmsprop_step_vectorized(
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
    """The same formula on arrays."""
    g = gradient if weight_decay == 0 else gradient + weight_decay * parameter
    square_avg *= alpha
    square_avg += (1 - alpha) * (g * g)
    variance = square_avg
    if grad_avg is not None:
        grad_avg *= alpha
        grad_avg += (1 - alpha) * g
        variance = np.maximum(square_avg - grad_avg * grad_avg, 0)
    d = g / (np.sqrt(variance) + eps)
    if momentum_buffer is not None:
        momentum_buffer *= momentum
        momentum_buffer += d
        d = momentum_buffer
    parameter -= lr * d
