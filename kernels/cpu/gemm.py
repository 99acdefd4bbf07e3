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

from collections.abc import Iterable, Sequence
from typing import Any

import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from kernels.cpu.compilation import compiled
from kernels.cpu.simd import INDEX, REGISTERS, VectorBuilder, element_lanes, lanes_of, vector_lanes
from kernels.cpu.transposition import transposed

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


def add_outer_product(simd: VectorBuilder, places: Iterable[Any], row: Sequence[Any], sums: Any) -> list[Any]:
    """Return a tile's accumulators plus a column, numbers lying at these places, times a row of vectors."""
    new: list[Any] = []
    for place in places:
        number = simd.broadcast(simd.builder.load(place))
        for vector in row:
            new.append(simd.multiply_add(number, vector, sums[len(new)]))
    return new


class _TileOfResult:
    """Writes what a tile does with its ROWS x `vectors` vectors of C.

    Attributes:
        rows: the number of every row; beyond the last there is it repeats the last, which is then written
            more than once, its own value last.
        places: where every vector lies, row by row.
        in_last: how many columns the last vector of a row has.
    """

    def __init__(
        self, simd: VectorBuilder, vectors: int, first: Any, step: Any, rows: Any, columns: Any
    ) -> None:
        builder = simd.builder
        self.simd = simd
        self.vectors = vectors
        self.in_last = builder.sub(columns, INDEX((vectors - 1) * simd.lanes))
        self.rows = []
        for i in range(ROWS):
            beyond = builder.icmp_signed(">=", INDEX(i), rows)
            self.rows.append(builder.select(beyond, builder.sub(rows, INDEX(1)), INDEX(i)))
        starts = [simd.after(first, builder.mul(step, row)) for row in self.rows]
        self.places = [simd.after(start, j * simd.lanes) for start in starts for j in range(vectors)]

    def begin(self, accumulate: Any, bias: Any) -> list[Any]:
        """Return the accumulators before the first step: C as it is to accumulate, else one bias per row."""
        simd, builder = self.simd, self.simd.builder
        with builder.if_else(accumulate) as (continuing, beginning):
            with continuing:
                old = [self._read(position) for position in range(len(self.places))]
                continued = builder.block
            with beginning:
                for place in self.places:
                    simd.prefetch_for_writing(place)
                offsets = [simd.broadcast(builder.load(simd.after(bias, row))) for row in self.rows]
                begun = builder.block
        first = []
        for position, value in enumerate(old):
            first.append(builder.phi(simd.vector))
            first[-1].add_incoming(value, continued)
            first[-1].add_incoming(offsets[position // self.vectors], begun)
        return first

    def _read(self, position: int) -> Any:
        if self._is_whole(position):
            return self.simd.load(self.places[position])
        return self.simd.load_partial(self.places[position], self.in_last, self.simd.constant(0.0))

    def end(self, totals: Sequence[Any], low: Any, high: Any) -> None:
        """Write the clamped accumulators, the last row first."""
        simd = self.simd
        low, high = simd.broadcast(low), simd.broadcast(high)
        for i in reversed(range(ROWS)):
            for position in range(i * self.vectors, (i + 1) * self.vectors):
                total = simd.at_most(simd.at_least(totals[position], low), high)
                if self._is_whole(position):
                    simd.store(total, self.places[position])
                else:
                    simd.store_partial(total, self.places[position], self.in_last)

    def _is_whole(self, position: int) -> bool:
        return position % self.vectors < self.vectors - 1


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
            result = _TileOfResult(simd, vectors, c_first, c_row, row_count, columns)

            def step(k: Any, sums: Any) -> list[Any]:
                a_now = simd.after(a_first, builder.mul(k, INDEX(ROWS)))
                b_now = simd.after(b_first, builder.mul(k, b_row))
                row = [simd.load(simd.after(b_now, j * simd.lanes)) for j in range(vectors)]
                return add_outer_product(simd, (simd.after(a_now, i) for i in range(ROWS)), row, sums)

            first = result.begin(accumulate, simd.address(kinds[12], bias, bias_at))
            result.end(simd.loop(depth, first, step), low, high)
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


@compiled(borrowing=True)
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


@intrinsic
def _copy_group(typing_context: Any, packed: Any, at: Any, a: Any, a_at: Any) -> Any:
    """_copy_group(packed, i, a, j): ROWS numbers from a[j:] to packed[i:]."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        packed, at, a, a_at = arguments
        simd = VectorBuilder(context, builder, signature.args[0], lanes=ROWS)
        group = simd.load(simd.address(signature.args[2], a, a_at))
        simd.store(group, simd.address(signature.args[0], packed, at))
        return context.get_dummy_value()

    return types.void(packed, types.intp, a, types.intp), emit


@intrinsic
def _turn_groups(typing_context: Any, packed: Any, at: Any, a: Any, a_at: Any, row_step: Any) -> Any:
    """_turn_groups(packed, i, a, j, step): packed[i + k ROWS + r] = a[j + r step + k] for r, k < ROWS."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        packed, at, a, a_at, row_step = arguments
        simd = VectorBuilder(context, builder, signature.args[0], lanes=ROWS)
        first, target = simd.address(signature.args[2], a, a_at), simd.address(signature.args[0], packed, at)
        rows = [simd.load(simd.after(first, builder.mul(INDEX(r), row_step))) for r in range(ROWS)]
        for k, group in enumerate(transposed(simd, rows)):
            simd.store(group, simd.after(target, k * ROWS))
        return context.get_dummy_value()

    return types.void(packed, types.intp, a, types.intp, types.intp), emit


@compiled(borrowing=True)
def pack_rows(
    a: Any, a_at: int, rows: int, depth: int, row_step: int, depth_step: int, packed: Any, at: int
) -> None:
    """Pack rows of a flat array for `tile`: packed[at + k ROWS + i] = a[a_at + i row_step + k depth_step].

    Writes depth groups of ROWS numbers; rows beyond `rows` are zero.
    """
    done = 0
    if rows == ROWS and depth_step == 1:
        done = depth // ROWS * ROWS
        for k in range(0, done, ROWS):
            _turn_groups(packed, at + k * ROWS, a, a_at + k, row_step)
    elif rows == ROWS and row_step == 1:
        done = depth
        for k in range(depth):
            _copy_group(packed, at + k * ROWS, a, a_at + k * depth_step)
    for k in range(done, depth):
        for i in range(rows):
            packed[at + k * ROWS + i] = a[a_at + i * row_step + k * depth_step]
        for i in range(rows, ROWS):
            packed[at + k * ROWS + i] = 0
