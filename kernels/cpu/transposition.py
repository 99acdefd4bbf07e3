"""Blocks of a matrix transposed in vector registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.cpu.simd import INDEX, VectorBuilder


def transposed(simd: VectorBuilder, rows: Sequence[Any]) -> list[Any]:
    """Write the transposition of the squares that vectors hold side by side.

    There are as many vectors as a square has rows: a power of two, at most a vector's lanes.

    In step d = 1, 2, 4, ... rows i and i + d exchange the elements of row i in columns with bit d for those
    of row i + d in columns without it: blocks of d x d change places across the diagonal (Eklundh's
    algorithm).
    """
    rows, distance = list(rows), 1
    while distance < len(rows):
        turned = list(rows)
        lanes = range(simd.lanes)
        kept = [simd.lanes + lane - distance if lane & distance else lane for lane in lanes]
        taken = [simd.lanes + lane if lane & distance else lane + distance for lane in lanes]
        for i in range(len(rows)):
            if not i & distance:
                turned[i] = simd.shuffle(rows[i], rows[i + distance], kept)
                turned[i + distance] = simd.shuffle(rows[i], rows[i + distance], taken)
        rows = turned
        distance *= 2
    return rows


@intrinsic
def transpose_block(
    typing_context: Any,
    target: Any,
    target_at: Any,
    target_row: Any,
    source: Any,
    source_at: Any,
    source_row: Any,
    rows: Any,
    columns: Any,
    width: Any,
) -> Any:
    """transpose_block(target, i, i_row, source, j, j_row, rows, columns, width): the element in row r and
    column c of the source, source[j + r j_row + c], to target[i + c i_row + r].

    rows, columns: 1 .. lanes, the block's; no more is read. width: how many elements of each of the target's
    `columns` rows are written, up to `lanes`; those beyond `rows` have no meaning.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, target_row, source, source_at, source_row, rows, columns, width = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        first = simd.address(signature.args[3], source, source_at)
        to = simd.address(signature.args[0], target, target_at)

        def place(start: Any, step: Any, i: int, count: Any) -> Any:
            """Row i, or the last there is: it is written more than once, its own value last."""
            last = builder.sub(count, INDEX(1))
            row = builder.select(builder.icmp_signed("<", INDEX(i), count), INDEX(i), last)
            return simd.after(start, builder.mul(row, step))

        nothing = ir.Constant(simd.vector, ir.Undefined)
        vectors = [
            simd.load_partial(place(first, source_row, i, rows), columns, nothing) for i in range(simd.lanes)
        ]
        turned = transposed(simd, vectors)
        for j in reversed(range(simd.lanes)):
            simd.store_partial(turned[j], place(to, target_row, j, columns), width)
        return context.get_dummy_value()

    index = types.intp
    return types.void(target, index, index, source, index, index, index, index, index), emit
