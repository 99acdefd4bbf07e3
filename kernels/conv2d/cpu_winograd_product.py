"""The products of Winograd's convolution: a matrix product per position of the tiles."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from kernels.conv2d.cpu_winograd_plan import Plan, ceil_divide
from kernels.cpu.compilation import compiled
from kernels.cpu.simd import INDEX, REGISTERS, VectorBuilder, vector_lanes

# The most tiles whose sums the registers hold, two vectors of output channels each.
MOST_ROWS = (REGISTERS - 4) // 2


@compiled(borrowing=True)
def multiply(
    plan: Plan,
    group: int,
    tiles: int,
    first_pair: int,
    last_pair: int,
    u: Any,
    v: Any,
    v_at: int,
    products: Any,
    products_at: int,
) -> None:
    """M = V U for every position, for the output channels of some pairs of vectors."""
    lanes = vector_lanes(v)
    row = plan.chunk * lanes
    parts = ceil_divide(tiles, MOST_ROWS)
    for position in range((plan.m + 2) * (plan.m + 2)):
        at = v_at + position * plan.v_step
        to = products_at + position * plan.m_step
        filters = (group * (plan.m + 2) * (plan.m + 2) + position) * plan.u_step
        for pair in range(first_pair, last_pair):
            for part in range(parts):
                first, last = tiles * part // parts, tiles * (part + 1) // parts
                _multiply_tiles(
                    *(last - first, plan.channels, v, at + first * lanes, row),
                    *(u, filters + pair * plan.channels * 2 * lanes),
                    *(products, to + 2 * pair * row + first * lanes, row),
                )


@intrinsic
def _multiply_tiles(
    typing_context: Any,
    rows: Any,
    depth: Any,
    a: Any,
    a_at: Any,
    a_step: Any,
    b: Any,
    b_at: Any,
    c: Any,
    c_at: Any,
    c_step: Any,
) -> Any:
    """C = A B: `rows` (1 .. MOST_ROWS) rows, two vectors of columns, all held in registers.

    A: element (i, k) at a[a_at + k // lanes * a_step + i * lanes + k % lanes].
    B: row k's two vectors at b[b_at + 2 k lanes:].
    C: row i's first vector at c[c_at + i * lanes:], the second at c[c_at + c_step + i * lanes:].
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        rows, depth, a, a_at, a_step, b, b_at, c, c_at, c_step = arguments
        simd = VectorBuilder(context, builder, kinds[2])
        lanes = simd.lanes
        a_first, b_first = simd.address(kinds[2], a, a_at), simd.address(kinds[5], b, b_at)
        c_first = simd.address(kinds[7], c, c_at)

        def multiply(rows: int) -> None:
            def along_depth(k: Any, sums: Any) -> list[Any]:
                block = simd.after(a_first, builder.mul(builder.udiv(k, INDEX(lanes)), a_step))
                numbers = simd.after(block, builder.urem(k, INDEX(lanes)))
                b_row = simd.after(b_first, builder.mul(k, INDEX(2 * lanes)))
                columns = [simd.load(b_row), simd.load(simd.after(b_row, lanes))]
                new = []
                for i in range(rows):
                    number = simd.broadcast(builder.load(simd.after(numbers, i * lanes)))
                    new += [simd.multiply_add(number, columns[j], sums[2 * i + j]) for j in (0, 1)]
                return new

            sums = simd.loop(depth, [simd.constant(0.0)] * (2 * rows), along_depth)
            for i in range(rows):
                place = simd.after(c_first, i * lanes)
                simd.store(sums[2 * i], place)
                simd.store(sums[2 * i + 1], simd.after(place, c_step))

        finish = builder.append_basic_block("finish")
        switch = builder.switch(rows, finish)
        for count in range(1, MOST_ROWS + 1):
            case = builder.append_basic_block(f"rows{count}")
            switch.add_case(INDEX(count), case)
            builder.position_at_end(case)
            multiply(count)
            builder.branch(finish)
        builder.position_at_end(finish)
        return context.get_dummy_value()

    index = types.intp
    return types.void(index, index, a, index, index, b, index, c, index, index), emit
