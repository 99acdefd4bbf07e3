"""Convolution as a matrix product: every patch under the window becomes a column.

With x unrolled into a matrix X whose rows are (channel, tap) and whose columns are (sample, position),

    y = W X          convolution                          `correlate`
    X = W^T y        spread every y over its patch        `spread`: the input's gradient, or a
                     and add up what overlaps             transposed convolution
    W = y X^T        the weight's gradient                `correlate_weight`

one matrix product each (per group). The price is that X repeats every element of x up to KH * KW times,
so the batch is taken in pieces that keep X small. Every function takes or derives the number of positions
(OH, OW) from its arrays instead of the window: a transposed convolution's output padding lets the window
fit more often than it was used.

Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", IWFHR 2006, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kernels.array import Array
from kernels.convolution import crop_planes, pad_planes, padded_size, tap_slices
from kernels.threads import matrix_product
from kernels.window import Pair, Window

# Elements of X per piece of the batch: 16 MiB of float32, about what the last-level cache holds.
COLUMN_ELEMENTS = 1 << 22


def im2col(x: Array, window: Window, positions: Pair) -> Array:
    """Return the patches of x (N, C, H, W) as columns (C, KH, KW, N, OH, OW)."""
    padded = pad_planes(x, window).swapaxes(0, 1)  # (C, N, H', W')
    columns = np.empty((padded.shape[0], *window.kernel, padded.shape[1], *positions), x.dtype)
    for p, q in np.ndindex(window.kernel):
        rows, across = tap_slices(window, p, q, positions)
        columns[:, p, q] = padded[:, :, rows, across]  # (C, N, OH, OW)
    return columns


def col2im(columns: Array, size: Sequence[int], window: Window) -> Array:
    """Add columns (C, KH, KW, N, OH, OW) up where their patches lie in planes (N, C, H, W) of `size` (H, W).

    One shifted addition of whole planes per tap, in row-major order of the taps.
    """
    channels, batch, positions = columns.shape[0], columns.shape[3], (columns.shape[4], columns.shape[5])
    padded = np.zeros((channels, batch, *padded_size(size, window)), columns.dtype)
    for p, q in np.ndindex(window.kernel):
        rows, across = tap_slices(window, p, q, positions)
        padded[:, :, rows, across] += columns[:, p, q]
    return crop_planes(padded, window).swapaxes(0, 1)  # (N, C, H, W)


def correlate(x: Array, weight: Array, window: Window, groups: int, positions: Pair) -> Array:
    """Return y = W X, shape (N, O, OH, OW), for x (N, G * C, H, W) and weight (O, C, KH, KW)."""
    batch, outputs = x.shape[0], weight.shape[0]
    grouped = weight.reshape(groups, outputs // groups, -1)  # (G, O/G, C*KH*KW)
    y = np.empty((batch, outputs, *positions), x.dtype)
    for piece in batch_pieces(x.shape, window, positions):
        columns = im2col(x[piece], window, positions).reshape(groups, grouped.shape[2], -1)
        product = matrix_product(grouped, columns)  # (G, O/G, n*OH*OW)
        y[piece] = product.reshape(outputs, -1, *positions).swapaxes(0, 1)
    return y


def spread(y: Array, weight: Array, size: Sequence[int], window: Window, groups: int) -> Array:
    """Return X = W^T y added up in planes: (N, G * C, H, W) for y (N, O, OH, OW), weight (O, C, KH, KW)."""
    batch, outputs, positions = y.shape[0], y.shape[1], (y.shape[2], y.shape[3])
    channels = groups * weight.shape[1]
    transposed = weight.reshape(groups, outputs // groups, -1).swapaxes(1, 2)  # (G, C*KH*KW, O/G)
    x = np.empty((batch, channels, *size), y.dtype)
    for piece in batch_pieces(x.shape, window, positions):
        product = matrix_product(transposed, _position_rows(y[piece], groups))  # (G, C*KH*KW, n*OH*OW)
        x[piece] = col2im(product.reshape(channels, *window.kernel, -1, *positions), size, window)
    return x


def correlate_weight(y: Array, x: Array, window: Window, groups: int) -> Array:
    """Return W = y X^T, shape (O, C, KH, KW), for y (N, O, OH, OW) and x (N, G * C, H, W)."""
    outputs, positions = y.shape[1], (y.shape[2], y.shape[3])
    rows = x.shape[1] // groups * window.kernel[0] * window.kernel[1]
    total = np.zeros((groups, outputs // groups, rows), y.dtype)
    for piece in batch_pieces(x.shape, window, positions):
        columns = im2col(x[piece], window, positions).reshape(groups, rows, -1)
        total += matrix_product(_position_rows(y[piece], groups), columns.swapaxes(1, 2))
    return total.reshape(outputs, -1, *window.kernel)


def _position_rows(y: Array, groups: int) -> Array:
    """Return y (N, O, OH, OW) as matrices (G, O/G, N*OH*OW)."""
    batch, outputs, height, width = y.shape
    return y.swapaxes(0, 1).reshape(groups, outputs // groups, batch * height * width)


def batch_pieces(shape: Sequence[int], window: Window, positions: Pair) -> Iterator[slice]:
    """Cut the batch of x of `shape` (N, C, H, W) into slices that keep X below COLUMN_ELEMENTS."""
    batch, channels = shape[0], shape[1]
    per_sample = channels * window.kernel[0] * window.kernel[1] * positions[0] * positions[1]
    step = max(COLUMN_ELEMENTS // per_sample, 1)
    for start in range(0, batch, step):
        yield slice(start, min(start + step, batch))
