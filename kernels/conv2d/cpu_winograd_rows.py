"""Rows of an image as vectors with one channel per lane, and back; for Winograd's transforms of tiles.

A transform works on as many channels at once as a vector has lanes. A row's neighbours lie side by side in
memory and the channels far apart, so a few neighbours of every channel are read and turned in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from kernels.cpu.simd import INDEX, VectorBuilder
from kernels.cpu.transposition import transposed


def lane_addresses(simd: VectorBuilder, first: Any, count: Any, step: Any) -> list[Any]:
    """An address per lane, `step` elements apart; lanes beyond `count` get the last one."""
    builder, last = simd.builder, simd.builder.sub(count, INDEX(1))
    addresses = []
    for lane in range(simd.lanes):
        exists = builder.icmp_signed("<", INDEX(lane), count)
        addresses.append(simd.after(first, builder.mul(builder.select(exists, INDEX(lane), last), step)))
    return addresses


def piece(simd: VectorBuilder, size: int) -> int:
    """How many neighbours of an image row are read or written at once: a power of two, at most a vector."""
    return min(simd.lanes, 1 << (size - 1).bit_length())


class Square:
    """size x size vectors in memory, between the transforms along the two axes."""

    def __init__(self, simd: VectorBuilder, rows: int, columns: int) -> None:
        self.simd, self.columns = simd, columns
        self.memory = cgutils.alloca_once(simd.builder, simd.vector, size=rows * columns)

    def _address(self, row: Any, column: Any) -> Any:
        builder = self.simd.builder
        row, column = (INDEX(i) if isinstance(i, int) else i for i in (row, column))
        return builder.gep(self.memory, [builder.add(builder.mul(row, INDEX(self.columns)), column)])

    def get(self, row: Any, column: Any) -> Any:
        """Return a vector of the square."""
        return self.simd.builder.load(self._address(row, column))

    def put(self, row: Any, column: Any, vector: Any) -> None:
        """Write a vector of the square."""
        self.simd.builder.store(vector, self._address(row, column))


def load_row(
    simd: VectorBuilder, narrow: VectorBuilder, channels: Sequence[Any], visible: Any, size: int
) -> list[Any]:
    """`size` neighbours of an image row, one vector per column with one channel per lane.

    channels: the addresses of the channels' first element. visible: the columns that are read, as bits; the
    others are zero.
    """
    row: list[Any] = []
    for first in range(0, size, narrow.lanes):
        bits = simd.builder.trunc(simd.builder.lshr(visible, INDEX(first)), ir.IntType(narrow.lanes))
        pieces = [narrow.load_masked(narrow.after(channel, first), bits) for channel in channels]
        side_by_side = [_join(narrow, pieces[i :: narrow.lanes]) for i in range(narrow.lanes)]
        row += transposed(simd, side_by_side)
    return row[:size]


def store_row(
    simd: VectorBuilder,
    narrow: VectorBuilder,
    row: Sequence[Any],
    channels: Sequence[Any],
    channel_count: Any,
    columns: Any,
    whole: Any,
) -> None:
    """Write `row`, one vector per column with one channel per lane, to the channels' addresses.

    Only `columns` columns of `channel_count` channels are written; `whole` says that these are all.
    """
    builder, width = simd.builder, narrow.lanes
    for first in range(0, len(row), width):
        turned = transposed(simd, row[first : first + width])
        pieces = [
            simd.shuffle(
                turned[lane % width],
                turned[lane % width],
                range(lane // width * width, lane // width * width + width),
            )
            for lane in range(simd.lanes)
        ]
        places = [narrow.after(channel, first) for channel in channels]
        with builder.if_else(whole) as (all_of_it, parts_of_it):
            with all_of_it:
                for piece, place in zip(pieces, places, strict=True):
                    narrow.store(piece, place)
            with parts_of_it:
                for lane, (piece, place) in enumerate(zip(pieces, places, strict=True)):
                    exists = builder.icmp_signed("<", INDEX(lane), channel_count)
                    left = builder.sub(columns, INDEX(first))
                    narrow.store_partial(piece, place, builder.select(exists, left, INDEX(0)))


def _join(narrow: VectorBuilder, pieces: Sequence[Any]) -> Any:
    """Vectors one behind the other, as one."""
    lanes = narrow.lanes
    while len(pieces) > 1:
        lanes *= 2
        pieces = [narrow.shuffle(a, b, range(lanes)) for a, b in zip(pieces[::2], pieces[1::2], strict=True)]
    return pieces[0]
