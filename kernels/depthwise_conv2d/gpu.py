"""Depthwise convolution on the GPU: as convolution with a group per channel, and on tiles in shared memory.

See depthwise_conv2d.cu. A tile's patch must fit into the shared memory that every block may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.conv2d.gpu import (
    conv2d_backward_bias_rows,
    conv2d_backward_input_direct,
    conv2d_backward_weight_direct,
    direct_forward,
)
from kernels.cuda.activations import activation_number
from kernels.cuda.launch import THREADS, Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.window import window_arguments
from kernels.depthwise_conv2d import (
    depthwise_conv2d_backward_bias,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
    depthwise_conv2d_forward,
    depthwise_conv2d_forward_activated,
)
from kernels.depthwise_conv2d.gpu_tiles import Tiles, input_tiles, output_tiles
from kernels.registry import implements
from kernels.window import Window

SOURCE = Source(__file__, "depthwise_conv2d.cu")
DIRECT = "one thread per element of the result, as convolution with a group per channel"
TILES = "what a tile of a plane sees lies in shared memory"
SHARED_BYTES = 48 * 1024  # what a block may have without asking for more
MOST_BLOCKS = 65535  # of a grid's second and third axis
MOST_STEPS = 2**29  # of sizes, padding and strides, sums of which count in 32 bits
BLOCKS = 1024  # enough to occupy any GPU: the weight's gradient is cut into parts until there are as many


def _have_room(numbers: int, array: Any) -> bool:
    return bool(numbers * array.dtype.itemsize <= SHARED_BYTES)


def _forward_fits(x: Any, weight: Any, bias: Any, window: Window, *activation: Any) -> bool:
    if not floating(x):
        return False
    tiles = output_tiles(window, window.output_size(x.shape[2:]), x.dtype.itemsize)
    return _have_room(tiles.patch.numbers(), x)


def _input_fits(grad_output: Any, weight: Any, input_shape: Sequence[int], window: Window) -> bool:
    numbers = window_arguments(window, input_shape[2:], grad_output.shape[2:])
    if not floating(grad_output) or max(*map(int, numbers), *window.extent) > MOST_STEPS:
        return False
    tiles = input_tiles(window, (input_shape[2], input_shape[3]), grad_output.dtype.itemsize)
    return _have_room(tiles.patch.numbers(), grad_output)


def _weight_numbers(tiles: Tiles, taps: int) -> int:
    """The elements that the kernel of the weight's gradient has in shared memory: patch, tile, sums."""
    return tiles.patch.numbers() + tiles.height * tiles.width + THREADS // taps * (taps | 1)


def _weight_fits(grad_output: Any, x: Any, window: Window) -> bool:
    taps = window.kernel[0] * window.kernel[1]
    if not floating(x) or taps > THREADS:
        return False
    tiles = output_tiles(window, grad_output.shape[2:], x.dtype.itemsize)
    return _have_room(_weight_numbers(tiles, taps), x)


def _launch(kernel: str, batch: int, channels: int, tiles: Tiles, arguments: Sequence[Any]) -> None:
    """Run a kernel with a block per tile of a plane, which walks over planes where there are very many."""
    dtype = arguments[0].dtype
    grid = (tiles.total, min(channels, MOST_BLOCKS), min(batch, MOST_BLOCKS))
    shared_bytes = tiles.patch.numbers() * dtype.itemsize
    if batch:
        SOURCE.launch(kernel, grid, (tiles.threads(),), arguments, {"REAL": c_type(dtype)}, shared_bytes)


# ---- as convolution -------------------------------------------------------------------------------


@implements(depthwise_conv2d_forward, "direct", DIRECT, fits=floating)
def depthwise_conv2d_forward_direct(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Every thread reads its patch and its filter from global memory."""
    return direct_forward(x, weight, bias, window, x.shape[1], None)


@implements(depthwise_conv2d_forward_activated, "direct", DIRECT, fits=floating)
def depthwise_conv2d_forward_activated_direct(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str
) -> Array:
    """The activation before the value is written."""
    return direct_forward(x, weight, bias, window, x.shape[1], activation)


@implements(depthwise_conv2d_backward_input, "direct", DIRECT, fits=floating)
def depthwise_conv2d_backward_input_direct(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """An element of the input gathers from the windows that cover it."""
    return conv2d_backward_input_direct(grad_output, weight, input_shape, window, input_shape[1])


@implements(depthwise_conv2d_backward_weight, "direct", DIRECT, fits=floating)
def depthwise_conv2d_backward_weight_direct(grad_output: Array, x: Array, window: Window) -> Array:
    """One thread adds everything up in order."""
    return conv2d_backward_weight_direct(grad_output, x, window, x.shape[1])


# The bias does not know of groups.
implements(
    depthwise_conv2d_backward_bias,
    "rows",
    "a block per channel, whose threads combine in pairs",
    fits=floating,
)(conv2d_backward_bias_rows)


# ---- on tiles -------------------------------------------------------------------------------------


def _forward(x: Any, weight: Any, bias: Any, window: Window, activation: str | None) -> Any:
    x, weight = contiguous(x), contiguous(weight)
    size = window.output_size(x.shape[2:])
    tiles = output_tiles(window, size, x.dtype.itemsize)
    batch, channels = x.shape[:2]
    y = empty_beside(x, (batch, weight.shape[0], *size), x.dtype)
    arguments = (
        *(x, weight, contiguous(bias), y),
        *map(np.int64, (batch, channels, weight.shape[0] // channels)),
        *window_arguments(window, x.shape[2:], size),
        *tiles.arguments(),
        activation_number(activation),
    )
    _launch("tiled_forward", batch, channels, tiles, arguments)
    return y


@implements(depthwise_conv2d_forward, "tiles", TILES, fits=_forward_fits)
def depthwise_conv2d_forward_tiles(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """The M filters of a channel share its patches."""
    y: Array = _forward(x, weight, bias, window, None)
    return y


@implements(depthwise_conv2d_forward_activated, "tiles", TILES, fits=_forward_fits)
def depthwise_conv2d_forward_activated_tiles(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str
) -> Array:
    """The activation before the value is written."""
    y: Array = _forward(x, weight, bias, window, activation)
    return y


@implements(depthwise_conv2d_backward_input, "tiles", TILES, fits=_input_fits)
def depthwise_conv2d_backward_input_tiles(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """One patch of the output's gradient after the other, for the channel's M filters."""
    grad_output, weight = contiguous(grad_output), contiguous(weight)
    batch, channels, *size = input_shape
    tiles = input_tiles(window, (size[0], size[1]), grad_output.dtype.itemsize)
    grad_x: Array = empty_beside(grad_output, input_shape, grad_output.dtype)
    arguments = (
        *(grad_output, weight, grad_x),
        *map(np.int64, (batch, channels, weight.shape[0] // channels)),
        *window_arguments(window, size, grad_output.shape[2:]),
        *tiles.arguments(),
    )
    _launch("tiled_backward_input", batch, channels, tiles, arguments)
    return grad_x


@implements(
    depthwise_conv2d_backward_weight,
    "tiles",
    "tiles in shared memory, a share of them per block, added up in a fixed order",
    fits=_weight_fits,
)
def depthwise_conv2d_backward_output_tiles(grad_output: Array, x: Array, window: Window) -> Array:
    """How many parts there are depends on the shape only."""
    grad_output, x = contiguous(grad_output), contiguous(x)
    (batch, channels), filters = x.shape[:2], grad_output.shape[1]
    taps = window.kernel[0] * window.kernel[1]
    tiles = output_tiles(window, grad_output.shape[2:], x.dtype.itemsize)
    parts = max(1, min(batch * tiles.total, -(-BLOCKS // filters)))
    grad_weight: Array = empty_beside(x, (filters, 1, *window.kernel), x.dtype)
    found = empty_beside(x, (parts, *grad_weight.shape), x.dtype)
    arguments = (
        *(grad_output, x, found),
        *map(np.int64, (batch, channels, filters // channels)),
        *window_arguments(window, x.shape[2:], grad_output.shape[2:]),
        *tiles.arguments(),
        *map(np.int64, (tiles.total, parts)),
    )
    macros, shared_bytes = {"REAL": c_type(x.dtype)}, _weight_numbers(tiles, taps) * x.dtype.itemsize
    SOURCE.launch("tiled_backward_weight", (filters * parts,), (THREADS,), arguments, macros, shared_bytes)
    total = (found, grad_weight, np.int64(grad_weight.size), np.int64(parts))
    SOURCE.launch_each("sum_of_parts", grad_weight.size, total, macros)
    return grad_weight
