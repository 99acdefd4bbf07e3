"""Convolution in NumPy: the definition in loops, and patches as the columns of one matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from kernels.columns import correlate, correlate_weight, spread
from kernels.conv2d import (
    conv2d_backward_bias,
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
    conv2d_forward_prepared,
    conv2d_prepare_weight,
)
from kernels.convolution import crop_planes, pad_planes, padded_size, patch_slices
from kernels.half import in_single_precision
from kernels.prepared import PreparedWeight, activate
from kernels.registry import implements
from kernels.window import Window


@implements(conv2d_forward, "loops", "the definition: every output is its filter times the patch under it")
@in_single_precision
def conv2d_forward_loops(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """y[n, o, i, j] = b[o] + sum of w[o] * patch(i, j), over the channels of o's group."""
    (batch, _, height, width), (outputs, channels) = x.shape, weight.shape[:2]
    out_height, out_width = window.output_size((height, width))
    padded = pad_planes(x, window)
    y = np.zeros((batch, outputs, out_height, out_width), x.dtype)
    for n in range(batch):
        for o in range(outputs):
            first = o // (outputs // groups) * channels  # the first input channel of o's group
            for i in range(out_height):
                for j in range(out_width):
                    rows, columns = patch_slices(window, i, j)
                    patch = padded[n, first : first + channels, rows, columns]  # (C_in/G, KH, KW)
                    y[n, o, i, j] = (patch * weight[o]).sum()
                    if bias is not None:
                        y[n, o, i, j] += bias[o]
    return y


@implements(conv2d_forward, "im2col", "patches as columns of a matrix, one product per group")
@in_single_precision
def conv2d_forward_im2col(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """Y = W X + b."""
    y = correlate(x, weight, window, groups, window.output_size(x.shape[2:]))
    if bias is not None:
        y += bias[:, None, None]
    return y


@implements(conv2d_prepare_weight, "loops", "the weight as it is")
def conv2d_prepare_weight_loops(
    weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> PreparedWeight:
    """Nothing to do."""
    return PreparedWeight("conv2d", "reference", "loops", weight, (window, groups))


@implements(conv2d_forward_prepared, "loops", "the definition, then the activation")
def conv2d_forward_prepared_loops(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    """f(conv2d(x, w, b)) on the weight as it was given, whoever prepared it."""
    return activate(conv2d_forward_loops(x, prepared.weight, bias, window, groups), activation)


@implements(conv2d_forward_prepared, "im2col", "patches as columns of a matrix, then the activation")
def conv2d_forward_prepared_im2col(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    """f(W X + b) on the weight as it was given, whoever prepared it."""
    return activate(conv2d_forward_im2col(x, prepared.weight, bias, window, groups), activation)


@implements(
    conv2d_backward_input, "loops", "the definition: every output spreads its gradient over its patch"
)
@in_single_precision
def conv2d_backward_input_loops(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dpatch(i, j) += dy[n, o, i, j] w[o], over the channels of o's group."""
    batch, outputs, out_height, out_width = grad_output.shape
    channels = weight.shape[1]
    padded = np.zeros((*input_shape[:2], *padded_size(input_shape[2:], window)), grad_output.dtype)
    for n in range(batch):
        for o in range(outputs):
            first = o // (outputs // groups) * channels
            for i in range(out_height):
                for j in range(out_width):
                    rows, columns = patch_slices(window, i, j)
                    padded[n, first : first + channels, rows, columns] += grad_output[n, o, i, j] * weight[o]
    return crop_planes(padded, window).copy()


@implements(conv2d_backward_input, "im2col", "one product per group, then KH * KW shifted additions")
@in_single_precision
def conv2d_backward_input_im2col(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dX = W^T dY, its columns added up where their patches lie."""
    return spread(grad_output, weight, input_shape[2:], window, groups)


@implements(conv2d_backward_weight, "loops", "the definition: every output adds its gradient times its patch")
@in_single_precision
def conv2d_backward_weight_loops(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """dw[o] += dy[n, o, i, j] patch(i, j), over the channels of o's group."""
    batch, outputs, out_height, out_width = grad_output.shape
    channels = x.shape[1] // groups
    padded = pad_planes(x, window)
    grad_weight = np.zeros((outputs, channels, *window.kernel), x.dtype)
    for n in range(batch):
        for o in range(outputs):
            first = o // (outputs // groups) * channels
            for i in range(out_height):
                for j in range(out_width):
                    rows, columns = patch_slices(window, i, j)
                    patch = padded[n, first : first + channels, rows, columns]  # (C_in/G, KH, KW)
                    grad_weight[o] += grad_output[n, o, i, j] * patch
    return grad_weight


@implements(conv2d_backward_weight, "im2col", "patches as columns of a matrix, one product per group")
@in_single_precision
def conv2d_backward_weight_im2col(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """dW = dY X^T."""
    return correlate_weight(grad_output, x, window, groups)


@implements(conv2d_backward_bias, "loops", "the definition: a sum over samples and positions")
@in_single_precision
def conv2d_backward_bias_loops(grad_output: Array) -> Array:
    """db[o] = sum_{n, i, j} dy[n, o, i, j]."""
    batch, outputs, out_height, out_width = grad_output.shape
    grad_bias = np.zeros(outputs, grad_output.dtype)
    for n in range(batch):
        for o in range(outputs):
            for i in range(out_height):
                for j in range(out_width):
                    grad_bias[o] += grad_output[n, o, i, j]
    return grad_bias


@implements(conv2d_backward_bias, "vectorized", "one reduction")
@in_single_precision
def conv2d_backward_bias_vectorized(grad_output: Array) -> Array:
    """db = sum over the batch and both spatial axes."""
    total: Array = grad_output.sum(axis=(0, 2, 3))
    return total
