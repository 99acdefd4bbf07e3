"""Convolution of few channels without a matrix: the filters lie in the lanes of vectors.

    Y[o, j] += W[o, k] X[k, j]      for outputs j of a row, o over a vector's lanes, k = (c, p, q)

The rows of x that a row of y reads are copied side by side, padding included. A tile is a vector of filters
for several outputs of a row; for every k it multiplies the filters' weights with one number of those rows for
each output. So nothing is gathered, whatever the stride, which pays where a gathered number would serve few
filters: in a network's first layer. At the end the tile is turned in registers, for y has its channels apart.

The sums are those of the matrix product: start + W[o, 0] X[0, j] + W[o, 1] X[1, j] + ... in this order.

Source: Zhang, Franchetti and Low, "High performance zero-memory overhead direct convolutions", ICML 2018,
section 3, for outputs in registers with channels in their lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.array import Array, Shape4
from kernels.conv2d.cpu_fused import SMALLEST_TASK, activate, ending_of
from kernels.conv2d.cpu_geometry import Geometry, describe
from kernels.conv2d.versions import announce_version
from kernels.cpu.bands import copy_rows, fill_run, steps_to
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.gemm import add_outer_product
from kernels.cpu.records import as_numbers, as_record
from kernels.cpu.simd import (
    INDEX,
    REGISTERS,
    VectorBuilder,
    lanes_of,
    vector_lanes,
)
from kernels.cpu.transposition import transposed
from kernels.memory import empty
from kernels.prepared import PreparedWeight
from kernels.threads import get_num_threads
from kernels.window import Window

# Of a tile; nearly all registers are sums. Rows of 28, 56, 112 and 224 outputs are frequent.
OUTPUTS = 28 if REGISTERS == 32 else 12
# Of more input channels, or with more of the tiles beyond a row's end, the matrix product is as fast.
MOST_CHANNELS = 4
MOST_WASTE = 1 / 8


def _make_tile(known: int | None) -> Any:
    """Return the intrinsic for tiles whose step is known, which spares the addresses' arithmetic, or any."""

    def tile(
        typing_context: Any,
        depth: Any,
        filters: Any,
        filters_at: Any,
        rows: Any,
        rows_at: Any,
        offsets: Any,
        step: Any,
        bias: Any,
        bias_at: Any,
        y: Any,
        y_at: Any,
        plane: Any,
        channels: Any,
        count: Any,
        low: Any,
        high: Any,
    ) -> Any:
        """y[y_at + o plane + j] = clamp(total, low, high), o < channels and j < count.

            total = bias[bias_at + o] + sum over k < depth of
                filters[filters_at + k lanes + o] rows[rows_at + offsets[k] + j step]

        channels is 1 .. lanes and count 1 .. OUTPUTS; numbers of OUTPUTS outputs are read.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            depth, filters, filters_at, rows, rows_at, offsets, step, bias, bias_at = arguments[:9]
            y, y_at, plane, channels, count, low, high = arguments[9:]
            simd = VectorBuilder(context, builder, kinds[1])
            first_filter = simd.address(kinds[1], filters, filters_at)
            first_number = simd.address(kinds[3], rows, rows_at)
            first_offset = simd.address(kinds[5], offsets, INDEX(0))
            apart = step if known is None else INDEX(known)

            def add(k: Any, sums: list[Any]) -> list[Any]:
                weights = simd.load(simd.after(first_filter, builder.mul(k, INDEX(simd.lanes))))
                number = simd.after(first_number, builder.load(simd.after(first_offset, k)))
                places = [simd.after(number, builder.mul(INDEX(j), apart)) for j in range(OUTPUTS)]
                return add_outer_product(simd, places, [weights], sums)

            start = simd.load(simd.address(kinds[7], bias, bias_at))
            totals = simd.loop(depth, [start] * OUTPUTS, add)
            low, high = simd.broadcast(low), simd.broadcast(high)
            clamped = [simd.at_most(simd.at_least(total, low), high) for total in totals]
            _write_turned(simd, clamped, simd.address(kinds[9], y, y_at), plane, channels, count)
            return context.get_dummy_value()

        index, scalar = types.intp, y.dtype
        return types.void(
            *(index, filters, index, rows, index, offsets, index, bias, index),
            *(y, index, index, index, index, scalar, scalar),
        ), emit

    return intrinsic(tile)


_tile, _tile_1, _tile_2, _tile_4 = (_make_tile(step) for step in (None, 1, 2, 4))


def _write_turned(
    simd: VectorBuilder, outputs: Sequence[Any], target: Any, plane: Any, channels: Any, count: Any
) -> None:
    """Write target[o plane + j] = outputs[j][o] for o < channels (1 .. lanes) and j < count."""
    builder = simd.builder
    last = builder.sub(channels, INDEX(1))
    for first in range(0, len(outputs), simd.lanes):
        square = list(outputs[first : first + simd.lanes])
        square += [ir.Constant(simd.vector, ir.Undefined)] * (simd.lanes - len(square))
        left = builder.sub(count, INDEX(first))
        for o, row in reversed(list(enumerate(transposed(simd, square)))):
            # The last channel there is may be written more than once, its own value last.
            own = builder.select(builder.icmp_signed("<", INDEX(o), channels), INDEX(o), last)
            place = simd.after(target, builder.add(builder.mul(own, plane), INDEX(first)))
            simd.store_partial(row, place, left)


@compiled(borrowing=True)
def _bring_rows(g: Geometry, x: Any, n: int, i: int, pitch: int, rows: Any) -> None:
    """rows[(c KH + p) pitch + w] = x[n, c, i SH + p DH - top, w - left], zero outside.

    Writing is in ascending order: what goes beyond a row's end the next one overwrites.
    """
    zero, step = x.dtype.type(0), g.dilation_down
    first = i * g.stride_down - g.top
    above = min(steps_to(0, first, step), g.kernel_height)
    below = min(steps_to(g.height, first, step), g.kernel_height)
    left = min(g.left, pitch)
    for c in range(g.channels):
        at = c * g.kernel_height * pitch
        fill_run(rows, at, at + above * pitch + left, zero)
        source = ((n * g.channels + c) * g.height + first + above * step) * g.width
        copy_rows(
            *(rows, at + above * pitch + left, pitch, x, source, step * g.width),
            *(below - above, min(g.width, pitch - left), zero),
        )
        fill_run(rows, at + below * pitch, at + g.kernel_height * pitch, zero)


@parallel
def _convolve(
    task: int,
    tasks: int,
    geometry: Any,
    pitch: int,
    offsets: Any,
    x: Any,
    filters: Any,
    bias: Any,
    y: Any,
    low: Any,
    high: Any,
    code: int,
) -> None:
    """y = f(W X + b), every task some rows of y.

    Args:
        task: which of the tasks.
        tasks: how many.
        geometry: the numbers of `Geometry`.
        pitch: how far apart the copied rows lie.
        offsets: where X[k, 0] lies in them, for every k.
        x: the input, flat.
        filters: as `pack_lanes` leaves them.
        bias: one number for every lane of the filters.
        y: the output, flat.
        low: lower bound of y, minus infinity for none.
        high: upper bound of y.
        code: an activation of CODES, or 0.
    """
    g: Geometry = as_record(geometry, Geometry)
    lanes, depth = vector_lanes(x), offsets.size
    # The last row's fill goes on to where another row's first column would be.
    rows = np.empty(g.channels * g.kernel_height * pitch + g.left + lanes, x.dtype)
    count, plane = g.batch * g.out_height, g.out_height * g.out_width
    for row in range(count * task // tasks, count * (task + 1) // tasks):
        n = row // g.out_height
        i = row - n * g.out_height
        _bring_rows(g, x, n, i, pitch, rows)
        for first in range(0, g.outputs, lanes):
            y_at = (n * g.outputs + first) * plane + i * g.out_width
            channels = min(lanes, g.outputs - first)
            for j in range(0, g.out_width, OUTPUTS):
                arguments = (
                    *(depth, filters, first * depth, rows, j * g.stride_across, offsets, g.stride_across),
                    *(bias, first, y, y_at + j, plane, channels, min(OUTPUTS, g.out_width - j), low, high),
                )
                if g.stride_across == 1:
                    _tile_1(*arguments)
                elif g.stride_across == 2:
                    _tile_2(*arguments)
                elif g.stride_across == 4:
                    _tile_4(*arguments)
                else:
                    _tile(*arguments)
            if code:
                activate(code, y, y_at, plane, channels, g.out_width)


@parallel
def pack_lanes(task: int, tasks: int, weight: Any, packed: Any) -> None:
    """packed[(block K + k) lanes + o] = weight[block lanes + o, k], zero for o beyond the last."""
    lanes = vector_lanes(packed)
    outputs, depth = weight.shape
    blocks = (outputs + lanes - 1) // lanes
    for block in range(blocks * task // tasks, blocks * (task + 1) // tasks):
        for k in range(depth):
            for o in range(lanes):
                row = block * lanes + o
                packed[(block * depth + k) * lanes + o] = weight[row, k] if row < outputs else 0


class Plan(NamedTuple):
    """What follows from the shapes.

    Attributes:
        tasks: how many.
        pitch: how far apart the copied rows lie.
        offsets: where X[k, 0] lies in them, for every k.
        out_shape: the output's shape.
        geometry: the numbers of `Geometry`.
    """

    tasks: int
    pitch: int
    offsets: Array
    out_shape: Shape4
    geometry: Array


def computed_width(width: int) -> int:
    """Return how many outputs of a row of `width` are computed: whole tiles."""
    return -(-width // OUTPUTS) * OUTPUTS


@lru_cache(maxsize=1024)
def make_plan(input_shape: Shape4, outputs: int, window: Window, threads: int) -> Plan:
    """Plan a convolution for a number of threads."""
    g = describe(input_shape, outputs, window, 1)
    last = (computed_width(g.out_width) - 1) * g.stride_across
    pitch = last + (g.kernel_width - 1) * g.dilation_across + 1
    c, p, q = np.ogrid[: g.channels, : g.kernel_height, : g.kernel_width]
    offsets = ((c * g.kernel_height + p) * pitch + q * g.dilation_across).ravel()
    out_shape = g.batch, outputs, g.out_height, g.out_width
    steps = g.batch * outputs * g.out_height * g.out_width * offsets.size
    tasks = min(threads, g.batch * g.out_height, steps // SMALLEST_TASK)
    return Plan(max(1, tasks), pitch, offsets, out_shape, as_numbers(g))


def _pack(weight: Array, input_shape: Sequence[int], window: Window, groups: int) -> tuple[Array, ...]:
    lanes = lanes_of(weight.dtype)
    rows = contiguous(weight).reshape(weight.shape[0], -1)
    packed = np.empty(-(-rows.shape[0] // lanes) * lanes * rows.shape[1], weight.dtype)
    pack_lanes(tasks_for(packed.size), rows, packed)
    return (packed,)


def _run(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    outputs = prepared.weight.shape[0]
    plan = make_plan(x.shape, outputs, window, get_num_threads())
    starts = np.zeros(-(-outputs // lanes_of(x.dtype)) * lanes_of(x.dtype), x.dtype)
    if bias is not None:
        starts[:outputs] = bias
    y = empty(plan.out_shape, x.dtype)
    _convolve(
        *(plan.tasks, plan.geometry, plan.pitch, plan.offsets, contiguous(x).reshape(-1)),
        *(prepared.packed[0], starts, y.reshape(-1), *ending_of(x.dtype, activation)),
    )
    return y


def _fits(weight_shape: Sequence[int], input_shape: Sequence[int], window: Window, groups: int) -> bool:
    return groups == 1


def _pays(weight_shape: Sequence[int], input_shape: Sequence[int], window: Window, groups: int) -> bool:
    """Whether a number of x would be gathered for few filters, and filters and outputs fill the tiles."""
    outputs, channels = weight_shape[:2]
    if channels > MOST_CHANNELS or outputs % lanes_of(np.float32) or window.kernel == (1, 1):
        return False
    width = window.output_size(input_shape[2:])[1]
    return computed_width(width) - width <= MOST_WASTE * width


def announce_direct() -> None:
    """Enter the version into the ladders."""
    announce_version(
        "direct",
        "few channels: filters in the lanes of vectors, nothing gathered",
        _pack,
        _run,
        fits=_fits,
        pays=_pays,
    )
