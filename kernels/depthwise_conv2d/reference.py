"""Depthwise convolution in NumPy: the definition in loops, and one shifted view of all planes per tap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from kernels.conv2d.reference import conv2d_backward_bias_loops, conv2d_backward_bias_vectorized
from kernels.convolution import crop_planes, pad_planes, padded_size, patch_slices, tap_slices
from kernels.depthwise_conv2d import (
    depthwise_conv2d_backward_bias,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
    depthwise_conv2d_forward,
    depthwise_conv2d_forward_activated,
)
from kernels.prepared import activate
from kernels.registry import implements
from kernels.window import Window


@implements(depthwise_conv2d_forward, "loops", "the definition: every output is its filter times its patch")
def depthwise_conv2d_forward_loops(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """y[n, c M + m, i, j] = b[c M + m] + sum of w[c M + m] * patch(i, j) of channel c."""
    batch, channels, height, width = x.shape
    out_height, out_width = window.output_size((height, width))
    multiplier = weight.shape[0] // channels
    padded = pad_planes(x, window)
    y = np.zeros((batch, channels * multiplier, out_height, out_width), x.dtype)
    for n in range(batch):
        for c in range(channels):
            for o in range(c * multiplier, (c + 1) * multiplier):
                for i in range(out_height):
                    for j in range(out_width):
                        patch = padded[n, c][patch_slices(window, i, j)]  # (KH, KW)
                        y[n, o, i, j] = (patch * weight[o, 0]).sum()
                        if bias is not None:
                            y[n, o, i, j] += bias[o]
    return y


@implements(depthwise_conv2d_forward, "windows", "one shifted view of all planes per tap")
def depthwise_conv2d_forward_windows(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """y = b + sum over the taps of w[tap] * (x seen by the tap)."""
    batch, channels, height, width = x.shape
    positions = window.output_size((height, width))
    filters = _by_channel(weight, channels)
    padded = pad_planes(x, window)
    y = np.zeros((batch, channels, filters.shape[1], *positions), x.dtype)  # (N, C, M, OH, OW)
    if bias is not None:
        y += bias.reshape(channels, -1, 1, 1)
    for p, q in np.ndindex(window.kernel):
        rows, columns = tap_slices(window, p, q, positions)
        y += filters[:, :, p, q, None, None] * padded[:, :, None, rows, columns]
    return y.reshape(batch, weight.shape[0], *positions)


@implements(depthwise_conv2d_forward_activated, "loops", "the definition, then the activation")
def depthwise_conv2d_forward_activated_loops(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str
) -> Array:
    """y = f(convolution)."""
    return activate(depthwise_conv2d_forward_loops(x, weight, bias, window), activation)


@implements(depthwise_conv2d_forward_activated, "windows", "one shifted view per tap, then the activation")
def depthwise_conv2d_forward_activated_windows(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str
) -> Array:
    """y = f(convolution)."""
    return activate(depthwise_conv2d_forward_windows(x, weight, bias, window), activation)


@implements(
    depthwise_conv2d_backward_input,
    "loops",
    "the definition: every output spreads its gradient over its patch",
)
def depthwise_conv2d_backward_input_loops(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """dpatch(i, j) of channel c += dy[n, c M + m, i, j] w[c M + m]."""
    (batch, channels), multiplier = input_shape[:2], weight.shape[0] // input_shape[1]
    out_height, out_width = grad_output.shape[2:]
    padded = np.zeros((batch, channels, *padded_size(input_shape[2:], window)), grad_output.dtype)
    for n in range(batch):
        for c in range(channels):
            for o in range(c * multiplier, (c + 1) * multiplier):
                for i in range(out_height):
                    for j in range(out_width):
                        patch = patch_slices(window, i, j)
                        padded[n, c][patch] += grad_output[n, o, i, j] * weight[o, 0]
    return crop_planes(padded, window).copy()


@implements(depthwise_conv2d_backward_input, "windows", "one shifted addition of all planes per tap")
def depthwise_conv2d_backward_input_windows(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """What tap (p, q) saw gets dy * w[tap], added over the channel's M filters."""
    (batch, channels), positions = input_shape[:2], (grad_output.shape[2], grad_output.shape[3])
    filters = _by_channel(weight, channels)
    grad = grad_output.reshape(batch, channels, filters.shape[1], *positions)  # (N, C, M, OH, OW)
    padded = np.zeros((batch, channels, *padded_size(input_shape[2:], window)), grad_output.dtype)
    for p, q in np.ndindex(window.kernel):
        rows, columns = tap_slices(window, p, q, positions)
        padded[:, :, rows, columns] += (filters[:, :, p, q, None, None] * grad).sum(axis=2)
    return crop_planes(padded, window).copy()


@implements(
    depthwise_conv2d_backward_weight,
    "loops",
    "the definition: every output adds its gradient times its patch",
)
def depthwise_conv2d_backward_weight_loops(grad_output: Array, x: Array, window: Window) -> Array:
    """dw[c M + m] += dy[n, c M + m, i, j] patch(i, j) of channel c."""
    batch, outputs, out_height, out_width = grad_output.shape
    multiplier = outputs // x.shape[1]
    padded = pad_planes(x, window)
    grad_weight = np.zeros((outputs, 1, *window.kernel), x.dtype)
    for n in range(batch):
        for c in range(x.shape[1]):
            for o in range(c * multiplier, (c + 1) * multiplier):
                for i in range(out_height):
                    for j in range(out_width):
                        patch = padded[n, c][patch_slices(window, i, j)]  # (KH, KW)
                        grad_weight[o, 0] += grad_output[n, o, i, j] * patch
    return grad_weight


@implements(depthwise_conv2d_backward_weight, "windows", "one shifted view of all planes per tap")
def depthwise_conv2d_backward_weight_windows(grad_output: Array, x: Array, window: Window) -> Array:
    """dw[tap] = sum of dy * (x seen by the tap)."""
    (batch, channels), outputs = x.shape[:2], grad_output.shape[1]
    positions = (grad_output.shape[2], grad_output.shape[3])
    padded = pad_planes(x, window)
    grad = grad_output.reshape(batch, channels, outputs // channels, *positions)  # (N, C, M, OH, OW)
    grad_weight = np.empty((channels, outputs // channels, *window.kernel), x.dtype)  # (C, M, KH, KW)
    for p, q in np.ndindex(window.kernel):
        rows, columns = tap_slices(window, p, q, positions)
        grad_weight[:, :, p, q] = (grad * padded[:, :, None, rows, columns]).sum(axis=(0, 3, 4))
    return grad_weight.reshape(outputs, 1, *window.kernel)


# The bias does not know of groups.
implements(depthwise_conv2d_backward_bias, "loops", "the definition: a sum over samples and positions")(
    conv2d_backward_bias_loops
)
implements(depthwise_conv2d_backward_bias, "vectorized", "one reduction")(conv2d_backward_bias_vectorized)


def _by_channel(weight: Array, channels: int) -> Array:
    """Return the weight (C * M, 1, KH, KW) as (C, M, KH, KW)."""
    return weight.reshape(channels, -1, *weight.shape[2:])
