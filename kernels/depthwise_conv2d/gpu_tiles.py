"""How depthwise_conv2d.cu cuts planes into tiles, and how what a tile sees lies in shared memory.

Shared memory has 32 banks of 4 bytes; the threads of a warp wait for each other where they want different
words of one bank. Neighbouring threads have neighbouring outputs, whose elements lie a stride apart; a warp
has several rows of a narrow tile. So columns that are a stride apart lie together, and the rows' pitch is the
one with the fewest passes through shared memory, for writing the patch and reading every tap of it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kernels.cuda.launch import THREADS
from kernels.window import Pair, Window

WARP = 32
BANKS_BYTES = 128  # of all banks together
WARPS_LOOKED_AT = 8  # of those that write a patch: the others do as these


class Patch(NamedTuple):
    """A part of a plane in shared memory.

    Attributes:
        height, width: its rows and columns.
        stride: columns so far apart are neighbours.
        pitch: from a row to the next one.
        phase: from a column's place to that of the next column, if the stride is not 1.
    """

    height: int
    width: int
    stride: int
    pitch: int
    phase: int

    def place(self, row: int, column: int) -> int:
        """Return where an element lies."""
        return row * self.pitch + column % self.stride * self.phase + column // self.stride

    def numbers(self) -> int:
        """Return how many elements there is room for."""
        return self.height * self.pitch


class Tiles(NamedTuple):
    """The kernels' parameters TILES, and how many tiles a plane has.

    Attributes:
        across: tiles side by side.
        height, width: positions of a tile, at most one per thread.
        patch: what a tile sees of the other plane.
        total: tiles of a plane.
    """

    across: int
    height: int
    width: int
    patch: Patch
    total: int

    def arguments(self) -> tuple[np.generic, ...]:
        """Return the kernels' parameters."""
        patch = self.patch
        sizes = (self.height, self.width, patch.height, patch.width, patch.pitch, patch.phase)
        return np.uint32(self.across), *map(np.int32, sizes)

    def threads(self) -> int:
        """Return a thread per position, in whole warps."""
        return -(-self.height * self.width // WARP) * WARP


@functools.cache
def output_tiles(window: Window, size: Pair, itemsize: int) -> Tiles:
    """Return tiles of the output and what their windows see of the input, elements of so many bytes."""
    height, width = _tile(size)
    rows, columns = window.stride
    patch = (height - 1) * rows + window.extent[0], (width - 1) * columns + window.extent[1]
    read = [(i * rows, j * columns) for i, j in _first_warp(size)]
    return _tiles(size, _lay_out(patch, columns, itemsize, read, _warps_read(window, size)))


@functools.cache
def input_tiles(window: Window, size: Pair, itemsize: int) -> Tiles:
    """Return tiles of the input and the windows that cover them, elements of so many bytes."""
    height, width = _tile(size)
    rows, columns = window.stride
    patch = (height + window.extent[0] - 2) // rows + 1, (width + window.extent[1] - 2) // columns + 1
    read = [(i // rows, j // columns) for i, j in _first_warp(size) if i % rows == j % columns == 0]
    return _tiles(size, _lay_out(patch, 1, itemsize, read, _warps_read(window, size)))


def _tile(plane: Pair) -> Pair:
    """The height and width of tiles of at most 32 columns and THREADS positions."""
    width = next(length for length in (8, 16, 32) if length >= min(plane[1], 32))
    return min(THREADS // width, plane[0]), width


def _tiles(plane: Pair, patch: Patch) -> Tiles:
    height, width = _tile(plane)
    across, down = -(-plane[1] // width), -(-plane[0] // height)
    return Tiles(across, height, width, patch, across * down)


def _first_warp(plane: Pair) -> list[tuple[int, int]]:
    """The positions of a tile's first warp that are in the plane."""
    width = _tile(plane)[1]
    return [
        (i, j) for i, j in (divmod(thread, width) for thread in range(WARP)) if i < plane[0] and j < plane[1]
    ]


def _warps_read(window: Window, plane: Pair) -> int:
    """How many times a warp of a tile reads: for every tap."""
    height, width = _tile(plane)
    return window.kernel[0] * window.kernel[1] * -(-height * width // WARP)


def _lay_out(size: Pair, stride: int, itemsize: int, read: Sequence[tuple[int, int]], times: int) -> Patch:
    """The patch with the fewest passes if a warp reads these elements, so many times."""
    height, width = size
    banks = BANKS_BYTES // itemsize

    def passes(patch: Patch, elements: Sequence[tuple[int, int]]) -> int:
        return _passes([patch.place(row, column) for row, column in elements], banks)

    def cost(patch: Patch) -> int:
        return times * passes(patch, read) + sum(passes(patch, written) for written in _writes(size))

    least = -(-width // stride)
    first_row = [(0, column) for column in range(min(width, WARP))]
    phases = (Patch(1, width, stride, 0, least + more) for more in range(banks))
    phase = min(phases, key=lambda patch: passes(patch, first_row)).phase
    pitch = width if stride == 1 else stride * phase
    return min((Patch(height, width, stride, pitch + more, phase) for more in range(banks)), key=cost)


def _writes(size: Pair) -> Iterator[list[tuple[int, int]]]:
    """What the threads of a warp write together: an element each, row after row."""
    elements = size[0] * size[1]
    for start in range(0, min(elements, WARPS_LOOKED_AT * WARP), WARP):
        yield [divmod(element, size[1]) for element in range(start, min(start + WARP, elements))]


def _passes(places: Sequence[int], banks: int) -> int:
    """In how many passes a warp's threads access elements: as many of them at once as there are banks."""
    passes = 0
    for start in range(0, len(places), banks):
        words = [place % banks for place in {*places[start : start + banks]}]
        passes += max(map(words.count, words))
    return passes
