"""Winograd's transforms of one tile, for as many channels at once as a vector has lanes: the intrinsics.

A tile is transformed along its rows, then along its columns. `cpu_winograd_matrices.py` has the formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.conv2d.cpu_winograd_matrices import (
    transformed_data,
    transformed_filter,
    transformed_products,
)
from kernels.conv2d.cpu_winograd_rows import Square, lane_addresses, load_row, piece, store_row
from kernels.conv2d.winograd import TAPS
from kernels.cpu.simd import INDEX, VectorBuilder


def make_transform_input(m: int) -> Any:
    """Return the intrinsic that transforms one tile of the input, B^T d B, for F(m x m, 3 x 3)."""
    return _make_transform_tile(m, m + TAPS - 1, transformed_data)


def make_transform_gradient(m: int) -> Any:
    """Return the intrinsic that transforms one tile of dy, G g G^T, for F(3 x 3, m x m): dy is the filter."""
    return _make_transform_tile(m, m, transformed_filter)


def _make_transform_tile(m: int, width: int, transform: Callable[..., list[Any]]) -> Any:
    """Return the intrinsic that transforms width x width numbers to (m + 2) x (m + 2)."""
    size = m + TAPS - 1

    def transform_tile(
        typing_context: Any,
        x: Any,
        at: Any,
        channels: Any,
        channel_step: Any,
        row_step: Any,
        top: Any,
        bottom: Any,
        visible: Any,
        v: Any,
        v_at: Any,
        position_step: Any,
    ) -> Any:
        """v[v_at + position * position_step + lane] = the transform at that position, of the lane's channel.

        at: of the tile's first element in x, which may lie outside; of the tile only rows in [top, bottom)
        and columns whose bit is set in `visible` are read, the others are zero. Lanes beyond `channels`
        repeat the last one.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, at, channels, channel_step, row_step, top, bottom, visible, v, v_at, position_step = arguments
            simd = VectorBuilder(context, builder, signature.args[0])
            narrow = VectorBuilder(context, builder, signature.args[0], piece(simd, width))
            addresses = lane_addresses(simd, simd.address(signature.args[0], x, at), channels, channel_step)
            target = simd.address(signature.args[8], v, v_at)
            square = Square(simd, width, size)

            def along_row(i: Any, carried: Any) -> list[Any]:
                inside = builder.and_(builder.icmp_signed(">=", i, top), builder.icmp_signed("<", i, bottom))
                mask = builder.select(inside, visible, INDEX(0))
                places = [simd.after(channel, builder.mul(i, row_step)) for channel in addresses]
                d = load_row(simd, narrow, places, mask, width)
                for j, vector in enumerate(transform(simd, m, d)):
                    square.put(i, j, vector)
                return []

            def along_column(j: Any, carried: Any) -> list[Any]:
                d = [square.get(i, j) for i in range(width)]
                for i, vector in enumerate(transform(simd, m, d)):
                    position = builder.add(INDEX(i * size), j)
                    simd.store(vector, simd.after(target, builder.mul(position, position_step)))
                return []

            simd.loop(INDEX(width), [], along_row)
            simd.loop(INDEX(size), [], along_column)
            return context.get_dummy_value()

        index = types.intp
        return types.void(x, *[index] * 7, v, index, index), emit

    return intrinsic(transform_tile)


def make_transform_output(m: int) -> Any:
    """Return the intrinsic that makes one tile of the output, A^T M A + bias, for F(m x m, 3 x 3)."""
    size = m + TAPS - 1

    def transform_output(
        typing_context: Any,
        products: Any,
        at: Any,
        position_step: Any,
        bias: Any,
        bias_at: Any,
        low: Any,
        high: Any,
        y: Any,
        y_at: Any,
        channels: Any,
        channel_step: Any,
        row_step: Any,
        rows: Any,
        columns: Any,
    ) -> Any:
        """y = clamp(A^T M A + bias, low, high) for one tile and as many output channels as there are lanes.

        M[position] of the lane's channel stands at products[at + position * position_step + lane], its bias
        at bias[bias_at + lane]. Only `rows` x `columns` numbers of `channels` channels are written.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            (products, at, position_step, bias, bias_at, low, high) = arguments[:7]
            (y, y_at, channels, channel_step, row_step, rows, columns) = arguments[7:]
            simd = VectorBuilder(context, builder, kinds[0])
            source = simd.address(kinds[0], products, at)
            target = simd.address(kinds[7], y, y_at)
            offset = simd.load(simd.address(kinds[3], bias, bias_at))
            low, high = simd.broadcast(low), simd.broadcast(high)
            narrow = VectorBuilder(context, builder, kinds[7], piece(simd, m))
            square = Square(simd, m, size)

            def along_column(j: Any, carried: Any) -> list[Any]:
                column = [
                    simd.load(simd.after(source, builder.mul(builder.add(INDEX(i * size), j), position_step)))
                    for i in range(size)
                ]
                for i, vector in enumerate(transformed_products(simd, m, column, m)):
                    square.put(i, j, vector)
                return []

            whole = builder.and_(
                builder.icmp_signed(">=", columns, INDEX(m)),
                builder.icmp_signed(">=", channels, INDEX(simd.lanes)),
            )

            def along_row(i: Any, carried: Any) -> list[Any]:
                sums = transformed_products(simd, m, [square.get(i, j) for j in range(size)], m)
                row = [simd.at_most(simd.at_least(builder.fadd(total, offset), low), high) for total in sums]
                place = simd.after(target, builder.mul(i, row_step))
                places = [
                    simd.after(place, builder.mul(INDEX(lane), channel_step)) for lane in range(simd.lanes)
                ]
                store_row(simd, narrow, row, places, channels, columns, whole)
                return []

            simd.loop(INDEX(size), [], along_column)
            simd.loop(rows, [], along_row)
            return context.get_dummy_value()

        index, scalar = types.intp, products.dtype
        return types.void(
            products, index, index, bias, index, scalar, scalar, y, index, index, index, index, index, index
        ), emit

    return intrinsic(transform_output)


def make_transform_filter(m: int) -> Any:
    """Return the intrinsic that transforms filters, G g G^T, for F(m x m, 3 x 3)."""
    size = m + TAPS - 1

    def transform_filter(
        typing_context: Any,
        weight: Any,
        at: Any,
        filters: Any,
        filter_step: Any,
        turned: Any,
        u: Any,
        u_at: Any,
        position_step: Any,
    ) -> Any:
        """u[u_at + position * position_step + lane] = (G g G^T)[position] of the lane's filter.

        The filters begin filter_step apart, the first at weight[at]; lanes beyond `filters` repeat the last.
        turned: whether g is the filter turned by 180 degrees. Computed in float64, and rounded once.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            weight, at, filters, filter_step, turned, u, u_at, position_step = arguments
            simd = VectorBuilder(context, builder, signature.args[0])
            narrow = VectorBuilder(context, builder, signature.args[0], piece(simd, TAPS * TAPS))
            addresses = lane_addresses(
                simd, simd.address(signature.args[0], weight, at), filters, filter_step
            )
            target = simd.address(signature.args[5], u, u_at)
            everything = INDEX(2 ** (TAPS * TAPS) - 1)
            taps = load_row(simd, narrow, addresses, everything, TAPS * TAPS)
            taps = [builder.select(turned, b, a) for a, b in zip(taps, reversed(taps), strict=True)]
            exact = VectorBuilder(context, builder, types.float64[:], simd.lanes)
            if simd.vector != exact.vector:
                taps = [builder.fpext(tap, exact.vector) for tap in taps]
            rows = [transformed_filter(exact, m, taps[TAPS * i : TAPS * (i + 1)]) for i in range(TAPS)]
            for j in range(size):
                for i, vector in enumerate(transformed_filter(exact, m, [row[j] for row in rows])):
                    if simd.vector != exact.vector:
                        vector = builder.fptrunc(vector, simd.vector)
                    simd.store(vector, simd.after(target, builder.mul(position_step, INDEX(i * size + j))))
            return context.get_dummy_value()

        index = types.intp
        return types.void(weight, index, index, index, types.boolean, u, index, index), emit

    return intrinsic(transform_filter)


def make_transform_sums(m: int) -> Any:
    """Return the intrinsic that makes filters' gradients, A^T Z A, for F(3 x 3, m x m)."""
    size = m + TAPS - 1

    def transform_sums(
        typing_context: Any,
        sums: Any,
        at: Any,
        position_step: Any,
        gradient: Any,
        gradient_at: Any,
        filters: Any,
    ) -> Any:
        """gradient = A^T Z A for `filters` filters of 3 x 3, one behind the other, at most one per lane.

        Z[position] of the lane's filter stands at sums[at + position * position_step + lane].
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            sums, at, position_step, gradient, gradient_at, filters = arguments
            simd = VectorBuilder(context, builder, kinds[0])
            narrow = VectorBuilder(context, builder, kinds[0], piece(simd, TAPS * TAPS))
            source, target = simd.address(kinds[0], sums, at), simd.address(kinds[3], gradient, gradient_at)
            columns = []
            for j in range(size):
                places = [builder.mul(position_step, INDEX(i * size + j)) for i in range(size)]
                column = [simd.load(simd.after(source, place)) for place in places]
                columns.append(transformed_products(simd, m, column, TAPS))
            taps = []
            for i in range(TAPS):
                taps += transformed_products(simd, m, [column[i] for column in columns], TAPS)
            taps += [simd.constant(0.0)] * (-len(taps) % narrow.lanes)
            places = [simd.after(target, lane * TAPS * TAPS) for lane in range(simd.lanes)]
            store_row(simd, narrow, taps, places, filters, INDEX(TAPS * TAPS), ir.IntType(1)(0))
            return context.get_dummy_value()

        index = types.intp
        return types.void(sums, index, index, gradient, index, index), emit

    return intrinsic(transform_sums)
