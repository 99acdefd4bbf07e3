"""Winograd's transforms of one tile, for as many channels at once as a vector has lanes.

A convolution of m + r - 1 numbers with r taps is a product of polynomials. Evaluated at m + r - 1 points it
is one multiplication per point; a linear transform before (of the data, of the taps) and one after (of the
products) are all that is left:

    y = A^T [(G g) (B^T d)],    in two dimensions    Y = A^T [(G g G^T) (B^T d B)] A

The points are 0, infinity and pairs +p, -p. A pair's two rows differ only in the signs of the odd powers, so
each transform is a sparse matrix and the sums and differences of pairs (`_butterflies`).

Points: for F(2x2, 3x3) 0, +-1, infinity; for F(4x4, 3x3) 0, +-5/8, +-3/2, infinity, whose rounding errors
are 2.3 times smaller than those of the usual 0, +-1, +-2, infinity. All coefficients of A and B are exact in
float32.

Sources: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4; Barabasz,
Anderson, Soodhalter and Gregg, "Error analysis and improving the accuracy of Winograd convolution for deep
neural networks", ACM TOMS 46 (2020), for the construction and for how the points decide the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.array import Array
from kernels.cpu.simd import INDEX, VectorBuilder

TAPS = 3
# The pairs' positive points by the output tile's width m.
PAIRS: dict[int, tuple[float, ...]] = {2: (1.0,), 4: (5 / 8, 3 / 2)}

BOOLEAN = ir.IntType(1)
INT32 = ir.IntType(32)


def data_matrix(m: int) -> Array:
    """Return B^T (m + 2, m + 2): point p's row has the coefficients of the product of x - q over all q != p;
    infinity's row that of all points.
    """
    points = _points(m)
    rows = [np.poly([q for q in points if q != p])[::-1] for p in points]
    size = len(points) + 1
    return np.array([np.append(row, np.zeros(size - row.size)) for row in [*rows, np.poly(points)[::-1]]])


def filter_matrix(m: int, taps: int = TAPS) -> Array:
    """Return G (m + 2, taps): the powers of every point, over the product of its distances to the others."""
    points = _points(m)
    rows = [[p**k / np.prod([p - q for q in points if q != p]) for k in range(taps)] for p in points]
    return np.array([*rows, [0.0] * (taps - 1) + [1.0]])


def output_matrix(m: int, outputs: int | None = None) -> Array:
    """Return A^T (outputs, m + 2): row k holds the k-th powers of the points."""
    outputs = outputs or m
    return np.array([[*(p**k for p in _points(m)), float(k == outputs - 1)] for k in range(outputs)])


def _points(m: int) -> list[float]:
    """The finite points, in the order of the transforms' rows."""
    return [0.0, *(sign * p for p in PAIRS[m] for sign in (1, -1))]


# --- what the intrinsics are written with


def _combine(simd: VectorBuilder, matrix: Array, vectors: Sequence[Any]) -> list[Any]:
    """The matrix times the vectors; zeros cost nothing."""
    return [_weighted_sum(simd, row, vectors) for row in matrix]


def _weighted_sum(simd: VectorBuilder, weights: Array, vectors: Sequence[Any]) -> Any:
    terms = [(float(w), v) for w, v in zip(weights, vectors, strict=True) if w]
    # A vector that comes as it is starts the sum; the others then are multiply-adds.
    terms.sort(key=lambda term: term[0] != 1)
    (weight, vector), *others = terms
    total = vector if weight == 1 else simd.builder.fmul(simd.constant(weight), vector)
    for weight, vector in others:
        total = (
            simd.builder.fadd(total, vector)
            if weight == 1
            else simd.multiply_add(simd.constant(weight), vector, total)
        )
    return total


def _butterflies(simd: VectorBuilder, vectors: Sequence[Any]) -> list[Any]:
    """Every pair's two vectors give way to their sum and their difference; the first and last stay."""
    new = list(vectors)
    for i in range(1, len(vectors) - 1, 2):
        new[i] = simd.builder.fadd(vectors[i], vectors[i + 1])
        new[i + 1] = simd.builder.fsub(vectors[i], vectors[i + 1])
    return new


def _parted(rows: Array) -> Array:
    """Each pair's rows +p, -p as the even and the odd part of the row of +p."""
    parted = rows.copy()
    for i in range(1, len(rows) - 1, 2):
        parted[i, 1::2] = 0
        parted[i + 1] = rows[i] - parted[i]
    return parted


def _transform_data(simd: VectorBuilder, m: int, d: Sequence[Any]) -> list[Any]:
    """B^T d."""
    return _butterflies(simd, _combine(simd, _parted(data_matrix(m)), d))


def _transform_filter(simd: VectorBuilder, m: int, g: Sequence[Any]) -> list[Any]:
    """G g."""
    return _butterflies(simd, _combine(simd, _parted(filter_matrix(m, len(g))), g))


def _transform_products(simd: VectorBuilder, m: int, products: Sequence[Any], outputs: int) -> list[Any]:
    """A^T products: the powers of +p and -p are equal or opposite."""
    parted = _parted(output_matrix(m, outputs).T).T
    return _combine(simd, parted, _butterflies(simd, products))


def _transpose(simd: VectorBuilder, vectors: Sequence[Any], width: int) -> list[Any]:
    """Transpose the width x width squares that `width` vectors hold side by side (Eklundh's algorithm)."""
    new, count, lanes = list(vectors), simd.lanes, range(simd.lanes)
    step = 1
    while step < width:
        for i in range(width):
            if i & step:
                continue
            a, b = new[i], new[i + step]
            second = [lane & step != 0 for lane in lanes]
            new[i] = simd.shuffle(a, b, [lane - step + count if second[lane] else lane for lane in lanes])
            new[i + step] = simd.shuffle(
                a, b, [lane + count if second[lane] else lane + step for lane in lanes]
            )
        step *= 2
    return new


def _lane_addresses(simd: VectorBuilder, first: Any, count: Any, step: Any) -> list[Any]:
    """An address per lane, `step` elements apart; lanes beyond `count` get the last one."""
    builder, last = simd.builder, simd.builder.sub(count, INDEX(1))
    addresses = []
    for lane in range(simd.lanes):
        exists = builder.icmp_signed("<", INDEX(lane), count)
        addresses.append(simd.after(first, builder.mul(builder.select(exists, INDEX(lane), last), step)))
    return addresses


def _piece(simd: VectorBuilder, size: int) -> int:
    """How many neighbours of an image row are read or written at once: a power of two, at most a vector."""
    return min(simd.lanes, 1 << (size - 1).bit_length())


class _Square:
    """size x size vectors in memory, between the transforms along the two axes."""

    def __init__(self, simd: VectorBuilder, rows: int, columns: int) -> None:
        self.simd, self.columns = simd, columns
        self.memory = cgutils.alloca_once(simd.builder, simd.vector, size=rows * columns)

    def _address(self, row: Any, column: Any) -> Any:
        builder = self.simd.builder
        row, column = (INDEX(i) if isinstance(i, int) else i for i in (row, column))
        return builder.gep(self.memory, [builder.add(builder.mul(row, INDEX(self.columns)), column)])

    def get(self, row: Any, column: Any) -> Any:
        return self.simd.builder.load(self._address(row, column))

    def put(self, row: Any, column: Any, vector: Any) -> None:
        self.simd.builder.store(vector, self._address(row, column))


# --- rows of an image, and vectors of channels


def _load_row(
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
        row += _transpose(simd, side_by_side, narrow.lanes)
    return row[:size]


def _store_row(
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
        turned = _transpose(simd, row[first : first + width], width)
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


# --- the intrinsics


def make_transform_input(m: int) -> Any:
    """Return the intrinsic that transforms one tile of the input, B^T d B, for F(m x m, 3 x 3)."""
    return _make_transform_tile(m, m + TAPS - 1, _transform_data)


def make_transform_gradient(m: int) -> Any:
    """Return the intrinsic that transforms one tile of dy, G g G^T, for F(3 x 3, m x m): dy is the filter."""
    return _make_transform_tile(m, m, _transform_filter)


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
            narrow = VectorBuilder(context, builder, signature.args[0], _piece(simd, width))
            addresses = _lane_addresses(simd, simd.address(signature.args[0], x, at), channels, channel_step)
            target = simd.address(signature.args[8], v, v_at)
            square = _Square(simd, width, size)

            def along_row(i: Any, carried: Any) -> list[Any]:
                inside = builder.and_(builder.icmp_signed(">=", i, top), builder.icmp_signed("<", i, bottom))
                mask = builder.select(inside, visible, INDEX(0))
                places = [simd.after(channel, builder.mul(i, row_step)) for channel in addresses]
                d = _load_row(simd, narrow, places, mask, width)
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
            narrow = VectorBuilder(context, builder, kinds[7], _piece(simd, m))
            square = _Square(simd, m, size)

            def along_column(j: Any, carried: Any) -> list[Any]:
                column = [
                    simd.load(simd.after(source, builder.mul(builder.add(INDEX(i * size), j), position_step)))
                    for i in range(size)
                ]
                for i, vector in enumerate(_transform_products(simd, m, column, m)):
                    square.put(i, j, vector)
                return []

            whole = builder.and_(
                builder.icmp_signed(">=", columns, INDEX(m)),
                builder.icmp_signed(">=", channels, INDEX(simd.lanes)),
            )

            def along_row(i: Any, carried: Any) -> list[Any]:
                sums = _transform_products(simd, m, [square.get(i, j) for j in range(size)], m)
                row = [simd.at_most(simd.at_least(builder.fadd(total, offset), low), high) for total in sums]
                place = simd.after(target, builder.mul(i, row_step))
                places = [
                    simd.after(place, builder.mul(INDEX(lane), channel_step)) for lane in range(simd.lanes)
                ]
                _store_row(simd, narrow, row, places, channels, columns, whole)
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
            narrow = VectorBuilder(context, builder, signature.args[0], _piece(simd, TAPS * TAPS))
            addresses = _lane_addresses(
                simd, simd.address(signature.args[0], weight, at), filters, filter_step
            )
            target = simd.address(signature.args[5], u, u_at)
            everything = INDEX(2 ** (TAPS * TAPS) - 1)
            taps = _load_row(simd, narrow, addresses, everything, TAPS * TAPS)
            taps = [builder.select(turned, b, a) for a, b in zip(taps, reversed(taps), strict=True)]
            exact = VectorBuilder(context, builder, types.float64[:], simd.lanes)
            if simd.vector != exact.vector:
                taps = [builder.fpext(tap, exact.vector) for tap in taps]
            rows = [_transform_filter(exact, m, taps[TAPS * i : TAPS * (i + 1)]) for i in range(TAPS)]
            for j in range(size):
                for i, vector in enumerate(_transform_filter(exact, m, [row[j] for row in rows])):
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
            narrow = VectorBuilder(context, builder, kinds[0], _piece(simd, TAPS * TAPS))
            source, target = simd.address(kinds[0], sums, at), simd.address(kinds[3], gradient, gradient_at)
            columns = []
            for j in range(size):
                places = [builder.mul(position_step, INDEX(i * size + j)) for i in range(size)]
                column = [simd.load(simd.after(source, place)) for place in places]
                columns.append(_transform_products(simd, m, column, TAPS))
            taps = []
            for i in range(TAPS):
                taps += _transform_products(simd, m, [column[i] for column in columns], TAPS)
            taps += [simd.constant(0.0)] * (-len(taps) % narrow.lanes)
            places = [simd.after(target, lane * TAPS * TAPS) for lane in range(simd.lanes)]
            _store_row(simd, narrow, taps, places, filters, INDEX(TAPS * TAPS), ir.IntType(1)(0))
            return context.get_dummy_value()

        index = types.intp
        return types.void(sums, index, index, gradient, index, index), emit

    return intrinsic(transform_sums)
