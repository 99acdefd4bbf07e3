"""Transposed convolution in NumPy: the definition in loops, and the convolution's matrix products swapped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from kernels.columns import correlate, correlate_weight, spread
from kernels.conv2d.reference import conv2d_backward_bias_loops, conv2d_backward_bias_vectorized
from kernels.conv_transpose2d import (
    conv_transpose2d_backward_bias,
    conv_transpose2d_backward_input,
    conv_transpose2d_backward_weight,
    conv_transpose2d_forward,
)
from kernels.convolution import crop_planes, pad_planes, padded_size, patch_slices
from kernels.registry import implements
from kernels.window import Pair, Window


@implements(conv_transpose2d_forward, "loops", "the definition: every input spreads its filters over a patch")
def conv_transpose2d_forward_loops(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, output_padding: Pair
) -> Array:
    """patch(i, j) of y += x[n, c, i, j] w[c], over the channels of c's group."""
    (batch, inputs, height, width), channels = x.shape, weight.shape[1]
    size = window.transposed_output_size((height, width), output_padding)
    padded = np.zeros((batch, groups * channels, *padded_size(size, window)), x.dtype)
    for n in range(batch):
        for c in range(inputs):
            first = c // (inputs // groups) * channels  # the first output channel of c's group
            for i in range(height):
                for j in range(width):
                    rows, columns = patch_slices(window, i, j)
                    padded[n, first : first + channels, rows, columns] += x[n, c, i, j] * weight[c]
    y = crop_planes(padded, window).copy()
    if bias is not None:
        y += bias[:, None, None]
    return y


@implements(conv_transpose2d_forward, "im2col", "one product per group, then KH * KW shifted additions")
def conv_transpose2d_forward_im2col(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, output_padding: Pair
) -> Array:
    """Y = W^T X, its columns added up where their patches lie, plus b."""
    size = window.transposed_output_size(x.shape[2:], output_padding)
    y = spread(x, weight, size, window, groups)
    if bias is not None:
        y += bias[:, None, None]
    return y


@implements(conv_transpose2d_backward_input, "loops", "the definition: every input gathers from its patch")
def conv_transpose2d_backward_input_loops(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dx[n, c, i, j] = sum of w[c] * patch(i, j) of dy, over the channels of c's group."""
    (batch, inputs, height, width), channels = input_shape, weight.shape[1]
    padded = pad_planes(grad_output, window)
    grad_x = np.zeros((batch, inputs, height, width), grad_output.dtype)
    for n in range(batch):
        for c in range(inputs):
            first = c // (inputs // groups) * channels
            for i in range(height):
                for j in range(width):
                    rows, columns = patch_slices(window, i, j)
                    patch = padded[n, first : first + channels, rows, columns]  # (C_out/G, KH, KW)
                    grad_x[n, c, i, j] = (patch * weight[c]).sum()
    return grad_x


@implements(conv_transpose2d_backward_input, "im2col", "a convolution: one product per group")
def conv_transpose2d_backward_input_im2col(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> Array:
    """dX = W dY, dY unrolled into columns."""
    return correlate(grad_output, weight, window, groups, (input_shape[2], input_shape[3]))


@implements(conv_transpose2d_backward_weight, "loops", "the definition: every input adds its patch of dy")
def conv_transpose2d_backward_weight_loops(
    grad_output: Array, x: Array, window: Window, groups: int
) -> Array:
    """dw[c] += x[n, c, i, j] patch(i, j) of dy, over the channels of c's group."""
    (batch, inputs, height, width), channels = x.shape, grad_output.shape[1] // groups
    padded = pad_planes(grad_output, window)
    grad_weight = np.zeros((inputs, channels, *window.kernel), x.dtype)
    for n in range(batch):
        for c in range(inputs):
            first = c // (inputs // groups) * channels
            for i in range(height):
                for j in range(width):
                    rows, columns = patch_slices(window, i, j)
                    patch = padded[n, first : first + channels, rows, columns]  # (C_out/G, KH, KW)
                    grad_weight[c] += x[n, c, i, j] * patch
    return grad_weight


@implements(
    conv_transpose2d_backward_weight, "im2col", "patches as columns of a matrix, one product per group"
)
def conv_transpose2d_backward_weight_im2col(
    grad_output: Array, x: Array, window: Window, groups: int
) -> Array:
    """dW = X dY^T, dY unrolled into columns."""
    return correlate_weight(x, grad_output, window, groups)


# A bias is added to a plane in the same way, wherever the plane came from.
implements(conv_transpose2d_backward_bias, "loops", "the definition: a sum over samples and positions")(
    conv2d_backward_bias_loops
)
implements(conv_transpose2d_backward_bias, "vectorized", "one reduction")(conv2d_backward_bias_vectorized)
