"""Batch normalisation in Numba: a channel's values are read from memory once and stay in the cache.

All passes over one channel (`cpu_passes.py`) follow each other within one task.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.batch_norm import (
    batch_norm_backward_inference,
    batch_norm_backward_training,
    batch_norm_forward_inference,
    batch_norm_forward_inference_activated,
    batch_norm_forward_training,
)
from kernels.batch_norm.cpu_passes import (
    gradient_of_channel,
    moments,
    normalise_channel,
    normalise_plane,
    sums,
)
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.endings import CODES, end_with
from kernels.cpu.mapping import floating
from kernels.memory import empty
from kernels.registry import implements

# Values that are normalised by known statistics in the time of one of `tasks_for`'s steps.
VALUES_PER_STEP = 4
# Planes smaller than this are gathered channel by channel first: vectors need neighbours.
SMALLEST_PLANE = 8


def _planes(x: Array) -> Array:
    """x (N, C, *spatial) as a contiguous (N, C, S); as (1, C, N S) where the planes are small."""
    batch, channels = x.shape[:2]
    plane = math.prod(x.shape[2:])
    if plane < SMALLEST_PLANE:
        by_channel = x.reshape(batch, channels, plane).transpose(1, 0, 2)
        return np.ascontiguousarray(by_channel).reshape(1, channels, batch * plane)
    return contiguous(x).reshape(batch, channels, plane)


def _restored(planes: Array, like: Array) -> Array:
    """The inverse of `_planes`."""
    batch, channels = like.shape[:2]
    if planes.shape[0] == batch:
        return planes.reshape(like.shape)
    by_channel = planes.reshape(channels, batch, math.prod(like.shape[2:]))
    return np.ascontiguousarray(by_channel.transpose(1, 0, 2)).reshape(like.shape)


def _per_channel(values: Array | None, default: float, x: Array) -> Array:
    """The parameter as kernels take it; for None, as many times the default."""
    return _constant(x.shape[1], default, x.dtype) if values is None else contiguous(values)


@functools.lru_cache(maxsize=256)
def _constant(length: int, value: float, dtype: np.dtype[Any]) -> Array:
    return np.full(length, value, dtype)


@implements(
    batch_norm_forward_training,
    "fused",
    "statistics in one pass, merged block by block; then the values, from the cache",
    fits=floating,
)
def batch_norm_forward_training_fused(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """One task normalises whole channels; the running statistics are updated from their float64 values."""
    planes = _planes(x)
    channels, values = x.shape[1], x.size // x.shape[1]
    y = empty(planes.shape, x.dtype)
    average, variance = np.zeros(channels), np.zeros(channels)
    mean, inverse_std = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    _normalise_by_batch(
        tasks_for(x.size),
        planes,
        _per_channel(weight, 1, x),
        _per_channel(bias, 0, x),
        float(eps),
        y,
        average,
        variance,
        mean,
        inverse_std,
    )
    if running_mean is not None and running_var is not None and values > 1:
        running_mean[...] = (1 - momentum) * running_mean + momentum * average
        running_var[...] = (1 - momentum) * running_var + momentum * (variance * values / (values - 1))
    return _restored(y, x), mean, inverse_std


@parallel
def _normalise_by_batch(
    task: int,
    tasks: int,
    x: Any,
    weight: Any,
    bias: Any,
    eps: float,
    y: Any,
    average: Any,
    variance: Any,
    mean: Any,
    inverse_std: Any,
) -> None:
    channels = x.shape[1]
    for c in range(channels * task // tasks, channels * (task + 1) // tasks):
        average[c], variance[c] = moments(x, c)
        mean[c], inverse_std[c] = average[c], 1 / np.sqrt(variance[c] + eps)
        normalise_channel(x, c, mean[c], inverse_std[c] * weight[c], bias[c], y)


@implements(
    batch_norm_backward_training,
    "fused",
    "both sums in one pass; then the gradient, from the cache",
    fits=floating,
    compiled=True,
)
def batch_norm_backward_training_fused(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """One task takes whole channels."""
    return _backward(grad_output, x, weight, contiguous(mean), contiguous(inverse_std), True)


@implements(
    batch_norm_backward_inference,
    "fused",
    "both sums and the gradient in one pass",
    fits=floating,
)
def batch_norm_backward_inference_fused(
    grad_output: Array, x: Array, weight: Array | None, running_mean: Array, running_var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """As in training, without the terms that come from the statistics."""
    inverse_std = (1 / np.sqrt(running_var + eps)).astype(x.dtype)
    return _backward(grad_output, x, weight, contiguous(running_mean), inverse_std, False)


def _backward(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array, training: bool
) -> tuple[Array, Array, Array]:
    """The gradients of x, weight and bias."""
    planes = _planes(x)
    grad_x = empty(planes.shape, x.dtype)
    grad_weight, grad_bias = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    _gradients(
        tasks_for(x.size),
        _planes(grad_output),
        planes,
        _per_channel(weight, 1, x),
        mean,
        inverse_std,
        training,
        grad_x,
        grad_weight,
        grad_bias,
    )
    return _restored(grad_x, x), grad_weight, grad_bias


@parallel
def _gradients(
    task: int,
    tasks: int,
    grad_output: Any,
    x: Any,
    weight: Any,
    mean: Any,
    inverse_std: Any,
    training: bool,
    grad_x: Any,
    grad_weight: Any,
    grad_bias: Any,
) -> None:
    batch, channels, plane = x.shape
    values = max(batch * plane, 1)
    for c in range(channels * task // tasks, channels * (task + 1) // tasks):
        products, total = sums(grad_output, x, c, mean[c])
        products *= inverse_std[c]
        grad_weight[c], grad_bias[c] = products, total
        scale = weight[c] * inverse_std[c]
        if training:
            constant, slope = x.dtype.type(total / values), x.dtype.type(products * inverse_std[c] / values)
            gradient_of_channel(grad_output, x, c, mean[c], scale, constant, slope, grad_x)
        else:
            zero = x.dtype.type(0)
            normalise_channel(grad_output, c, zero, scale, zero, grad_x)


@implements(
    batch_norm_forward_inference,
    "fused",
    "one subtraction and one multiply-add per value",
    fits=floating,
    compiled=True,
)
def batch_norm_forward_inference_fused(
    x: Array, weight: Array | None, bias: Array | None, running_mean: Array, running_var: Array, eps: float
) -> Array:
    """The mean is subtracted first: folded into the bias, a large one would cost digits."""
    return _forward_inference(x, weight, bias, running_mean, running_var, eps, None)


@implements(
    batch_norm_forward_inference_activated,
    "fused",
    "the activation while a plane is in the cache",
    fits=floating,
    compiled=True,
)
def batch_norm_forward_inference_activated_fused(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    eps: float,
    activation: str,
) -> Array:
    """The same affine map, and the activation of what it has just written."""
    return _forward_inference(x, weight, bias, running_mean, running_var, eps, activation)


def _forward_inference(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array,
    running_var: Array,
    eps: float,
    activation: str | None,
) -> Array:
    planes = _planes(x)
    y = empty(planes.shape, x.dtype)
    _normalise(
        tasks_for(x.size // VALUES_PER_STEP),
        planes,
        _per_channel(weight, 1, x),
        _per_channel(bias, 0, x),
        contiguous(running_mean),
        contiguous(running_var),
        float(eps),
        y,
        CODES.get(activation, 0),
    )
    return _restored(y, x)


@parallel
def _normalise(
    task: int, tasks: int, x: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: Any, y: Any, ending: int
) -> None:
    planes = x.shape[0] * x.shape[1]
    first, last = planes * task // tasks, planes * (task + 1) // tasks
    _normalise_planes(first, last, x, weight, bias, mean, var, eps, y, ending)


@compiled(borrowing=True)
def _normalise_planes(
    first: int, last: int, x: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: Any, y: Any, ending: int
) -> None:
    """y = f((x - mean) / sqrt(var + eps) weight + bias), for the planes first .. last - 1 of all channels."""
    epsilon = x.dtype.type(eps)  # here, where one beyond float32 raises no warning
    for plane in range(first, last):
        n, c = plane // x.shape[1], plane % x.shape[1]
        normalise_plane(x[n, c], mean[c], weight[c] / np.sqrt(var[c] + epsilon), bias[c], y[n, c])
        if ending:
            end_with(ending, y[n, c])
