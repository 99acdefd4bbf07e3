"""Depthwise convolution in Numba with the channels side by side in a vector's lanes.

A block of channels, one for each lane, is transposed on its way into the cache: a position becomes a vector,
and a tap is a multiply-add of whole vectors whatever the stride, without masks and without a ragged end to
every row. The sums are transposed back on their way out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import FLOATING, Array, Shape4
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.endings import CODES, end_with
from kernels.cpu.records import as_numbers, as_record
from kernels.cpu.simd import INDEX, VectorBuilder, lanes_of, vector_lanes
from kernels.cpu.transposition import transpose_block
from kernels.memory import empty
from kernels.window import Window

# Positions whose sums are kept in registers together.
COLUMNS = 8
# Taps side by side that share what they load.
WIDE = 5
# The rows of x for a band of y's rows lie in the first-level cache.
BAND_BYTES = 24 * 1024


class Geometry(NamedTuple):
    """The shapes of x and y, how the kernel slides, and how the buffer of x is laid out.

    Attributes:
        batch: images N.
        channels: C.
        height, width: of x.
        out_height, out_width: of y.
        kernel_height, kernel_width: KH and KW.
        stride_down, stride_across: SH and SW.
        dilation_down, dilation_across: DH and DW.
        top, left: padding before the first row and column; negative where some are skipped.
        band: rows of y that are computed at once.
        rows, pitch: of the buffer: positions down and across.
    """

    batch: int
    channels: int
    height: int
    width: int
    out_height: int
    out_width: int
    kernel_height: int
    kernel_width: int
    stride_down: int
    stride_across: int
    dilation_down: int
    dilation_across: int
    top: int
    left: int
    band: int
    rows: int
    pitch: int


def forward_fits(x: Array, weight: Array, bias: Array | None, window: Window, *others: Any) -> bool:
    """Whether `convolve_channels` takes these arguments: a filter for every channel."""
    return x.dtype in FLOATING and weight.shape[0] == x.shape[1]


def forward_pays(x: Array, weight: Array, bias: Array | None, window: Window, *others: Any) -> bool:
    """At stride 1 the planes need no sorting, and transposing them is worth it only for many taps."""
    return window.stride != (1, 1) or (window.kernel[1] == WIDE and window.dilation[1] == 1)


@lru_cache(maxsize=4096)
def geometry_in(
    shape: Shape4, window: Window, size: tuple[int, int], before: tuple[int, int], held: int
) -> tuple[Array, int]:
    """As `geometry_of`, for x of a shape; `held`: how many positions of x a band may need."""
    kernel, stride, dilation = window.kernel, window.stride, window.dilation
    pitch = (size[1] - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1
    reach = (kernel[0] - 1) * dilation[0] + 1
    band = max(1, (held // pitch - reach) // stride[0] + 1)
    band = -(-size[0] // -(-size[0] // band))  # bands of one size
    rows = (band - 1) * stride[0] + reach
    geometry = Geometry(
        *(*shape, *size, *kernel, *stride),
        *(*dilation, *before, band, rows, pitch),
    )
    return as_numbers(geometry), -(-size[0] // band)


def geometry_of(
    x: Array, window: Window, size: tuple[int, int], before: tuple[int, int]
) -> tuple[Array, int]:
    """Return the geometry of a convolution of x as kernels take it, and how many bands there are."""
    position = lanes_of(x.dtype) * x.itemsize
    return geometry_in(x.shape, window, size, before, BAND_BYTES // position)


# ---- the convolution


def convolve_channels(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str | None = None
) -> Array:
    """Every task takes bands of blocks of channels."""
    starts = np.zeros(weight.shape[0], x.dtype) if bias is None else contiguous(bias)
    size = window.output_size((x.shape[2], x.shape[3]))
    before = window.padding[0][0], window.padding[1][0]
    return run_convolution(x, weight, starts, window, size, before, CODES.get(activation, 0))


def run_convolution(
    x: Array,
    weight: Array,
    starts: Array,
    window: Window,
    size: tuple[int, int],
    before: tuple[int, int],
    ending: int = 0,
    turned: bool = False,
) -> Array:
    """Return the convolution (N, C, *size) of x with `before` rows and columns of padding in front of it.

    starts: what the sums of a channel begin with. ending: code of the activation. turned: whether the filters
    are turned round.
    """
    y = empty((x.shape[0], x.shape[1], *size), x.dtype)
    geometry, bands = geometry_of(x, window, size, before)
    arrays = contiguous(x).ravel(), contiguous(weight).ravel(), starts, y.ravel()
    _convolve(tasks_for(y.size), geometry, bands, *arrays, ending, turned)
    return y


@parallel
def _convolve(
    task: int,
    tasks: int,
    numbers: Any,
    bands: int,
    x: Any,
    weight: Any,
    starts: Any,
    y: Any,
    ending: int,
    turned: bool,
) -> None:
    """y = f(start + sum over the taps of weight * x), block by block of channels; f of the code `ending`.

    turned: the filters are turned round.
    """
    g, lanes = as_record(numbers, Geometry), vector_lanes(x)
    source = np.zeros(g.rows * g.pitch * lanes, x.dtype)
    target = np.empty(g.band * g.out_width * lanes, x.dtype)
    weights = np.zeros((g.kernel_height * g.kernel_width + 1) * lanes, x.dtype)
    jobs = (g.channels + lanes - 1) // lanes * g.batch * bands
    first, last = jobs * task // tasks, jobs * (task + 1) // tasks
    _convolve_jobs(first, last, numbers, bands, x, weight, starts, y, ending, turned, source, target, weights)


@compiled(borrowing=True)
def _convolve_jobs(
    first: int,
    last: int,
    numbers: Any,
    bands: int,
    x: Any,
    weight: Any,
    starts: Any,
    y: Any,
    ending: int,
    turned: bool,
    source: Any,
    target: Any,
    weights: Any,
) -> None:
    """The jobs first .. last - 1: a band of an image's block of channels each."""
    g, lanes = as_record(numbers, Geometry), vector_lanes(x)
    area, held = g.out_height * g.out_width, -1
    for job in range(first, last):
        block, n, band = job // (g.batch * bands), job // bands % g.batch, job % bands
        channel = block * lanes
        if block != held:
            load_weights(g, channel, weight, turned, weights)
            for lane in range(min(lanes, g.channels - channel)):
                weights[weights.size - lanes + lane] = starts[channel + lane]
            held = block
        row = band * g.band
        rows = min(g.band, g.out_height - row)
        load_rows(g, n, channel, row, rows, x, source)
        for i in range(rows):
            _convolve_row(g, i, source, weights, target)
        positions = rows * g.out_width
        if ending:
            end_with(ending, target[: positions * lanes])
        at = (n * g.channels + channel) * area + row * g.out_width
        store_positions(target, positions, min(lanes, g.channels - channel), y, at, area)


@compiled(inline="always")
def load_weights(g: Geometry, channel: int, weight: Any, turned: bool, weights: Any) -> None:
    """weights[tap * lanes + lane] = the tap's weight of a channel of the block; turned: last tap first."""
    lanes, taps = vector_lanes(weights), g.kernel_height * g.kernel_width
    for lane in range(min(lanes, g.channels - channel)):
        for tap in range(taps):
            source = taps - 1 - tap if turned else tap
            weights[tap * lanes + lane] = weight[(channel + lane) * taps + source]


@compiled(inline="always")
def load_rows(g: Geometry, n: int, channel: int, row: int, rows: int, x: Any, source: Any) -> None:
    """What y's rows from `row` on see of x, transposed: a vector for every position; zero outside x's planes.

    The columns outside the planes are zero from the beginning, for nothing is ever written there.
    """
    lanes, area = vector_lanes(x), g.height * g.width
    plane = (n * g.channels + channel) * area
    count = min(lanes, g.channels - channel)
    first, last = max(0, -g.left), min(g.width, g.pitch - g.left)
    for u in range((rows - 1) * g.stride_down + (g.kernel_height - 1) * g.dilation_down + 1):
        h = row * g.stride_down + u - g.top
        at = (u * g.pitch + g.left) * lanes
        if 0 <= h < g.height:
            for w in range(first, last, lanes):
                transpose_block(
                    *(source, at + w * lanes, lanes, x, plane + h * g.width + w, area),
                    *(count, min(lanes, last - w), lanes),
                )
        elif first < last:
            outside = source[at + first * lanes : at + last * lanes]
            for i in range(outside.size):
                outside[i] = 0


@compiled(inline="always")
def load_positions(x: Any, at: int, area: int, channels: int, positions: int, target: Any) -> None:
    """Rows of x, one for each channel, `area` elements apart, to the vectors of `positions` positions."""
    lanes = vector_lanes(x)
    for position in range(0, positions, lanes):
        transpose_block(
            *(target, position * lanes, lanes, x, at + position, area),
            *(channels, min(lanes, positions - position), lanes),
        )


@compiled(inline="always")
def store_positions(source: Any, positions: int, channels: int, y: Any, at: int, area: int) -> None:
    """The vectors of `positions` positions to rows of y, one for each channel, `area` elements apart."""
    lanes = vector_lanes(y)
    for position in range(0, positions, lanes):
        count = min(lanes, positions - position)
        transpose_block(y, at + position, area, source, position * lanes, lanes, count, channels, count)


@compiled(inline="always")
def _convolve_row(g: Geometry, i: int, source: Any, weights: Any, target: Any) -> None:
    """One row of y. The last positions may be computed twice, so that full sets do for the row's end."""
    lanes = vector_lanes(target)
    row, to = i * g.stride_down * g.pitch * lanes, i * g.out_width * lanes
    down, across = g.dilation_down * g.pitch * lanes, g.dilation_across * lanes
    step = g.stride_across * lanes
    wide = g.kernel_width == WIDE and g.dilation_across == 1
    columns = COLUMNS if g.out_width >= COLUMNS else COLUMNS // 2 if g.out_width >= COLUMNS // 2 else 1
    for begin in range(0, g.out_width, columns):
        j = min(begin, g.out_width - columns)
        places = to + j * lanes, row + j * step
        if columns == 1:
            _sum_1(target, source, *places, step, down, across, weights, g.kernel_height, g.kernel_width)
        elif columns == COLUMNS:
            if wide and g.stride_across == 1:
                _sum_8_wide(target, source, *places, step, down, across, weights, g.kernel_height, WIDE)
            elif wide and g.stride_across == 2:
                _sum_8_wide_2(target, source, *places, step, down, across, weights, g.kernel_height, WIDE)
            else:
                _sum_8(target, source, *places, step, down, across, weights, g.kernel_height, g.kernel_width)
        elif wide and g.stride_across == 1:
            _sum_4_wide(target, source, *places, step, down, across, weights, g.kernel_height, WIDE)
        elif wide and g.stride_across == 2:
            _sum_4_wide_2(target, source, *places, step, down, across, weights, g.kernel_height, WIDE)
        else:
            _sum_4(target, source, *places, step, down, across, weights, g.kernel_height, g.kernel_width)


def _make_sum(columns: int, wide_stride: int = 0) -> Any:
    """Return the intrinsic that computes `columns` neighbouring positions of y.

    wide_stride: for WIDE neighbouring taps across, at this stride across: they share what they load; 0: any.
    """

    def sum_taps(
        typing_context: Any,
        target: Any,
        source: Any,
        target_at: Any,
        source_at: Any,
        step: Any,
        down: Any,
        across: Any,
        weights: Any,
        kernel_height: Any,
        kernel_width: Any,
    ) -> Any:
        """The vectors from target[target_at] on become the start plus the sum over the taps (p, q) of
        weights[p, q] source[source_at + j step + p down + q across]; the start lies behind the weights.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target, source, target_at, source_at, step, down, across = arguments[:7]
            weights, kernel_height, kernel_width = arguments[7:]
            simd = VectorBuilder(context, builder, signature.args[0])
            to = simd.address(signature.args[0], target, target_at)
            first = simd.address(signature.args[1], source, source_at)
            factors = simd.address(signature.args[7], weights, INDEX(0))
            taps = builder.mul(kernel_height, kernel_width)
            start = simd.load(simd.after(factors, builder.mul(taps, INDEX(simd.lanes))))
            places = [simd.after(first, builder.mul(step, INDEX(j))) for j in range(columns)]

            def tap_row(p: Any, sums: Any) -> list[Any]:
                above, tap_row = builder.mul(p, down), builder.mul(p, kernel_width)

                def tap(q: Any, sums: Any) -> list[Any]:
                    number = builder.mul(builder.add(tap_row, q), INDEX(simd.lanes))
                    weight = simd.load(simd.after(factors, number))
                    shift = builder.add(above, builder.mul(q, across))
                    return [
                        simd.multiply_add(weight, simd.load(simd.after(place, shift)), total)
                        for place, total in zip(places, sums, strict=True)
                    ]

                return simd.loop(kernel_width, sums, tap)

            def wide_tap_row(p: Any, sums: Any) -> list[Any]:
                begin = simd.after(first, builder.mul(p, down))
                row = simd.after(factors, builder.mul(p, INDEX(WIDE * simd.lanes)))
                weight = [simd.load(simd.after(row, q * simd.lanes)) for q in range(WIDE)]
                totals = list(sums)
                for seen in range((columns - 1) * wide_stride + WIDE):
                    vector = simd.load(simd.after(begin, seen * simd.lanes))
                    for j in range(columns):
                        q = seen - j * wide_stride
                        if 0 <= q < WIDE:
                            totals[j] = simd.multiply_add(weight[q], vector, totals[j])
                return totals

            body = wide_tap_row if wide_stride else tap_row
            for j, total in enumerate(simd.loop(kernel_height, [start] * columns, body)):
                simd.store(total, simd.after(to, j * simd.lanes))
            return context.get_dummy_value()

        index = types.intp
        return types.void(target, source, index, index, index, index, index, weights, index, index), emit

    return intrinsic(sum_taps)


_sum_8, _sum_4, _sum_1 = _make_sum(COLUMNS), _make_sum(COLUMNS // 2), _make_sum(1)
_sum_8_wide, _sum_4_wide = _make_sum(COLUMNS, 1), _make_sum(COLUMNS // 2, 1)
_sum_8_wide_2, _sum_4_wide_2 = _make_sum(COLUMNS, 2), _make_sum(COLUMNS // 2, 2)
