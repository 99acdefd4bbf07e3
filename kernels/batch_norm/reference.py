"""Batch normalisation in NumPy: channel by channel in loops, and all channels at once."""

from __future__ import annotations

from collections.abc import Callable
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
from kernels.prepared import activate
from kernels.registry import implements


def _accumulator(x: Array) -> Any:
    """The dtype of sums over x: float64, or complex128 for complex x."""
    return np.result_type(x.dtype, np.float64).type


# ---- the definition: one channel after the other, one value after the other ------------------------


@implements(batch_norm_forward_training, "loops", "the definition: mean, then variance, then the values")
def batch_norm_forward_training_loops(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """y = (x - mean) / sqrt(var + eps) weight + bias, with the mean and variance of the batch."""
    y = np.empty(x.shape, x.dtype)
    mean, inverse_std = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    for c in range(x.shape[1]):
        values = list(x[:, c].flat)
        m, zero = len(values), _accumulator(x)(0)
        average = sum(values, zero) / max(m, 1)
        variance = sum(((value - average) ** 2 for value in values), zero) / max(m, 1)
        mean[c], inverse_std[c] = average, 1 / np.sqrt(variance + eps)
        y[:, c] = _affine_loops(x[:, c], mean[c], inverse_std[c], weight, bias, c)
        if running_mean is not None and running_var is not None and m > 1:
            unbiased = variance * m / (m - 1)
            running_mean[c] = (1 - momentum) * running_mean[c] + momentum * average
            running_var[c] = (1 - momentum) * running_var[c] + momentum * unbiased
    return y, mean, inverse_std


@implements(batch_norm_backward_training, "loops", "the definition: two sums per channel, then the values")
def batch_norm_backward_training_loops(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """dx = weight inverse_std (dy - sum(dy) / m - normalised sum(dy normalised) / m)."""
    grad_x = np.empty(x.shape, x.dtype)
    grad_weight, grad_bias = _parameter_gradients_loops(grad_output, x, mean, inverse_std)
    for c in range(x.shape[1]):
        plane, m = x[:, c], x[:, c].size
        scale = inverse_std[c] if weight is None else weight[c] * inverse_std[c]
        for index in np.ndindex(plane.shape):
            normalised = (plane[index] - mean[c]) * inverse_std[c]
            centred = grad_output[:, c][index] - grad_bias[c] / m - normalised * grad_weight[c] / m
            grad_x[:, c][index] = scale * centred
    return grad_x, grad_weight, grad_bias


@implements(batch_norm_forward_inference, "loops", "the definition: an affine map per channel")
def batch_norm_forward_inference_loops(
    x: Array, weight: Array | None, bias: Array | None, running_mean: Array, running_var: Array, eps: float
) -> Array:
    """y = (x - running_mean) / sqrt(running_var + eps) weight + bias."""
    y = np.empty(x.shape, x.dtype)
    for c in range(x.shape[1]):
        inverse_std = 1 / np.sqrt(running_var[c] + eps)
        y[:, c] = _affine_loops(x[:, c], running_mean[c], inverse_std, weight, bias, c)
    return y


@implements(batch_norm_backward_inference, "loops", "the definition: the statistics are constants")
def batch_norm_backward_inference_loops(
    grad_output: Array, x: Array, weight: Array | None, running_mean: Array, running_var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """dx = dy weight / sqrt(running_var + eps)."""
    grad_x = np.empty(x.shape, x.dtype)
    inverse_std = 1 / np.sqrt(running_var + eps)
    grad_weight, grad_bias = _parameter_gradients_loops(grad_output, x, running_mean, inverse_std)
    for c in range(x.shape[1]):
        scale = inverse_std[c] if weight is None else weight[c] * inverse_std[c]
        for index in np.ndindex(x[:, c].shape):
            grad_x[:, c][index] = grad_output[:, c][index] * scale
    return grad_x, grad_weight, grad_bias


def _affine_loops(
    plane: Array, mean: Any, inverse_std: Any, weight: Array | None, bias: Array | None, c: int
) -> Array:
    """(value - mean) inverse_std weight[c] + bias[c] for every value of channel c."""
    y = np.empty(plane.shape, plane.dtype)
    for index in np.ndindex(plane.shape):
        value = (plane[index] - mean) * inverse_std
        if weight is not None:
            value = value * weight[c]
        if bias is not None:
            value = value + bias[c]
        y[index] = value
    return y


def _parameter_gradients_loops(
    grad_output: Array, x: Array, mean: Array, inverse_std: Array
) -> tuple[Array, Array]:
    """grad_weight[c] = sum dy normalised, grad_bias[c] = sum dy."""
    grad_weight, grad_bias = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    for c in range(x.shape[1]):
        weight_sum, bias_sum = _accumulator(x)(0), _accumulator(x)(0)
        for value, gradient in zip(x[:, c].flat, grad_output[:, c].flat, strict=True):
            weight_sum += gradient * ((value - mean[c]) * inverse_std[c])
            bias_sum += gradient
        grad_weight[c], grad_bias[c] = weight_sum, bias_sum
    return grad_weight, grad_bias


# ---- all channels at once ---------------------------------------------------------------------------


@implements(batch_norm_forward_training, "vectorized", "whole-array passes, reductions over all axes but C")
def batch_norm_forward_training_vectorized(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array]:
    """The same sums over (N, *spatial) for all channels together."""
    m = x.size // x.shape[1]
    average = _channel_sum(x) / max(m, 1)  # (C,), float64
    mean = average.astype(x.dtype)
    centred = x - _broadcast(mean, x)  # (N, C, *spatial)
    variance = _channel_sum(centred * centred) / max(m, 1)  # (C,), float64
    inverse_std = (1 / np.sqrt(variance + eps)).astype(x.dtype)
    if running_mean is not None and running_var is not None and m > 1:
        running_mean[...] = (1 - momentum) * running_mean + momentum * average
        running_var[...] = (1 - momentum) * running_var + momentum * (variance * m / (m - 1))
    return _scale_and_shift(centred, inverse_std, weight, bias), mean, inverse_std


@implements(batch_norm_backward_training, "vectorized", "whole-array passes, reductions over all axes but C")
def batch_norm_backward_training_vectorized(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """The same two sums for all channels together."""
    m = max(x.size // x.shape[1], 1)
    normalised = (x - _broadcast(mean, x)) * _broadcast(inverse_std, x)  # (N, C, *spatial)
    grad_bias = _channel_sum(grad_output).astype(x.dtype)
    grad_weight = _channel_sum(grad_output * normalised).astype(x.dtype)
    normalised *= _broadcast(grad_weight / m, x)
    grad_x = grad_output - _broadcast(grad_bias / m, x)
    grad_x -= normalised
    grad_x *= _broadcast(inverse_std if weight is None else weight * inverse_std, x)
    return grad_x, grad_weight, grad_bias


@implements(batch_norm_forward_inference, "vectorized", "one multiply and add over the whole array")
def batch_norm_forward_inference_vectorized(
    x: Array, weight: Array | None, bias: Array | None, running_mean: Array, running_var: Array, eps: float
) -> Array:
    """The same affine map for all channels together."""
    centred = x - _broadcast(running_mean, x)
    return _scale_and_shift(centred, 1 / np.sqrt(running_var + eps), weight, bias)


@implements(batch_norm_backward_inference, "vectorized", "one multiplication and two reductions")
def batch_norm_backward_inference_vectorized(
    grad_output: Array, x: Array, weight: Array | None, running_mean: Array, running_var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """The same sums for all channels together."""
    inverse_std = 1 / np.sqrt(running_var + eps)
    normalised = (x - _broadcast(running_mean, x)) * _broadcast(inverse_std, x)
    grad_x = grad_output * _broadcast(inverse_std if weight is None else weight * inverse_std, x)
    grad_weight = _channel_sum(grad_output * normalised).astype(x.dtype)
    return grad_x, grad_weight, _channel_sum(grad_output).astype(x.dtype)


def _channel_sum(x: Array) -> Array:
    """Sum over all axes but C, accumulated in float64 (complex128)."""
    axes = (0, *range(2, x.ndim))
    total: Array = x.sum(axis=axes, dtype=_accumulator(x))
    return total


def _broadcast(per_channel: Array, x: Array) -> Array:
    """(C,) as (C, 1, ...), so that it meets axis 1 of x."""
    return per_channel.reshape((-1,) + (1,) * (x.ndim - 2))


def _scale_and_shift(centred: Array, inverse_std: Array, weight: Array | None, bias: Array | None) -> Array:
    """centred inverse_std weight + bias, written over `centred`, which is the caller's own."""
    centred *= _broadcast(inverse_std if weight is None else inverse_std * weight, centred)
    if bias is not None:
        centred += _broadcast(bias, centred)
    return centred


# ---- an activation after the affine map --------------------------------------------------------------


def _activated(forward: Callable[..., Array]) -> Callable[..., Array]:
    """y = f(affine map), from a version of the affine map."""

    def forward_activated(
        x: Array,
        weight: Array | None,
        bias: Array | None,
        running_mean: Array,
        running_var: Array,
        eps: float,
        activation: str,
    ) -> Array:
        return activate(forward(x, weight, bias, running_mean, running_var, eps), activation)

    return forward_activated


implements(batch_norm_forward_inference_activated, "loops", "the definition, then the activation")(
    _activated(batch_norm_forward_inference_loops)
)
implements(
    batch_norm_forward_inference_activated, "vectorized", "the whole array at once, then its activation"
)(_activated(batch_norm_forward_inference_vectorized))
