"""The locally connected layer in NumPy: the definition in loops, and a small matrix product per position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array
from kernels.columns import batch_pieces, col2im, im2col
from kernels.convolution import crop_planes, pad_planes, padded_size, patch_slices
from kernels.locally_connected2d import (
    locally_connected2d_backward_bias,
    locally_connected2d_backward_input,
    locally_connected2d_backward_weight,
    locally_connected2d_forward,
)
from kernels.registry import implements
from kernels.threads import matrix_product
from kernels.window import Pair, Window


@implements(locally_connected2d_forward, "loops", "the definition: a position's own filter times its patch")
def locally_connected2d_forward_loops(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """y[n, o, i, j] = b[o, i, j] + sum of w[i, j, o] * patch(i, j)."""
    batch, (out_height, out_width, outputs) = x.shape[0], weight.shape[:3]
    padded = pad_planes(x, window)
    y = np.zeros((batch, outputs, out_height, out_width), x.dtype)
    for n in range(batch):
        for o in range(outputs):
            for i in range(out_height):
                for j in range(out_width):
                    rows, columns = patch_slices(window, i, j)
                    patch = padded[n, :, rows, columns]  # (C, KH, KW)
                    y[n, o, i, j] = (patch * weight[i, j, o]).sum()
                    if bias is not None:
                        y[n, o, i, j] += bias[o, i, j]
    return y


@implements(locally_connected2d_forward, "im2col", "one matrix product per position, of all samples' patches")
def locally_connected2d_forward_im2col(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Y[p] = W[p] X[p] + b."""
    positions, outputs = (weight.shape[0], weight.shape[1]), weight.shape[2]
    banks = _banks(weight)
    y = np.empty((x.shape[0], outputs, *positions), x.dtype)
    for piece in batch_pieces(x.shape, window, positions):
        product = matrix_product(banks, _patches(x[piece], window, positions))  # (OH*OW, O, n)
        y[piece] = product.reshape(*positions, outputs, -1).transpose(3, 2, 0, 1)
    if bias is not None:
        y += bias
    return y


@implements(
    locally_connected2d_backward_input,
    "loops",
    "the definition: every output spreads its gradient over its patch",
)
def locally_connected2d_backward_input_loops(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """dpatch(i, j) += dy[n, o, i, j] w[i, j, o]."""
    batch, outputs, out_height, out_width = grad_output.shape
    padded = np.zeros((*input_shape[:2], *padded_size(input_shape[2:], window)), grad_output.dtype)
    for n in range(batch):
        for o in range(outputs):
            for i in range(out_height):
                for j in range(out_width):
                    rows, columns = patch_slices(window, i, j)
                    padded[n, :, rows, columns] += grad_output[n, o, i, j] * weight[i, j, o]
    return crop_planes(padded, window).copy()


@implements(
    locally_connected2d_backward_input,
    "im2col",
    "one matrix product per position, then KH * KW shifted additions",
)
def locally_connected2d_backward_input_im2col(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """dX[p] = W[p]^T dY[p], the patches added up where they lie."""
    positions, channels = (weight.shape[0], weight.shape[1]), weight.shape[3]
    transposed = _banks(weight).swapaxes(1, 2)  # (OH*OW, C*KH*KW, O)
    grad_x = np.empty(tuple(input_shape), grad_output.dtype)
    for piece in batch_pieces(input_shape, window, positions):
        product = matrix_product(transposed, _upstream(grad_output[piece]))  # (OH*OW, C*KH*KW, n)
        columns = product.transpose(1, 2, 0).reshape(channels, *window.kernel, -1, *positions)
        grad_x[piece] = col2im(columns, input_shape[2:], window)
    return grad_x


@implements(
    locally_connected2d_backward_weight, "loops", "the definition: every output's gradient times its patch"
)
def locally_connected2d_backward_weight_loops(grad_output: Array, x: Array, window: Window) -> Array:
    """dw[i, j, o] += dy[n, o, i, j] patch(i, j)."""
    batch, outputs, out_height, out_width = grad_output.shape
    padded = pad_planes(x, window)
    grad_weight = np.zeros((out_height, out_width, outputs, x.shape[1], *window.kernel), x.dtype)
    for n in range(batch):
        for o in range(outputs):
            for i in range(out_height):
                for j in range(out_width):
                    rows, columns = patch_slices(window, i, j)
                    grad_weight[i, j, o] += grad_output[n, o, i, j] * padded[n, :, rows, columns]
    return grad_weight


@implements(
    locally_connected2d_backward_weight, "im2col", "one matrix product per position, of all samples' patches"
)
def locally_connected2d_backward_weight_im2col(grad_output: Array, x: Array, window: Window) -> Array:
    """dW[p] = dY[p] X[p]^T."""
    outputs, positions = grad_output.shape[1], (grad_output.shape[2], grad_output.shape[3])
    taps = x.shape[1] * window.kernel[0] * window.kernel[1]
    total = np.zeros((positions[0] * positions[1], outputs, taps), x.dtype)
    for piece in batch_pieces(x.shape, window, positions):
        patches = _patches(x[piece], window, positions).swapaxes(1, 2)  # (OH*OW, n, C*KH*KW)
        total += matrix_product(_upstream(grad_output[piece]), patches)
    return total.reshape(*positions, outputs, x.shape[1], *window.kernel)


@implements(locally_connected2d_backward_bias, "loops", "the definition: a sum over the samples")
def locally_connected2d_backward_bias_loops(grad_output: Array) -> Array:
    """db[o, i, j] = sum_n dy[n, o, i, j]."""
    grad_bias = np.zeros(grad_output.shape[1:], grad_output.dtype)
    for sample in grad_output:
        grad_bias += sample
    return grad_bias


@implements(locally_connected2d_backward_bias, "vectorized", "one reduction")
def locally_connected2d_backward_bias_vectorized(grad_output: Array) -> Array:
    """db = sum over the batch axis."""
    total: Array = grad_output.sum(axis=0)
    return total


def _banks(weight: Array) -> Array:
    """Return the weight (OH, OW, O, C, KH, KW) as a matrix per position: (OH*OW, O, C*KH*KW)."""
    out_height, out_width, outputs = weight.shape[:3]
    return weight.reshape(out_height * out_width, outputs, -1)


def _patches(x: Array, window: Window, positions: Pair) -> Array:
    """Return the patches of x (n, C, H, W) as a matrix per position: (OH*OW, C*KH*KW, n)."""
    taps = x.shape[1] * window.kernel[0] * window.kernel[1]
    columns = im2col(x, window, positions).reshape(taps, len(x), -1)  # (C*KH*KW, n, OH*OW)
    return np.ascontiguousarray(columns.transpose(2, 0, 1))


def _upstream(grad_output: Array) -> Array:
    """Return dy (n, O, OH, OW) as a matrix per position: (OH*OW, O, n)."""
    batch, outputs = grad_output.shape[:2]
    return np.ascontiguousarray(grad_output.reshape(batch, outputs, -1).transpose(2, 1, 0))
