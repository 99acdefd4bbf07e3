"""Depthwise convolution in Numba, on planes sorted by phase: a tap is a multiply-add over full vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import Array
from kernels.conv2d.cpu_backward import conv2d_backward_bias_planes
from kernels.cpu.band_sums import add_band
from kernels.cpu.bands import band_rows, load_band, store_band
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.endings import CODES, end_with
from kernels.cpu.mapping import floating
from kernels.cpu.phases import backward_layout, forward_layout, layout_of
from kernels.cpu.simd import INDEX, VectorBuilder, vector_lanes
from kernels.depthwise_conv2d import (
    cpu_channels,
    cpu_channels_backward,
    cpu_rows,
    cpu_rows_weight,
    depthwise_conv2d_backward_bias,
    depthwise_conv2d_backward_input,
    depthwise_conv2d_backward_weight,
    depthwise_conv2d_forward,
    depthwise_conv2d_forward_activated,
)
from kernels.depthwise_conv2d.cpu_flat import (
    backward_fits,
    convolve_flat,
    convolve_flat_back,
    correlate_flat,
    forward_fits,
    pays,
    weight_fits,
)
from kernels.depthwise_conv2d.cpu_lanes import TAPS, add_lanes, tap_addresses
from kernels.memory import empty
from kernels.registry import implements
from kernels.window import Window


@implements(
    depthwise_conv2d_forward,
    "phases",
    "padded planes in the cache, sorted by the stride",
    fits=floating,
    compiled=True,
)
def depthwise_conv2d_forward_phases(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """One group is a channel's plane and its M outputs."""
    return _forward(x, weight, bias, window, None)


@implements(
    depthwise_conv2d_forward_activated,
    "phases",
    "the activation while a band is in the cache",
    fits=floating,
    compiled=True,
)
def depthwise_conv2d_forward_activated_phases(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str
) -> Array:
    """The same convolution; before a band is written, its activation is applied."""
    return _forward(x, weight, bias, window, activation)


def _forward(x: Array, weight: Array, bias: Array | None, window: Window, activation: str | None) -> Array:
    outputs = weight.shape[0]
    layout = forward_layout(window, x.shape[2:], outputs // x.shape[1], x.itemsize)
    y = empty((x.shape[0], outputs, *window.output_size(x.shape[2:])), x.dtype)
    starts = np.zeros(outputs, x.dtype) if bias is None else contiguous(bias)
    _convolve(
        tasks_for(y.size),
        layout,
        contiguous(x).ravel(),
        contiguous(weight).ravel(),
        starts,
        y.ravel(),
        CODES.get(activation, 0),
    )
    return y


@implements(
    depthwise_conv2d_backward_input,
    "phases",
    "gather: each phase of x meets its own taps of the padded gradient",
    fits=floating,
    compiled=True,
)
def depthwise_conv2d_backward_input_phases(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """One group is a channel's M gradients and its plane."""
    batch, channels, height, width = input_shape
    layout = backward_layout(window, (height, width), weight.shape[0] // channels, weight.itemsize)
    grad_x = empty((batch, channels, height, width), weight.dtype)
    starts = np.zeros(channels, weight.dtype)
    _convolve(
        tasks_for(grad_x.size),
        layout,
        contiguous(grad_output).ravel(),
        contiguous(weight).ravel(),
        starts,
        grad_x.ravel(),
        0,
    )
    return grad_x


@parallel
def _convolve(
    task: int, tasks: int, numbers: Any, x: Any, weight: Any, starts: Any, y: Any, ending: int
) -> None:
    """y = f(start + sum over the taps of weight * x) for all planes; `starts` and `weight` repeat by channel.

    f is the activation of the code `ending`.
    """
    layout = layout_of(numbers)
    source = np.zeros(layout.source_size, x.dtype)
    target = np.zeros(layout.target_phases * layout.target_size, x.dtype)
    weights = np.empty(layout.tap_count, x.dtype)
    jobs = y.size // (layout.targets * layout.rows.target * layout.columns.target) * layout.bands
    first, last = jobs * task // tasks, jobs * (task + 1) // tasks
    _convolve_bands(first, last, numbers, x, weight, starts, source, weights, target, y, ending)


@compiled(borrowing=True)
def _convolve_bands(
    first: int,
    last: int,
    numbers: Any,
    x: Any,
    weight: Any,
    starts: Any,
    source: Any,
    weights: Any,
    target: Any,
    y: Any,
    ending: int,
) -> None:
    """Convolve the bands first .. last - 1, counted over all groups of planes."""
    layout = layout_of(numbers)
    # Where the input has no phases the taps come in the order of the weights.
    ordered = True
    for k in range(weights.size):
        ordered &= numbers[layout.taps + k] == k
    for job in range(first, last):
        group, band = job // layout.bands, job % layout.bands
        load_band(layout, numbers, band, x, group, source, x.dtype.type(0))
        for plane in range(group * layout.targets, (group + 1) * layout.targets):
            channel = plane % starts.size
            used, at = weight, channel * weights.size
            if not ordered:
                used, at = weights, 0
                for k in range(weights.size):
                    weights[k] = weight[channel * weights.size + numbers[layout.taps + k]]
            add_band(layout, numbers, band, source, used, at, starts[channel], target)
            if ending:
                end_with(ending, target)
            store_band(layout, band, target, y, plane)


# ---- the gradients of weight and bias


@implements(
    depthwise_conv2d_backward_weight,
    "phases",
    "the sums of nine taps in registers, over planes sorted by the stride",
    fits=floating,
    compiled=True,
)
def depthwise_conv2d_backward_weight_phases(grad_output: Array, x: Array, window: Window) -> Array:
    """A channel belongs to one task, which adds up its samples in order."""
    outputs = grad_output.shape[1]
    layout = forward_layout(window, x.shape[2:], outputs // x.shape[1], x.itemsize)
    grad_weight = empty((outputs, 1, *window.kernel), x.dtype)
    _correlate(
        min(tasks_for(x.size), x.shape[1]),
        layout,
        contiguous(grad_output).ravel(),
        contiguous(x).ravel(),
        x.shape[0],
        grad_weight.ravel(),
    )
    return grad_weight


@parallel
def _correlate(
    task: int, tasks: int, numbers: Any, grad_output: Any, x: Any, batch: int, grad_weight: Any
) -> None:
    """grad_weight[tap] = sum of grad_output * (x seen by the tap), channel by channel."""
    layout = layout_of(numbers)
    channels = grad_weight.size // (layout.targets * layout.tap_count)
    source = np.zeros(layout.source_size, x.dtype)
    # A tap's sum in each lane of a vector; the last group of taps is padded.
    sums = np.empty(layout.targets * (layout.tap_count + TAPS) * vector_lanes(x), x.dtype)
    for c in range(channels * task // tasks, channels * (task + 1) // tasks):
        sums[:] = 0
        for n in range(batch):
            _correlate_plane(numbers, n * channels + c, grad_output, x, source, sums)
        add_lanes(sums, layout.targets, layout.tap_count, grad_weight, c * layout.targets * layout.tap_count)


@compiled(borrowing=True)
def _correlate_plane(numbers: Any, group: int, grad_output: Any, x: Any, source: Any, sums: Any) -> None:
    """Add a plane's products to the sums of its M outputs."""
    layout = layout_of(numbers)
    width, lanes = layout.columns.target, vector_lanes(x)
    for band in range(layout.bands):
        load_band(layout, numbers, band, x, group, source, x.dtype.type(0))
        for m in range(layout.targets):
            plane = group * layout.targets + m
            first = (plane * layout.rows.target + band * layout.band) * width
            for k in range(0, layout.tap_count, TAPS):
                at = (m * (layout.tap_count + TAPS) + k) * lanes
                _add_products(
                    sums,
                    at,
                    grad_output,
                    first,
                    width,
                    band_rows(layout, band),
                    source,
                    layout.pitch,
                    numbers,
                    layout.offsets + k,
                    min(TAPS, layout.tap_count - k),
                )


@intrinsic
def _add_products(
    typing_context: Any,
    sums: Any,
    sums_at: Any,
    grad_output: Any,
    grad_at: Any,
    width: Any,
    rows: Any,
    source: Any,
    pitch: Any,
    offsets: Any,
    offsets_at: Any,
    count: Any,
) -> Any:
    """Add, for TAPS taps, the products of rows of grad_output with what the tap sees of the source.

    sums: TAPS vectors from sums_at on. grad_output: `rows` rows of `width` elements from grad_at on.
    source: rows `pitch` elements apart. offsets: of the taps, `count` (at most TAPS) from offsets_at on; for
    missing ones the last is repeated.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, sums_at, grad_output, grad_at, width, rows, source, pitch = arguments[:8]
        offsets, offsets_at, count = arguments[8:]
        kinds = signature.args
        simd = VectorBuilder(context, builder, kinds[0])
        sums_first = simd.address(kinds[0], sums, sums_at)
        grad_first = simd.address(kinds[2], grad_output, grad_at)
        source_first = simd.address(kinds[6], source, INDEX(0))
        offsets_first = simd.address(kinds[8], offsets, offsets_at)
        elements = tap_addresses(simd, source_first, offsets_first, count)
        vectors = builder.sdiv(builder.add(width, INDEX(simd.lanes - 1)), INDEX(simd.lanes))
        zeros = simd.constant(0.0)

        def row(u: Any, totals: Any) -> list[Any]:
            grad_row, source_row = builder.mul(u, width), builder.mul(u, pitch)

            def vector(i: Any, totals: Any) -> list[Any]:
                column = builder.mul(i, INDEX(simd.lanes))
                left = builder.sub(width, column)
                gradient = simd.load_partial(
                    simd.after(grad_first, builder.add(grad_row, column)), left, zeros
                )
                # Beyond the row's end nothing may be read: 0 times an infinity there would be NaN.
                position = builder.add(source_row, column)
                return [
                    simd.multiply_add(
                        gradient, simd.load_partial(simd.after(address, position), left, zeros), total
                    )
                    for address, total in zip(elements, totals, strict=True)
                ]

            return simd.loop(vectors, totals, vector)

        places = [simd.after(sums_first, k * simd.lanes) for k in range(TAPS)]
        totals = simd.loop(rows, [simd.load(place) for place in places], row)
        for place, total in zip(places, totals, strict=True):
            simd.store(total, place)
        return context.get_dummy_value()

    index = types.intp
    return types.void(
        sums, index, grad_output, index, index, index, source, index, offsets, index, index
    ), emit


# The bias does not know of groups.
implements(
    depthwise_conv2d_backward_bias,
    "planes",
    "sums of planes over vectors, channels over all threads",
    fits=floating,
    backend="cpu",
    compiled=True,
)(conv2d_backward_bias_planes)

# ---- planes that keep their size

FLAT = "planes read where they lie, what is beyond a row's ends masked"
for _contract in (depthwise_conv2d_forward, depthwise_conv2d_forward_activated):
    implements(_contract, "flat", FLAT, backend="cpu", fits=forward_fits, pays=pays, compiled=True)(
        convolve_flat
    )
implements(
    depthwise_conv2d_backward_input, "flat", FLAT, backend="cpu", fits=backward_fits, pays=pays, compiled=True
)(convolve_flat_back)
implements(
    depthwise_conv2d_backward_weight, "flat", FLAT, backend="cpu", fits=weight_fits, pays=pays, compiled=True
)(correlate_flat)

# ---- channels side by side

CHANNELS = "a block of channels transposed, one in each lane of a vector"
_FORWARD = (cpu_channels.forward_fits, cpu_channels.forward_pays, cpu_channels.convolve_channels)
_SIDE_BY_SIDE: tuple[tuple[Callable[..., Any], ...], ...] = (
    (depthwise_conv2d_forward, *_FORWARD),
    (depthwise_conv2d_forward_activated, *_FORWARD),
    (
        depthwise_conv2d_backward_input,
        cpu_channels_backward.backward_fits,
        cpu_channels_backward.backward_pays,
        cpu_channels_backward.convolve_channels_back,
    ),
    (
        depthwise_conv2d_backward_weight,
        cpu_channels_backward.weight_fits,
        cpu_channels_backward.weight_pays,
        cpu_channels_backward.correlate_channels,
    ),
)
for _operation, _fits, _pays, _run in _SIDE_BY_SIDE:
    implements(_operation, "channels", CHANNELS, backend="cpu", fits=_fits, pays=_pays, compiled=True)(_run)

# ---- rows, each serving all it meets

ROWS = "a row is loaded once for every tap across, the sums of the rows that it reaches in registers"
for _contract in (depthwise_conv2d_forward, depthwise_conv2d_forward_activated):
    implements(
        _contract, "rows", ROWS, backend="cpu", fits=cpu_rows.forward_fits, pays=cpu_rows.pays, compiled=True
    )(cpu_rows.convolve_rows)
implements(
    depthwise_conv2d_backward_input,
    "rows",
    ROWS,
    backend="cpu",
    fits=cpu_rows.backward_fits,
    pays=cpu_rows.pays,
    compiled=True,
)(cpu_rows.convolve_rows_back)
implements(
    depthwise_conv2d_backward_weight,
    "rows",
    "nine sums in registers, a row of x loaded once for the three rows of taps",
    backend="cpu",
    fits=cpu_rows_weight.weight_fits,
    pays=cpu_rows_weight.weight_pays,
    compiled=True,
)(cpu_rows_weight.correlate_rows)
