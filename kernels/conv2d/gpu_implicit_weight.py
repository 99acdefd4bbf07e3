"""The convolution's weight gradient without columns in memory, see implicit_weight.cu.

Winograd's algorithm, which the host has for this gradient (cpu_winograd_weight.py), multiplies 4 times less
for 3x3 windows, but on a GPU every step between goes through global memory: x and dy transformed, each 2.25
times its size, and 36 sums for every 9 of the gradient, 38 MB for 512 x 512 channels, of every part that is
summed apart. Counted for 32 channels in and out, 28 x 28 and two images
(kernels/cuda/emulator/counting.py), this version moves 200 thousand sectors of 32 bytes; the two transforms
alone would move 164 thousand, and the products would have to read and add up what they leave. Which is
faster only hardware can say, so the ladder has no such version.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.array import HALF, Array
from kernels.conv2d import conv2d_backward_weight
from kernels.conv2d.gpu_implicit import FEW_ROWS, places_fit
from kernels.cuda.half import sum_type
from kernels.cuda.launch import Source, contiguous, empty_beside, floating
from kernels.cuda.tiles import ENOUGH_BLOCKS, THREADS, WIDE, choose_tiling
from kernels.cuda.window import window_arguments
from kernels.registry import implements
from kernels.window import Window

SOURCE = Source(__file__, "implicit_weight.cu")
LEAST_PLACES = 256  # of a part: fewer would cost more to add up than to compute
MOST_PARTS = 65535  # of a grid's third axis
DEPTH = 16  # parts begin at whole tiles


def backward_weight(
    grad_output: Array, x: Array, window: Window, groups: int, *, tensor_cores: bool = False
) -> Array:
    """A block per tile of the gradient and part of the places; the parts are added up in their order."""
    grad_output, x = contiguous(grad_output), contiguous(x)
    shape = (grad_output.shape[1], x.shape[1] // groups, *window.kernel)
    grad_weight: Array = empty_beside(x, shape, x.dtype)
    rows, columns = shape[0] // groups, math.prod(shape[1:])
    places = x.shape[0] * math.prod(grad_output.shape[2:])
    most = max(places // LEAST_PLACES, 1)
    tiling = choose_tiling(rows, columns * most, x.dtype, largest=WIDE)
    length = part_length(places, groups * tiling.blocks(rows, columns), most)
    number = max(-(-places // length), 1)
    at_once = number == 1 and x.dtype != HALF
    parts = grad_weight if at_once else empty_beside(x, (number, *shape), sum_type(x.dtype))
    arguments = (
        *(grad_output, x, parts),
        *(np.int64(size) for size in (places, length, groups, rows, columns)),
        *(np.int32(size) for size in window_arguments(window, x.shape[2:], grad_output.shape[2:])),
    )
    macros = tiling.macros(x.dtype, tensor_cores=tensor_cores)
    grid = (tiling.blocks(rows, columns), groups, number)
    SOURCE.launch("correlate", grid, (THREADS,), arguments, macros)
    if not at_once:
        sizes = (np.int64(grad_weight.size), np.int64(number))
        SOURCE.launch_each("add_parts", grad_weight.size, (parts, grad_weight, *sizes), macros)
    return grad_weight


def part_length(places: int, blocks: int, most: int) -> int:
    """Return how many places a part has: as many parts as make two blocks for each that is enough."""
    parts = min(max(2 * ENOUGH_BLOCKS // blocks, 1), most, MOST_PARTS)
    return max(-(-places // (parts * DEPTH)), 1) * DEPTH


def _fits(grad_output: Any, x: Any, window: Window, groups: int) -> bool:
    return floating(x) and places_fit(window, x.shape[2:], groups)


def _pays(grad_output: Any, x: Any, window: Window, groups: int) -> bool:
    return bool(grad_output.shape[1] // groups >= FEW_ROWS)


def announce_implicit_weight() -> None:
    """Enter the version into its ladder."""
    implements(
        conv2d_backward_weight,
        "implicit",
        "patches gathered into shared memory; parts of the places by different blocks, added in order",
        backend="gpu",
        fits=_fits,
        pays=_pays,
    )(backward_weight)
