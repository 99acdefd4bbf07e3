"""The matrix product of the CPU kernels: a tile of the result held in vector registers.

A tile is ROWS rows times up to VECTORS vectors of columns. For every step of the inner dimension it loads a
few vectors of B, broadcasts ROWS numbers of A, and adds the outer product to its accumulators; all registers
take part, so that the multiply-add units never wait for memory.
A is packed: ROWS rows interleaved, so that the numbers to broadcast lie next to each other (`pack_rows`). B's
rows may lie anywhere, one step apart.

Every element of the result is the sum start + a[0] b[0] + a[1] b[1] + ..., added up in this order whatever
the tile, so that results do not depend on how the work is cut up.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34 (2008),
sections 4-6.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from kernels.cpu.compilation import compiled
from kernels.cpu.simd import INDEX, REGISTERS, VectorBuilder, element_lanes, lanes_of, vector_lanes

# 24 or 12 accumulators; the rest of the registers hold B's vectors and A's broadcast number. Layers have
# multiples of eight channels, nearly always.
VECTORS = 3
ROWS = 8 if REGISTERS == 32 else 4
# Rows that `strip` takes at most: two tiles'.
STRIP_ROWS = 2 * ROWS
# So few columns are cheaper computed with the vectors along the rows, `_narrow_strip`.
NARROW = 4


def tile_columns(dtype: npt.DTypeLike) -> int:
    """Return how many columns the widest tile has for a NumPy dtype."""
    return VECTORS * lanes_of(dtype)


@intrinsic
def columns_of_tile(typing_context: Any, array: Any) -> Any:
    """columns_of_tile(array): the widest tile's columns for the array's type, as a compile-time constant."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return INDEX(VECTORS * element_lanes(signature.args[0]))

    return types.intp(array), emit


def _make_tile(vectors: int) -> Any:
    """Return the intrinsic for tiles of ROWS rows and `vectors` vectors of columns."""

    def tile(
        typing_context: Any,
        depth: Any,
        a: Any,
        a_at: Any,
        b: Any,
        b_at: Any,
        b_row: Any,
        c: Any,
        c_at: Any,
        c_row: Any,
        rows: Any,
        columns: Any,
        accumulate: Any,
        bias: Any,
        bias_at: Any,
        low: Any,
        high: Any,
    ) -> Any:
        """C = clamp(A B + start, low, high) for one tile; start is the old C to accumulate, else the bias.

        depth: the inner dimension, at least 1. A: depth groups of ROWS numbers from a[a_at] on. B: depth
        rows from b[b_at] on, b_row elements apart, of which all vectors are read. C: `rows` rows (1 .. ROWS)
        of `columns` elements from c[c_at] on, c_row apart; the columns end in the last vector. bias: one
        number per row from bias[bias_at] on. low, high: of the arrays' type; infinities for none.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            depth, a, a_at, b, b_at, b_row, c, c_at, c_row, row_count, columns, accumulate = arguments[:12]
            bias, bias_at, low, high = arguments[12:]
            simd = VectorBuilder(context, builder, kinds[1])
            a_first = simd.address(kinds[1], a, a_at)
            b_first = simd.address(kinds[3], b, b_at)
            c_first = simd.address(kinds[6], c, c_at)
            bias_first = simd.address(kinds[12], bias, bias_at)
            in_last = builder.sub(columns, INDEX((vectors - 1) * simd.lanes))

            def real_row(i: int) -> Any:
                """Row i, or the last there is: it is then written more than once, its own value last."""
                beyond = builder.icmp_signed(">=", INDEX(i), row_count)
                return builder.select(beyond, builder.sub(row_count, INDEX(1)), INDEX(i))

            real_rows = [real_row(i) for i in range(ROWS)]
            starts = [simd.after(c_first, builder.mul(c_row, row)) for row in real_rows]

            def read(place: Any, j: int) -> Any:
                if j < vectors - 1:
                    return simd.load(place)
                return simd.load_partial(place, in_last, simd.constant(0.0))

            with builder.if_else(accumulate) as (continuing, beginning):
                with continuing:
                    old = [
                        read(simd.after(start, j * simd.lanes), j) for start in starts for j in range(vectors)
                    ]
                    continued = builder.block
                with beginning:
                    for start in starts:
                        for j in range(vectors):
                            simd.prefetch_for_writing(simd.after(start, j * simd.lanes))
                    offsets = [simd.broadcast(builder.load(simd.after(bias_first, row))) for row in real_rows]
                    begun = builder.block
            first = []
            for position in range(ROWS * vectors):
                first.append(builder.phi(simd.vector))
                first[-1].add_incoming(old[position], continued)
                first[-1].add_incoming(offsets[position // vectors], begun)

            def step(k: Any, sums: Any) -> list[Any]:
                a_now = simd.after(a_first, builder.mul(k, INDEX(ROWS)))
                b_now = simd.after(b_first, builder.mul(k, b_row))
                row_of_b = [simd.load(simd.after(b_now, j * simd.lanes)) for j in range(vectors)]
                new = []
                for i in range(ROWS):
                    number = simd.broadcast(builder.load(simd.after(a_now, i)))
                    for j in range(vectors):
                        new.append(simd.multiply_add(number, row_of_b[j], sums[i * vectors + j]))
                return new

            low, high = simd.broadcast(low), simd.broadcast(high)
            totals = simd.loop(depth, first, step)
            for i in reversed(range(ROWS)):
                for j in range(vectors):
                    total = simd.at_most(simd.at_least(totals[i * vectors + j], low), high)
                    place = simd.after(starts[i], j * simd.lanes)
                    if j < vectors - 1:
                        simd.store(total, place)
                    else:
                        simd.store_partial(total, place, in_last)
            return context.get_dummy_value()

        index, scalar = types.intp, a.dtype
        return types.void(
            *(index, a, index, b, index, index, c, index, index, index, index),
            *(types.boolean, bias, index, scalar, scalar),
        ), emit

    return intrinsic(tile)


_one_vector, _two_vectors, _three_vectors = (_make_tile(vectors) for vectors in (1, 2, 3))


@intrinsic
def _narrow_strip(
    typing_context: Any,
    depth: Any,
    a: Any,
    a_at: Any,
    second_at: Any,
    b: Any,
    b_at: Any,
    b_row: Any,
    c: Any,
    low: Any,
    high: Any,
) -> Any:
    """C = clamp(A B + C, low, high) for two blocks of ROWS rows and NARROW columns.

    The blocks of A begin at a[a_at] and a[second_at]. C is transposed: STRIP_ROWS numbers for every column,
    one column after the other from c[0] on.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        depth, a, a_at, second_at, b, b_at, b_row, c, low, high = arguments
        simd = VectorBuilder(context, builder, kinds[1], lanes=ROWS)
        blocks = [simd.address(kinds[1], a, at) for at in (a_at, second_at)]
        b_first = simd.address(kinds[4], b, b_at)
        places = [simd.address(kinds[7], c, INDEX(position * ROWS)) for position in range(2 * NARROW)]

        def step(k: Any, sums: Any) -> list[Any]:
            rows = [simd.load(simd.after(block, builder.mul(k, INDEX(ROWS)))) for block in blocks]
            b_now = simd.after(b_first, builder.mul(k, b_row))
            numbers = [simd.broadcast(builder.load(simd.after(b_now, j))) for j in range(NARROW)]
            return [
                simd.multiply_add(numbers[position // 2], rows[position % 2], sums[position])
                for position in range(2 * NARROW)
            ]

        low, high = simd.broadcast(low), simd.broadcast(high)
        totals = simd.loop(depth, [simd.load(place) for place in places], step)
        for place, total in zip(places, totals, strict=True):
            simd.store(simd.at_most(simd.at_least(total, low), high), place)
        return context.get_dummy_value()

    index, scalar = types.intp, a.dtype
    return types.void(index, a, index, index, b, index, index, c, scalar, scalar), emit


@compiled
def strip(
    depth: int,
    a: Any,
    a_at: int,
    b: Any,
    b_at: int,
    b_row: int,
    c: Any,
    c_at: int,
    c_row: int,
    rows: int,
    columns: int,
    accumulate: bool,
    bias: Any,
    bias_at: int,
    low: Any,
    high: Any,
    spill: Any,
) -> None:
    """C = clamp(A B + start, low, high) for up to STRIP_ROWS x `columns_of_tile` elements.

    Args:
        depth: the inner dimension, at least 1.
        a: blocks of ROWS rows packed by `pack_rows`, one after the other from a[a_at] on.
        b: `depth` rows from b[b_at] on, b_row apart; up to a vector beyond the columns is read.
        c: `rows` rows of `columns` elements from c[c_at] on, c_row apart.
        accumulate: whether to start with the old C rather than the bias.
        bias: one number per row from bias[bias_at] on.
        low: lower bound, of the arrays' type; minus infinity for none.
        high: upper bound.
        spill: NARROW x STRIP_ROWS elements for this function's own use.
    """
    lanes = vector_lanes(b)
    narrow = columns % lanes
    if narrow > NARROW:
        narrow = 0
    wide = columns - narrow
    for first in range(0, rows, ROWS):
        arguments = (
            *(depth, a, a_at + first * depth, b, b_at, b_row, c, c_at + first * c_row, c_row),
            *(min(ROWS, rows - first), wide, accumulate, bias, bias_at + first, low, high),
        )
        if wide > 2 * lanes:
            _three_vectors(*arguments)
        elif wide > lanes:
            _two_vectors(*arguments)
        elif wide > 0:
            _one_vector(*arguments)
    if narrow > 0:
        for j in range(narrow):
            for i in range(rows):
                spill[j * STRIP_ROWS + i] = (
                    c[c_at + i * c_row + wide + j] if accumulate else bias[bias_at + i]
                )
        second_at = a_at + depth * ROWS if rows > ROWS else a_at
        _narrow_strip(depth, a, a_at, second_at, b, b_at + wide, b_row, spill, low, high)
        for j in range(narrow):
            for i in range(rows):
                c[c_at + i * c_row + wide + j] = spill[j * STRIP_ROWS + i]


@compiled
def pack_rows(
    a: Any, a_at: int, rows: int, depth: int, row_step: int, depth_step: int, packed: Any, at: int
) -> None:
    """Pack rows of a flat array for `tile`: packed[at + k ROWS + i] = a[a_at + i row_step + k depth_step].

    Writes depth groups of ROWS numbers; rows beyond `rows` are zero.
    """
    for k in range(depth):
        for i in range(rows):
            packed[at + k * ROWS + i] = a[a_at + i * row_step + k * depth_step]
        for i in range(rows, ROWS):
            packed[at + k * ROWS + i] = 0
