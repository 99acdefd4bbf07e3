"""The gradients of a depthwise convolution in Numba with the channels side by side in a vector's lanes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import FLOATING, Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.records import as_record
from kernels.cpu.simd import INDEX, VectorBuilder, lanes_of, vector_lanes
from kernels.depthwise_conv2d.cpu_channels import (
    Geometry,
    forward_pays,
    geometry_in,
    geometry_of,
    load_positions,
    load_rows,
    load_weights,
    run_convolution,
    store_positions,
)
from kernels.depthwise_conv2d.cpu_lanes import TAPS, tap_addresses
from kernels.memory import empty
from kernels.window import Window

# Planes of more positions go through the first-level cache as fast where they lie: for the weight's gradient.
LARGEST_PLANE = 512


def backward_fits(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> bool:
    """Whether `convolve_channels_back` takes these arguments."""
    return grad_output.dtype in FLOATING and weight.shape[0] == input_shape[1]


def weight_fits(grad_output: Array, x: Array, window: Window) -> bool:
    """Whether `correlate_channels` takes these arguments."""
    return x.dtype in FLOATING and grad_output.shape[1] == x.shape[1]


def backward_pays(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> bool:
    """As in the forward direction."""
    return forward_pays(grad_output, weight, None, window)


def weight_pays(grad_output: Array, x: Array, window: Window) -> bool:
    """Where rows are short for a vector, or many taps use what was transposed."""
    taps = window.kernel[0] * window.kernel[1]
    return window.stride != (1, 1) or taps > TAPS or x.shape[2] * x.shape[3] <= LARGEST_PLANE


# ---- the gradient of x


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
    return run_convolution(grad_output, weight, starts, window, size, (before[0], before[1]), turned=True)


def _scatter(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> Array:
    """A task takes whole planes, so that nobody else adds to them."""
    batch, channels, height, width = input_shape
    grad_x = empty((batch, channels, height, width), weight.dtype)
    before = window.padding[0][0], window.padding[1][0]
    out = (grad_output.shape[2], grad_output.shape[3])
    numbers, _ = geometry_in((batch, channels, height, width), window, out, before, 2**62)
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
        load_weights(g, channel, weight, False, weights)
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
        elements = tap_addresses(simd, source_first, offsets_first, count)

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
