"""Winograd's convolution on the GPU, for 3x3 windows of stride 1, see winograd.cu.

The output is cut into tiles of m x m numbers. A tile is made from (m + 2)^2 numbers of each input channel, in
three launches:

    V[position, c, tile] = (B^T d B)[position]                             the input's transform
    M[position, o, tile] = sum_c U[position, o, c] V[position, c, tile]    a matrix product per position
    Y[o, tile]           = A^T M A + bias                                  the output's transform

with U = G g G^T made once per weight. Tiles are taken in chunks, so many at a time that their V and M stay
in the second-level cache; no number's sum depends on them.

Errors: |error| <= e sqrt(9 C) eps max |y| with e = 1/2 for m = 2 and e = 2 for m = 4 (on random numbers), as
on the CPU. One infinity or NaN in the input makes NaN of all outputs of its tiles.

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.conv2d import conv2d_backward_input
from kernels.conv2d.versions import TYPES, announce_version
from kernels.conv2d.winograd import (
    DEFAULT_TYPES,
    TAPS,
    best_tile,
    gradient_padding_before,
    has_winograd,
    idea,
    padding_before,
    tiles,
)
from kernels.cuda.activations import activation_number
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside
from kernels.cuda.product import TILE, matrices, tiled_product
from kernels.prepared import PreparedWeight
from kernels.registry import implements
from kernels.window import Pair, Window

SOURCE = Source(__file__, "winograd.cu")
THREADS = 128
MOST_CHANNELS = 65535  # of a grid's second axis; more than that take turns
CHUNK_BYTES = 32 << 20  # of V and M together; a GPU's second-level cache has 40 MB and more
# With less the tiles of the matrix product are nearly empty, and the direct algorithm should be faster.
FEWEST_CHANNELS = 32
FEWEST_TILES = TILE


def _macros(m: int, dtype: Any) -> dict[str, str | int]:
    return {"REAL": c_type(dtype), "M": m}


def transformed_filters(weight: Any, m: int, groups: int, turned: bool = False) -> Any:
    """Return U ((m + 2)^2, G, O, C) of a weight (G O, C, 3, 3).

    Args:
        weight: the filters.
        m: height and width of an output tile.
        groups: how many groups of channels.
        turned: for the input's gradient: from outputs to inputs, ((m + 2)^2, G, C, O), turned by 180 degrees.
    """
    weight = contiguous(weight)
    rows, depth = weight.shape[0] // groups, weight.shape[1]
    steps = [depth * TAPS * TAPS, TAPS * TAPS]
    if turned:
        rows, depth, steps = depth, rows, steps[::-1]
    u = empty_beside(weight, ((m + 2) ** 2, groups, rows, depth), weight.dtype)
    count = groups * rows * depth
    numbers = map(np.int64, (count, rows, depth, *steps))
    arguments = (weight, u, *numbers, np.bool_(turned))
    grid = (-(-count // THREADS),)
    SOURCE.launch("transform_filters", grid, (THREADS,), arguments, _macros(m, weight.dtype))
    return u


def convolution(
    x: Any, u: Any, bias: Any, m: int, before: Pair, size: Pair, activation: str | None = None
) -> Any:
    """Return activation of convolution of x + bias (N, G O, OH, OW).

    Args:
        x: (N, G C, H, W).
        u: the filters, transformed: ((m + 2)^2, G, O, C).
        bias: (G O,) or None.
        m: height and width of an output tile.
        before: padding above and left of x; negative where rows or columns are skipped.
        size: (OH, OW); what the padded input is too small for sees zeros.
        activation: a name out of `kernels.prepared.ACTIVATIONS`, or None.
    """
    x, bias = contiguous(x), contiguous(bias)
    batch, channels = x.shape[:2]
    positions, groups, outputs = u.shape[:3]
    y = empty_beside(x, (batch, groups * outputs, *size), x.dtype)
    down, across = tiles(m, size)
    chunk_tiles = _chunk_tiles(positions * (channels + groups * outputs) * x.dtype.itemsize)
    for first, count in _chunks(batch * down * across, chunk_tiles):
        v = empty_beside(x, (positions, groups, channels // groups, count), x.dtype)
        chunk = first, count, down, across
        _launch("transform_inputs", (x, v), (*chunk, channels, *x.shape[2:], *before), m)
        products = tiled_product(matrices(u), matrices(v))  # ((m + 2)^2, G, O, tiles)
        numbers = (*chunk, groups * outputs, *size)
        _launch("transform_outputs", (products, bias, y), numbers, m, activation_number(activation))
    return y


def _chunk_tiles(bytes_of_tile: int) -> int:
    """Return how many tiles a chunk has: whole tiles of the matrix product, at least one."""
    return max(CHUNK_BYTES // bytes_of_tile // TILE, 1) * TILE


def _chunks(total: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield where every chunk begins, and its length."""
    for first in range(0, total, length):
        yield first, min(length, total - first)


def _launch(kernel: str, arrays: Sequence[Any], numbers: Sequence[int], m: int, *more: np.generic) -> None:
    """Run a kernel with a thread per tile and channel; numbers are the chunk's and its planes'."""
    _, count, _, _, channels, *_ = numbers
    grid = (-(-count // THREADS), min(channels, MOST_CHANNELS))
    arguments = (*arrays, *map(np.int64, numbers), *more)
    SOURCE.launch(kernel, grid, (THREADS,), arguments, _macros(m, arrays[0].dtype))


# --- the versions and the choice between them


def announce_winograd() -> None:
    """Enter F(2x2, 3x3) and F(4x4, 3x3) into the ladders of the forward pass and of the input's gradient."""
    for m in (2, 4):
        _announce(m)


def _announce(m: int) -> None:
    name = f"winograd_{m}x{m}"

    def pack(weight: Array, input_shape: Sequence[int], window: Window, groups: int) -> tuple[Array, ...]:
        return (transformed_filters(weight, m, groups),)

    def run(
        x: Array,
        prepared: PreparedWeight,
        bias: Array | None,
        window: Window,
        groups: int,
        activation: str | None,
    ) -> Array:
        size = window.output_size(x.shape[2:])
        y: Array = convolution(x, prepared.packed[0], bias, m, padding_before(window), size, activation)
        return y

    def backward_input(
        grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
    ) -> Array:
        """The convolution of dy with the filters turned round, from output channels to input channels."""
        u = transformed_filters(weight, m, groups, turned=True)
        size = (input_shape[2], input_shape[3])
        grad_x: Array = convolution(grad_output, u, None, m, gradient_padding_before(window), size)
        return grad_x

    announce_version(
        *(name, idea(m), pack, run),
        backend="gpu",
        fits=lambda weight_shape, input_shape, window, groups: has_winograd(window),
        pays=lambda weight_shape, input_shape, window, groups: _pays(
            m, weight_shape, input_shape[0], window.output_size(input_shape[2:]), groups
        ),
        default_types=DEFAULT_TYPES,
    )
    implements(
        conv2d_backward_input,
        name,
        idea(m),
        backend="gpu",
        fits=lambda grad_output, weight, input_shape, window, groups: (
            grad_output.dtype in TYPES and has_winograd(window)
        ),
        pays=lambda grad_output, weight, input_shape, window, groups: (
            grad_output.dtype in DEFAULT_TYPES
            and _pays(m, weight.shape, input_shape[0], (input_shape[2], input_shape[3]), groups)
        ),
    )(backward_input)


def _pays(m: int, weight_shape: Sequence[int], batch: int, size: Pair, groups: int) -> bool:
    """Whether there are enough channels and tiles, and no better tile; an estimate from counts of
    multiplications and bytes, not measured.
    """
    down, across = tiles(m, size)
    enough = min(weight_shape[0] // groups, weight_shape[1]) >= FEWEST_CHANNELS
    return enough and batch * down * across >= FEWEST_TILES and best_tile(size) == m
