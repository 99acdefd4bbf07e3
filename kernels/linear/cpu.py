"""The fully connected layer in Numba: dot products for few samples, register tiles for many.

The weight (O, I) is read once and as it lies, for with few samples its way from memory is all that counts.

- Up to SAMPLES samples: rows of the weight times up to four samples, vector by vector along i.
- More: y^T = W x^T in tiles of ROWS rows of the weight times vectors of samples. The tile broadcasts the
  weight's elements, so that only the samples are transposed.

Both gradients are plain products: dX = dY W and dW = dY^T X, see `kernels/cpu/product.py`. For a single
sample dX is a sum of scaled rows of the weight, which are read as they come, and dW's rows are x, scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import Array
from kernels.conv2d.cpu_patches import add_tile
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.gemm import ROWS, VECTORS
from kernels.cpu.product import product
from kernels.cpu.simd import INDEX, REGISTERS, VectorBuilder, lanes_of, vector_lanes
from kernels.cpu.transposition import transpose_block
from kernels.linear import linear_backward_input, linear_backward_weight, linear_forward
from kernels.memory import empty
from kernels.registry import implements

TYPES = (np.dtype(np.float32), np.dtype(np.float64))
# Up to so many samples are done by dot products.
SAMPLES = 8
# Steps of a tile, whose piece of the transposed samples stays in the first-level cache.
PART = 256
# Multiply-adds that are worth a second thread.
SMALLEST_TASK = 1 << 15


def _sums(simd: VectorBuilder, vectors: Sequence[Any]) -> Any:
    """Return the vector of the vectors' sums; there are at most as many as lanes, a power of two.

    In step d = lanes / 2, ..., 2, 1 elements d apart are added. What is left of two vectors fills one, so
    there are half as many after every step, until one holds the sum of vector i from lane i lanes / count
    on. All sums are added up in the same order.
    """
    count, distance = len(vectors), simd.lanes // 2
    while distance:
        half = (len(vectors) + 1) // 2
        second = [simd.lanes if lane & distance else 0 for lane in range(simd.lanes)]
        lower = [second[lane] + (lane & ~distance) for lane in range(simd.lanes)]
        upper = [place + distance for place in lower]
        vectors = [
            simd.builder.fadd(simd.shuffle(*pair, lower), simd.shuffle(*pair, upper))
            for pair in zip(vectors[:half], vectors[-half:], strict=True)
        ]
        distance //= 2
    return simd.shuffle(vectors[0], vectors[0], range(0, simd.lanes, simd.lanes // count))


def _make_dots(rows: int, samples: int) -> Any:
    """Return the intrinsic for the dot products of `rows` rows with `samples` samples."""

    def dots(
        typing_context: Any, length: Any, w: Any, w_at: Any, count: Any, x: Any, x_at: Any, batch: Any, y: Any
    ) -> Any:
        """y[n rows + r] = sum_i w[w_at + r length + i] x[x_at + n length + i] for r < count and n < batch.

        length, count and batch are at least 1; the other results have no meaning.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            length, w, w_at, count, x, x_at, batch, y = arguments
            simd = VectorBuilder(context, builder, kinds[1])

            def row(first: Any, i: int, there: Any) -> Any:
                """The address of row i, or of the last there is."""
                last = builder.sub(there, INDEX(1))
                real = builder.select(builder.icmp_signed("<", INDEX(i), there), INDEX(i), last)
                return simd.after(first, builder.mul(real, length))

            w_first, x_first = simd.address(kinds[1], w, w_at), simd.address(kinds[4], x, x_at)
            w_rows = [row(w_first, r, count) for r in range(rows)]
            x_rows = [row(x_first, n, batch) for n in range(samples)]
            zero = simd.constant(0.0)

            def add(sums: Sequence[Any], load: Any) -> list[Any]:
                """Multiply the vectors that load(row) returns."""
                of_x = [load(start) for start in x_rows]
                new = list(sums)
                for r in range(rows):
                    of_w = load(w_rows[r])
                    for n in range(samples):
                        new[n * rows + r] = simd.multiply_add(of_w, of_x[n], sums[n * rows + r])
                return new

            def step(k: Any, sums: Sequence[Any]) -> list[Any]:
                at = builder.mul(k, INDEX(simd.lanes))
                return add(sums, lambda start: simd.load(simd.after(start, at)))

            steps = builder.sdiv(length, INDEX(simd.lanes))
            totals = simd.loop_if_any(steps, [zero] * (rows * samples), step)
            end = builder.mul(steps, INDEX(simd.lanes))
            left = builder.sub(length, end)
            totals = add(totals, lambda start: simd.load_partial(simd.after(start, end), left, zero))
            target = simd.address(kinds[7], y, INDEX(0))
            for first in range(0, len(totals), simd.lanes):
                group = totals[first : first + simd.lanes]
                narrow = VectorBuilder(context, builder, kinds[7], lanes=len(group))
                narrow.store(_sums(simd, group), simd.after(target, first))
            return context.get_dummy_value()

        index = types.intp
        return types.void(index, w, index, index, x, index, index, y), emit

    return intrinsic(dots)


# Rows of the weight at once for one sample, and for up to four.
ROWS_OF_ONE, ROWS_OF_FOUR = (8, 6) if REGISTERS == 32 else (8, 2)
_one_sample = _make_dots(ROWS_OF_ONE, 1)
_four_samples = _make_dots(ROWS_OF_FOUR, 4)


@compiled(borrowing=True)
def add_offsets(sums: Any, sums_at: int, bias: Any, o: int, y: Any, at: int, count: int) -> None:
    """y[at + r] = sums[sums_at + r] + bias[o + r] for r < count."""
    results, offsets, products = y[at : at + count], bias[o : o + count], sums[sums_at:]
    for r in range(results.size):
        results[r] = products[r] + offsets[r]


@parallel
def multiply_few(
    task: int, tasks: int, x: Any, weight: Any, bias: Any, y: Any, batch: int, inputs: int
) -> None:
    """y (N, O) for x (N, I), weight (O, I) and one bias per output, all flat; N is at most SAMPLES."""
    outputs = y.size // batch
    step = ROWS_OF_ONE if batch == 1 else ROWS_OF_FOUR
    sums = np.empty(max(ROWS_OF_ONE, ROWS_OF_FOUR * 4), x.dtype)
    last = outputs * (task + 1) // tasks
    for o in range(outputs * task // tasks, last, step):
        count = min(step, last - o)
        if batch == 1:
            _one_sample(inputs, weight, o * inputs, count, x, 0, 1, sums)
            add_offsets(sums, 0, bias, o, y, o, count)
            continue
        for first in range(0, batch, 4):
            there = min(4, batch - first)
            _four_samples(inputs, weight, o * inputs, count, x, first * inputs, there, sums)
            for n in range(there):
                add_offsets(sums, n * step, bias, o, y, (first + n) * outputs + o, count)


@parallel
def transpose_samples(task: int, tasks: int, x: Any, batch: int, inputs: int, panels: Any) -> None:
    """Write x (N, I) as panels (I, samples) of up to VECTORS vectors of samples, one after the other."""
    lanes = vector_lanes(x)
    vectors = (batch + lanes - 1) // lanes
    count = (vectors + VECTORS - 1) // VECTORS
    first, last = inputs * task // tasks, inputs * (task + 1) // tasks
    for panel in range(count):
        begin, end = vectors * panel // count, vectors * (panel + 1) // count
        width = (end - begin) * lanes
        for i in range(first, last, lanes):
            for n in range(begin * lanes, min(batch, end * lanes), lanes):
                transpose_block(
                    *(panels, (begin * inputs + i * (end - begin)) * lanes + n - begin * lanes, width),
                    *(x, n * inputs + i, inputs, min(lanes, batch - n), min(lanes, last - i), lanes),
                )


@parallel
def multiply_many(
    task: int, tasks: int, panels: Any, weight: Any, bias: Any, y: Any, batch: int, inputs: int
) -> None:
    """y (N, O) for x (N, I) as `transpose_samples` writes it, weight (O, I) and one bias per output."""
    outputs = y.size // batch
    lanes = vector_lanes(weight)
    vectors = (batch + lanes - 1) // lanes
    count = (vectors + VECTORS - 1) // VECTORS
    blocks = (outputs + ROWS - 1) // ROWS
    parts = (inputs + PART - 1) // PART
    in_order = np.arange(PART + ROWS)
    starts = np.empty(ROWS, np.intp)
    result = np.empty(ROWS * vectors * lanes, weight.dtype)  # panel by panel (ROWS, samples)
    for block in range(blocks * task // tasks, blocks * (task + 1) // tasks):
        o = block * ROWS
        rows = min(ROWS, outputs - o)
        for panel in range(count):
            begin, end = vectors * panel // count, vectors * (panel + 1) // count
            width = (end - begin) * lanes
            for r in range(ROWS):
                for n in range(width):
                    result[begin * ROWS * lanes + r * width + n] = bias[o + min(r, rows - 1)]
        for part in range(parts):
            i, i_end = inputs * part // parts, inputs * (part + 1) // parts
            for r in range(ROWS):
                starts[r] = (o + min(r, rows - 1)) * inputs + i
            for panel in range(count):
                begin, end = vectors * panel // count, vectors * (panel + 1) // count
                add_tile(
                    *(end - begin, i_end - i, weight, starts, 0, in_order, 0),
                    *(panels, (begin * inputs + i * (end - begin)) * lanes),
                    *(result, begin * ROWS * lanes, in_order, 0),
                )
        for panel in range(count):
            begin, end = vectors * panel // count, vectors * (panel + 1) // count
            width = (end - begin) * lanes
            for r in range(0, rows, lanes):
                for n in range(begin * lanes, min(batch, end * lanes), lanes):
                    at = (begin * ROWS + r * (end - begin)) * lanes + n - begin * lanes
                    transpose_block(
                        *(y, n * outputs + o + r, outputs, result, at, width),
                        *(min(lanes, rows - r), min(lanes, batch - n), min(lanes, rows - r)),
                    )


def _make_combination(rows: int) -> Any:
    """Return the intrinsic for the sum of `rows` scaled rows."""

    def combination(
        typing_context: Any, width: Any, y: Any, y_at: Any, w: Any, w_at: Any, length: Any, scale: Any, k: Any
    ) -> Any:
        """y[y_at + i] += sum_r scale[k + r] w[w_at + r length + i] for i < width, one row after the other."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            width, y, y_at, w, w_at, length, scale, k = arguments
            simd = VectorBuilder(context, builder, kinds[1])
            first, target = simd.address(kinds[3], w, w_at), simd.address(kinds[1], y, y_at)
            starts = [simd.after(first, builder.mul(INDEX(r), length)) for r in range(rows)]
            scale_at = simd.address(kinds[6], scale, k)
            scales = [simd.broadcast(builder.load(simd.after(scale_at, r))) for r in range(rows)]

            def combined(load: Any) -> Any:
                total = load(target)
                for start, factor in zip(starts, scales, strict=True):
                    total = simd.multiply_add(load(start), factor, total)
                return total

            def step(j: Any, _: Sequence[Any]) -> list[Any]:
                at = builder.mul(j, INDEX(simd.lanes))
                total = combined(lambda start: simd.load(simd.after(start, at)))
                simd.store(total, simd.after(target, at))
                return []

            steps = builder.sdiv(width, INDEX(simd.lanes))
            simd.loop_if_any(steps, [], step)
            end = builder.mul(steps, INDEX(simd.lanes))
            left = builder.sub(width, end)
            zero = simd.constant(0.0)
            total = combined(lambda start: simd.load_partial(simd.after(start, end), left, zero))
            simd.store_partial(total, simd.after(target, end), left)
            return context.get_dummy_value()

        index = types.intp
        return types.void(index, y, index, w, index, index, scale, index), emit

    return intrinsic(combination)


# Rows that are added up at once.
COMBINED = 8
_many_rows = _make_combination(COMBINED)
_one_row = _make_combination(1)


@parallel
def combine_rows(task: int, tasks: int, scale: Any, weight: Any, y: Any) -> None:
    """y (I) = sum_o scale[o] weight[o] for a flat weight (O, I); tasks share the columns."""
    inputs, outputs = y.size, scale.size
    lanes = vector_lanes(y)
    vectors = (inputs + lanes - 1) // lanes
    first, last = vectors * task // tasks * lanes, min(inputs, vectors * (task + 1) // tasks * lanes)
    y[first:last] = 0
    whole = outputs // COMBINED * COMBINED
    for o in range(0, whole, COMBINED):
        _many_rows(last - first, y, first, weight, o * inputs + first, inputs, scale, o)
    for o in range(whole, outputs):
        _one_row(last - first, y, first, weight, o * inputs + first, inputs, scale, o)


@parallel
def outer_product(task: int, tasks: int, dy: Any, x: Any, grad_weight: Any) -> None:
    """grad_weight[o, i] = dy[o] x[i], flat; tasks share the rows."""
    for o in range(dy.size * task // tasks, dy.size * (task + 1) // tasks):
        factor, row = dy[o], grad_weight[o * x.size : (o + 1) * x.size]
        for i in range(row.size):
            row[i] = factor * x[i]


def _fits(first: Array, second: Array, *_: Any) -> bool:
    return first.dtype in TYPES


@implements(
    linear_forward,
    "tiles",
    "dot products for few samples, tiles that read the weight as it lies",
    fits=_fits,
    compiled=True,
)
def linear_forward_tiles(x: Array, weight: Array, bias: Array | None) -> Array:
    """Y = X W^T + b, the weight read once."""
    y = empty((x.shape[0], weight.shape[0]), x.dtype)
    write_outputs(x, weight, bias, y)
    return y


def write_outputs(x: Array, weight: Array, bias: Array | None, y: Array) -> None:
    """Write Y = X W^T + b to y (N, O) for x (N, I) and weight (O, I); axes of length 1 may follow."""
    (batch, inputs), outputs = x.shape[:2], weight.shape[0]
    offsets = np.zeros(outputs, x.dtype) if bias is None else contiguous(bias)
    if y.size == 0 or inputs == 0:
        y.reshape(batch, outputs)[...] = offsets
        return
    values, filters, results = contiguous(x).reshape(-1), contiguous(weight).reshape(-1), y.reshape(-1)
    tasks = tasks_for(filters.size * batch, SMALLEST_TASK)
    if batch <= SAMPLES:
        multiply_few(tasks, values, filters, offsets, results, batch, inputs)
        return
    lanes = lanes_of(x.dtype)
    panels = empty(-(-batch // lanes) * lanes * inputs, x.dtype)
    transpose_samples(tasks_for(x.size), values, batch, inputs, panels)
    multiply_many(tasks, panels, filters, offsets, results, batch, inputs)


@implements(
    linear_backward_input,
    "tiles",
    "a tiled product that reads the weight in place",
    fits=_fits,
    compiled=True,
)
def linear_backward_input_tiles(grad_output: Array, weight: Array) -> Array:
    """dX = dY W."""
    grad_x = empty((grad_output.shape[0], weight.shape[1]), weight.dtype)
    write_input_gradient(grad_output, weight, grad_x)
    return grad_x


def write_input_gradient(grad_output: Array, weight: Array, grad_x: Array) -> None:
    """Write dX = dY W to grad_x (N, I) for dY (N, O) and weight (O, I); axes of length 1 may follow."""
    dy, filters = contiguous(grad_output), contiguous(weight)
    if len(dy) == 1:
        tasks = tasks_for(filters.size, SMALLEST_TASK)
        combine_rows(tasks, dy.reshape(-1), filters.reshape(-1), grad_x.reshape(-1))
        return
    outputs, inputs = filters.shape[:2]
    product(dy, (outputs, 1), filters.reshape(outputs, inputs), grad_x.reshape(len(dy), inputs))


@implements(
    linear_backward_weight,
    "tiles",
    "a tiled product that reads the samples in place",
    fits=_fits,
    compiled=True,
)
def linear_backward_weight_tiles(grad_output: Array, x: Array) -> Array:
    """dW = dY^T X."""
    grad_weight = empty((grad_output.shape[1], x.shape[1]), x.dtype)
    write_weight_gradient(grad_output, x, grad_weight)
    return grad_weight


def write_weight_gradient(grad_output: Array, x: Array, grad_weight: Array) -> None:
    """Write dW = dY^T X to grad_weight (O, I) for dY (N, O) and x (N, I); axes of length 1 may follow."""
    dy, values = contiguous(grad_output), contiguous(x)
    if len(x) == 1:
        tasks = tasks_for(grad_weight.size, SMALLEST_TASK)
        outer_product(tasks, dy.reshape(-1), values.reshape(-1), grad_weight.reshape(-1))
        return
    outputs, inputs = grad_weight.shape[:2]
    product(dy, (1, outputs), values.reshape(len(x), inputs), grad_weight.reshape(outputs, inputs))
