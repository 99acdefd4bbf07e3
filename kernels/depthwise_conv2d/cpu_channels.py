"""Depthwise convolution in Numba with the channels side by side in a vector's lanes.

A block of channels, one for each lane, is transposed on its way into the cache: a position becomes a vector,
and a tap is a multiply-add of whole vectors whatever the stride, without masks and without a ragged end to
every row. The sums are transposed back on their way out.
"""

from __future__ import annotations

from collections.abc import Sequence
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
# Taps whose sums are kept in registers together, for the weight's gradient.
TAPS = 9
# The rows of x for a band of y's rows lie in the first-level cache.
BAND_BYTES = 24 * 1024


# Planes of more positions go through the first-level cache as fast where they lie: for the weight's gradient.
LARGEST_PLANE = 512


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


def backward_fits(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> bool:
    """Whether `convolve_channels_back` takes these arguments."""
    return grad_output.dtype in FLOATING and weight.shape[0] == input_shape[1]


def weight_fits(grad_output: Array, x: Array, window: Window) -> bool:
    """Whether `correlate_channels` takes these arguments."""
    return x.dtype in FLOATING and grad_output.shape[1] == x.shape[1]


def forward_pays(x: Array, weight: Array, bias: Array | None, window: Window, *others: Any) -> bool:
    """At stride 1 the planes need no sorting, and transposing them is not worth it."""
    return window.stride != (1, 1)


def backward_pays(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> bool:
    """As in the forward direction."""
    return window.stride != (1, 1)


def weight_pays(grad_output: Array, x: Array, window: Window) -> bool:
    """Where rows are short for a vector, or many taps use what was transposed."""
    taps = window.kernel[0] * window.kernel[1]
    return window.stride != (1, 1) or taps > TAPS or x.shape[2] * x.shape[3] <= LARGEST_PLANE


@lru_cache(maxsize=4096)
def _geometry(
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
    return _geometry(x.shape, window, size, before, BAND_BYTES // position)


# ---- forward, and the gradient of x where the stride is 1


def convolve_channels(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str | None = None
) -> Array:
    """Every task takes bands of blocks of channels."""
    starts = np.zeros(weight.shape[0], x.dtype) if bias is None else contiguous(bias)
    size = window.output_size((x.shape[2], x.shape[3]))
    before = window.padding[0][0], window.padding[1][0]
    return _run(x, contiguous(weight), starts, window, size, before, CODES.get(activation, 0))


def convolve_channels_back(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """At stride 1 a convolution of dy with the filters turned round; else every dy is added to its patch."""
    if window.stride != (1, 1):
        return _scatter(grad_output, weight, input_shape, window)
    size = (input_shape[2], input_shape[3])
    reach = ((k - 1) * d for k, d in zip(window.kernel, window.dilation, strict=True))
    before = tuple(r - padding[0] for r, padding in zip(reach, window.padding, strict=True))
    starts = np.zeros(weight.shape[0], weight.dtype)
    turned = contiguous(weight[:, :, ::-1, ::-1])
    return _run(grad_output, turned, starts, window, size, (before[0], before[1]), 0)


def _run(
    x: Array,
    weight: Array,
    starts: Array,
    window: Window,
    size: tuple[int, int],
    before: tuple[int, int],
    ending: int,
) -> Array:
    y = empty((x.shape[0], x.shape[1], *size), x.dtype)
    geometry, bands = geometry_of(x, window, size, before)
    tasks = tasks_for(y.size)
    _convolve(tasks, geometry, bands, contiguous(x).ravel(), weight.ravel(), starts, y.ravel(), ending)
    return y


@parallel
def _convolve(
    task: int, tasks: int, numbers: Any, bands: int, x: Any, weight: Any, starts: Any, y: Any, ending: int
) -> None:
    """y = f(start + sum over the taps of weight * x), block by block of channels; f of the code `ending`."""
    g, lanes = as_record(numbers, Geometry), vector_lanes(x)
    source = np.zeros(g.rows * g.pitch * lanes, x.dtype)
    target = np.empty(g.band * g.out_width * lanes, x.dtype)
    weights = np.zeros((g.kernel_height * g.kernel_width + 1) * lanes, x.dtype)
    jobs = (g.channels + lanes - 1) // lanes * g.batch * bands
    first, last = jobs * task // tasks, jobs * (task + 1) // tasks
    _convolve_jobs(first, last, numbers, bands, x, weight, starts, y, ending, source, target, weights)


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
            load_weights(g, channel, weight, weights)
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
def load_weights(g: Geometry, channel: int, weight: Any, weights: Any) -> None:
    """weights[tap * lanes + lane] = the tap's weight of a channel of the block."""
    lanes, taps = vector_lanes(weights), g.kernel_height * g.kernel_width
    for lane in range(min(lanes, g.channels - channel)):
        for tap in range(taps):
            weights[tap * lanes + lane] = weight[(channel + lane) * taps + tap]


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
    if g.out_width >= COLUMNS:
        for begin in range(0, g.out_width, COLUMNS):
            j = min(begin, g.out_width - COLUMNS)
            _sum_8(
                *(target, to + j * lanes, source, row + j * step, step, down, across),
                *(weights, g.kernel_height, g.kernel_width),
            )
    elif g.out_width >= COLUMNS // 2:
        for begin in range(0, g.out_width, COLUMNS // 2):
            j = min(begin, g.out_width - COLUMNS // 2)
            _sum_4(
                *(target, to + j * lanes, source, row + j * step, step, down, across),
                *(weights, g.kernel_height, g.kernel_width),
            )
    else:
        for j in range(g.out_width):
            _sum_1(
                *(target, to + j * lanes, source, row + j * step, step, down, across),
                *(weights, g.kernel_height, g.kernel_width),
            )


def _make_sum(columns: int) -> Any:
    """Return the intrinsic that computes `columns` neighbouring positions of y."""

    def sum_taps(
        typing_context: Any,
        target: Any,
        target_at: Any,
        source: Any,
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
            target, target_at, source, source_at, step, down, across = arguments[:7]
            weights, kernel_height, kernel_width = arguments[7:]
            simd = VectorBuilder(context, builder, signature.args[0])
            to = simd.address(signature.args[0], target, target_at)
            first = simd.address(signature.args[2], source, source_at)
            factors = simd.address(signature.args[7], weights, INDEX(0))
            taps = builder.mul(kernel_height, kernel_width)
            start = simd.load(simd.after(factors, builder.mul(taps, INDEX(simd.lanes))))
            places = [simd.after(first, builder.mul(step, INDEX(j))) for j in range(columns)]

            def row(p: Any, sums: Any) -> list[Any]:
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

            for j, total in enumerate(simd.loop(kernel_height, [start] * columns, row)):
                simd.store(total, simd.after(to, j * simd.lanes))
            return context.get_dummy_value()

        index = types.intp
        return types.void(target, index, source, index, index, index, index, weights, index, index), emit

    return intrinsic(sum_taps)


_sum_8, _sum_4, _sum_1 = _make_sum(COLUMNS), _make_sum(COLUMNS // 2), _make_sum(1)


# ---- the gradient of x at larger strides


def _scatter(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> Array:
    """A task takes whole planes, so that nobody else adds to them."""
    batch, channels, height, width = input_shape
    grad_x = empty((batch, channels, height, width), weight.dtype)
    before = window.padding[0][0], window.padding[1][0]
    out = (grad_output.shape[2], grad_output.shape[3])
    numbers, _ = _geometry((batch, channels, height, width), window, out, before, 2**62)
    _add_patches(
        tasks_for(grad_x.size),
        numbers,
        contiguous(grad_output).ravel(),
        contiguous(weight).ravel(),
        grad_x.ravel(),
    )
    return grad_x


@parallel
def _add_patches(task: int, tasks: int, numbers: Any, grad_output: Any, weight: Any, grad_x: Any) -> None:
    """Block by block of channels: every element of dy, times the filter, is added to its patch of dx."""
    g, lanes = as_record(numbers, Geometry), vector_lanes(grad_x)
    patches = np.empty(g.rows * g.pitch * lanes, grad_x.dtype)
    gradients = np.empty(g.out_height * g.out_width * lanes, grad_x.dtype)
    nothing = np.zeros(g.width * lanes, grad_x.dtype)
    weights = np.zeros((g.kernel_height * g.kernel_width + 1) * lanes, grad_x.dtype)
    jobs = (g.channels + lanes - 1) // lanes * g.batch
    for job in range(jobs * task // tasks, jobs * (task + 1) // tasks):
        channel, n = job // g.batch * lanes, job % g.batch
        count, plane = min(lanes, g.channels - channel), n * g.channels + channel
        load_weights(g, channel, weight, weights)
        area = g.out_height * g.out_width
        load_positions(grad_output, plane * area, area, count, area, gradients)
        patches[:] = 0
        for i in range(g.out_height):
            for p in range(g.kernel_height):
                row = (i * g.stride_down + p * g.dilation_down) * g.pitch * lanes
                for q in range(g.kernel_width):
                    _add_row(
                        *(patches, row + q * g.dilation_across * lanes, g.stride_across * lanes),
                        *(gradients, i * g.out_width * lanes, g.out_width),
                        *(weights, (p * g.kernel_width + q) * lanes),
                    )
        _store_planes(g, plane, count, patches, nothing, grad_x)


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
def _store_planes(g: Geometry, plane: int, channels: int, patches: Any, nothing: Any, grad_x: Any) -> None:
    """The part of the patches that lies in x's planes, and zeros for what no patch reaches."""
    lanes, area = vector_lanes(grad_x), g.height * g.width
    reached = max(0, min(g.width, g.pitch - g.left))
    for h in range(g.height):
        at = plane * area + h * g.width
        if h + g.top >= g.rows:
            store_positions(nothing, g.width, channels, grad_x, at, area)
            continue
        first = ((h + g.top) * g.pitch + g.left) * lanes
        if reached:
            store_positions(patches[first:], reached, channels, grad_x, at, area)
        if reached < g.width:
            store_positions(nothing, g.width - reached, channels, grad_x, at + reached, area)


@intrinsic
def _add_row(
    typing_context: Any,
    target: Any,
    target_at: Any,
    step: Any,
    gradients: Any,
    gradients_at: Any,
    count: Any,
    weights: Any,
    weights_at: Any,
) -> Any:
    """target[target_at + j step] += weight gradients[gradients_at + j lanes] for `count` vectors."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_at, step, gradients, gradients_at, count, weights, weights_at = arguments
        simd = VectorBuilder(context, builder, signature.args[0])
        to = simd.address(signature.args[0], target, target_at)
        source = simd.address(signature.args[3], gradients, gradients_at)
        weight = simd.load(simd.address(signature.args[6], weights, weights_at))

        def position(j: Any, carried: Any) -> list[Any]:
            place = simd.after(to, builder.mul(j, step))
            gradient = simd.load(simd.after(source, builder.mul(j, INDEX(simd.lanes))))
            simd.store(simd.multiply_add(weight, gradient, simd.load(place)), place)
            return []

        simd.loop(count, [], position)
        return context.get_dummy_value()

    index = types.intp
    return types.void(target, index, index, gradients, index, index, weights, index), emit


# ---- the gradient of the weight


def correlate_channels(grad_output: Array, x: Array, window: Window) -> Array:
    """A block of channels belongs to one task, which adds up its images in order."""
    grad_weight = empty((x.shape[1], 1, *window.kernel), x.dtype)
    size = (grad_output.shape[2], grad_output.shape[3])
    before = window.padding[0][0], window.padding[1][0]
    numbers, bands = geometry_of(x, window, size, before)
    blocks = -(-x.shape[1] // lanes_of(x.dtype))
    _correlate(
        min(tasks_for(x.size), blocks),
        *(numbers, bands, contiguous(grad_output).ravel(), contiguous(x).ravel(), grad_weight.ravel()),
    )
    return grad_weight


@parallel
def _correlate(
    task: int, tasks: int, numbers: Any, bands: int, grad_output: Any, x: Any, grad_weight: Any
) -> None:
    """grad_weight[tap] = sum of grad_output * (x seen by the tap): sums of bands, added in order."""
    g, lanes = as_record(numbers, Geometry), vector_lanes(x)
    taps = g.kernel_height * g.kernel_width
    source = np.zeros(g.rows * g.pitch * lanes, x.dtype)
    gradients = np.empty(g.band * g.out_width * lanes, x.dtype)
    # The last group of taps is padded.
    sums = np.empty((taps + TAPS) * lanes, x.dtype)
    offsets = np.zeros(taps, np.int64)
    for tap in range(taps):
        p, q = tap // g.kernel_width, tap % g.kernel_width
        offsets[tap] = (p * g.dilation_down * g.pitch + q * g.dilation_across) * lanes
    blocks = (g.channels + lanes - 1) // lanes
    for block in range(blocks * task // tasks, blocks * (task + 1) // tasks):
        sums[:] = 0
        for n in range(g.batch):
            for band in range(bands):
                _correlate_band(
                    numbers, n, block * lanes, band, grad_output, x, source, gradients, offsets, sums
                )
        for lane in range(min(lanes, g.channels - block * lanes)):
            for tap in range(taps):
                grad_weight[(block * lanes + lane) * taps + tap] = sums[tap * lanes + lane]


@compiled(borrowing=True)
def _correlate_band(
    numbers: Any,
    n: int,
    channel: int,
    band: int,
    grad_output: Any,
    x: Any,
    source: Any,
    gradients: Any,
    offsets: Any,
    sums: Any,
) -> None:
    """Add a band's sums to those of the taps."""
    g, lanes = as_record(numbers, Geometry), vector_lanes(x)
    row, area = band * g.band, g.out_height * g.out_width
    rows = min(g.band, g.out_height - row)
    load_rows(g, n, channel, row, rows, x, source)
    at = (n * g.channels + channel) * area + row * g.out_width
    channels = min(lanes, g.channels - channel)
    load_positions(grad_output, at, area, channels, rows * g.out_width, gradients)
    steps = g.stride_down * g.pitch * lanes, g.stride_across * lanes
    for tap in range(0, offsets.size, TAPS):
        _add_products(
            *(sums, tap * lanes, gradients, rows, g.out_width, source, *steps),
            *(offsets, tap, min(TAPS, offsets.size - tap)),
        )


@intrinsic
def _add_products(
    typing_context: Any,
    sums: Any,
    sums_at: Any,
    gradients: Any,
    rows: Any,
    columns: Any,
    source: Any,
    down: Any,
    across: Any,
    offsets: Any,
    offsets_at: Any,
    count: Any,
) -> Any:
    """Add, for TAPS taps, the sum over `rows` times `columns` positions (i, j) of the gradient there times
    source[offset + i down + j across]. There are `count` offsets; for missing ones the last is repeated.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, sums_at, gradients, rows, columns, source, down, across = arguments[:8]
        offsets, offsets_at, count = arguments[8:]
        kinds = signature.args
        simd = VectorBuilder(context, builder, kinds[0])
        sums_first = simd.address(kinds[0], sums, sums_at)
        gradients_first = simd.address(kinds[2], gradients, INDEX(0))
        source_first = simd.address(kinds[5], source, INDEX(0))
        offsets_first = simd.address(kinds[8], offsets, offsets_at)
        elements = []
        for k in range(TAPS):
            exists = builder.icmp_signed("<", INDEX(k), count)
            number = builder.select(exists, INDEX(k), builder.sub(count, INDEX(1)))
            elements.append(simd.after(source_first, builder.load(simd.after(offsets_first, number))))

        def row(i: Any, totals: Any) -> list[Any]:
            above, first = builder.mul(i, down), builder.mul(i, columns)

            def position(j: Any, totals: Any) -> list[Any]:
                place = builder.mul(builder.add(first, j), INDEX(simd.lanes))
                gradient = simd.load(simd.after(gradients_first, place))
                shift = builder.add(above, builder.mul(j, across))
                return [
                    simd.multiply_add(gradient, simd.load(simd.after(address, shift)), total)
                    for address, total in zip(elements, totals, strict=True)
                ]

            return simd.loop(columns, totals, position)

        totals = simd.loop(rows, [simd.constant(0.0)] * TAPS, row)
        for k, total in enumerate(totals):
            place = simd.after(sums_first, k * simd.lanes)
            simd.store(builder.fadd(simd.load(place), total), place)
        return context.get_dummy_value()

    index = types.intp
    return types.void(sums, index, gradients, index, index, source, index, index, offsets, index, index), emit
