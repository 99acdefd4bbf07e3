"""The matrix product of the CPU kernels: a tile of the result held in vector registers.

A tile is ROWS rows times VECTORS vectors of columns. For every step of the inner dimension it loads VECTORS
vectors of B, broadcasts ROWS numbers of A, and adds the outer product to its accumulators; all registers take
part, so that the multiply-add units never wait for memory.
A is packed: ROWS rows interleaved, so that the numbers to broadcast lie next to each other (`pack_rows`).

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34 (2008),
sections 4-6.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from kernels.compilation import compiled
from kernels.simd import INDEX, REGISTERS, VectorBuilder, element_lanes, lanes_of

# 24 or 12 accumulators; the rest of the registers hold B's vectors and A's broadcast number.
VECTORS = 2
ROWS = 12 if REGISTERS == 32 else 6


def tile_columns(dtype: npt.DTypeLike) -> int:
    """Return how many columns a tile has for a NumPy dtype."""
    return VECTORS * lanes_of(dtype)


@intrinsic
def columns_of_tile(typing_context: Any, array: Any) -> Any:
    """columns_of_tile(array): a tile's columns for the array's type, as a constant of the compiled code."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return INDEX(VECTORS * element_lanes(signature.args[0]))

    return types.intp(array), emit


def _make_tile(rows: int, vectors: int) -> Any:
    """Return the intrinsic for tiles of `rows` rows and `vectors` vectors of columns."""

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
        accumulate: Any,
        bias: Any,
        bias_at: Any,
        low: Any,
        high: Any,
    ) -> Any:
        """C = clamp(A B + start, low, high) for one tile; start is the old C to accumulate, else the bias.

        depth: the inner dimension, at least 1. A: depth groups of `rows` numbers from a[a_at] on. B: depth
        rows of the tile's columns from b[b_at] on, b_row elements apart. C: `rows` rows from c[c_at] on,
        c_row apart. bias: one number per row from bias[bias_at] on. low, high: of the arrays' type;
        infinities for none.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            depth, a, a_at, b, b_at, b_row, c, c_at, c_row, accumulate, bias, bias_at, low, high = arguments
            simd = VectorBuilder(context, builder, kinds[1])
            a_first = simd.address(kinds[1], a, a_at)
            b_first = simd.address(kinds[3], b, b_at)
            c_first = simd.address(kinds[6], c, c_at)
            bias_first = simd.address(kinds[10], bias, bias_at)
            places = [
                simd.after(simd.after(c_first, builder.mul(c_row, INDEX(i))), j * simd.lanes)
                for i in range(rows)
                for j in range(vectors)
            ]
            with builder.if_else(accumulate) as (continuing, beginning):
                with continuing:
                    old = [simd.load(place) for place in places]
                    continued = builder.block
                with beginning:
                    offsets = [simd.broadcast(builder.load(simd.after(bias_first, i))) for i in range(rows)]
                    begun = builder.block
            start = []
            for position in range(rows * vectors):
                start.append(builder.phi(simd.vector))
                start[-1].add_incoming(old[position], continued)
                start[-1].add_incoming(offsets[position // vectors], begun)

            def step(k: Any, sums: Any) -> list[Any]:
                a_now = simd.after(a_first, builder.mul(k, INDEX(rows)))
                b_now = simd.after(b_first, builder.mul(k, b_row))
                columns = [simd.load(simd.after(b_now, j * simd.lanes)) for j in range(vectors)]
                new = []
                for i in range(rows):
                    number = simd.broadcast(builder.load(simd.after(a_now, i)))
                    for j in range(vectors):
                        new.append(simd.multiply_add(number, columns[j], sums[i * vectors + j]))
                return new

            low, high = simd.broadcast(low), simd.broadcast(high)
            for place, total in zip(places, simd.loop(depth, start, step), strict=True):
                simd.store(simd.at_most(simd.at_least(total, low), high), place)
            return context.get_dummy_value()

        index, scalar = types.intp, a.dtype
        return types.void(
            index, a, index, b, index, index, c, index, index, types.boolean, bias, index, scalar, scalar
        ), emit

    return intrinsic(tile)


tile = _make_tile(ROWS, VECTORS)


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
