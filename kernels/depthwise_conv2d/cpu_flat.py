"""Depthwise convolution of planes that keep their size, read where they lie.

With stride 1 and as many outputs as inputs along each axis, output t of a plane whose rows lie end to end
meets, with its tap (p, q), element t + (p DH - top) W + q DW - left of its input. A vector of outputs runs
over the ends of rows; of what a tap reads for it, the elements that belong to another row or to no plane at
all are masked, and count as the padding's zeros. The masks depend on the place in the plane and on the tap
only, so all planes share them. Nothing is copied into a padded buffer, which can cost more than the sums.

The gradient of the input is the same with the offsets' signs turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.array import FLOATING, Array
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.endings import CODES, end_with
from kernels.cpu.simd import INDEX, VectorBuilder, lanes_of, vector_lanes
from kernels.depthwise_conv2d.cpu_lanes import TAPS, add_lanes
from kernels.memory import empty
from kernels.window import Pair, Window

# Masks are cheap where a vector's are one register's bits; the emulation of 16 bits elsewhere is not.
MASKED_LANES = 16
# Vectors of outputs whose sums are kept in registers together.
VECTORS = 4


class Taps(NamedTuple):
    """Where the taps read.

    Attributes:
        offsets: of each tap, from the output's place to the element it meets.
        masks: of each vector of outputs and each tap a bit per lane; vectors of zeros fill up the last group.
    """

    offsets: Array
    masks: Array


@lru_cache(maxsize=256)
def taps_of(window: Window, size: Pair, lanes: int, direction: int) -> Taps:
    """Return the taps of a window that keeps planes of this size; direction: 1 forward, -1 backward."""
    height, width = size
    groups = -(-height * width // (VECTORS * lanes))
    rows, columns = np.divmod(np.arange(groups * VECTORS * lanes), width)
    offsets, masks = [], []
    for p in range(window.kernel[0]):
        for q in range(window.kernel[1]):
            down = direction * (p * window.dilation[0] - window.padding[0][0])
            across = direction * (q * window.dilation[1] - window.padding[1][0])
            offsets.append(down * width + across)
            inside = (rows < height) & _within(rows + down, height) & _within(columns + across, width)
            masks.append(inside.reshape(-1, lanes) @ (1 << np.arange(lanes)))
    return Taps(np.array(offsets, np.int64), np.array(masks, np.uint16).T.ravel())


def _within(places: Array, length: int) -> Array:
    inside: Array = (places >= 0) & (places < length)
    return inside


def keeps_its_size(channels: int, outputs: int, size: Pair, window: Window, array: Array) -> bool:
    """Whether the convolution is one that this file can compute."""
    return (
        array.dtype in FLOATING
        and channels == outputs
        and tuple(window.stride) == (1, 1)
        and tuple(window.output_size(size)) == tuple(size)
    )


def forward_fits(x: Array, weight: Array, bias: Array | None, window: Window, *others: Any) -> bool:
    """Whether `convolve_flat` takes these arguments."""
    return keeps_its_size(x.shape[1], weight.shape[0], x.shape[2:], window, x)


def backward_fits(grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window) -> bool:
    """Whether `convolve_flat_back` takes these arguments."""
    size = (input_shape[2], input_shape[3])
    return keeps_its_size(input_shape[1], weight.shape[0], size, window, grad_output)


def weight_fits(grad_output: Array, x: Array, window: Window) -> bool:
    """Whether `correlate_flat` takes these arguments."""
    return keeps_its_size(x.shape[1], grad_output.shape[1], x.shape[2:], window, x)


def pays(x: Array, *others: Any) -> bool:
    """Whether masks are cheap."""
    return lanes_of(np.float32) == MASKED_LANES


def convolve_flat(
    x: Array, weight: Array, bias: Array | None, window: Window, activation: str | None = None
) -> Array:
    """Every task takes whole planes."""
    starts = np.zeros(weight.shape[0], x.dtype) if bias is None else contiguous(bias)
    return _run(x, weight, starts, window, 1, CODES.get(activation, 0))


def convolve_flat_back(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """The same kernel: an input's gradient meets the outputs on the other side."""
    starts = np.zeros(weight.shape[0], weight.dtype)
    return _run(grad_output, weight, starts, window, -1, 0)


def _run(x: Array, weight: Array, starts: Array, window: Window, direction: int, ending: int) -> Array:
    y = empty(x.shape, x.dtype)
    size = (x.shape[2], x.shape[3])
    taps = taps_of(window, size, lanes_of(x.dtype), direction)
    _convolve(
        tasks_for(x.size),
        taps.offsets,
        taps.masks,
        contiguous(x).ravel(),
        contiguous(weight).ravel(),
        starts,
        y.ravel(),
        size[0] * size[1],
        ending,
    )
    return y


@parallel
def _convolve(
    task: int,
    tasks: int,
    offsets: Any,
    masks: Any,
    x: Any,
    weight: Any,
    starts: Any,
    y: Any,
    area: int,
    ending: int,
) -> None:
    """y = f(start + sum over the taps of weight * x) for all planes; `starts` and `weight` repeat by channel.

    f is the activation of the code `ending`.
    """
    planes = y.size // area
    first, last = planes * task // tasks, planes * (task + 1) // tasks
    _convolve_planes(first, last, offsets, masks, x, weight, starts, y, area, ending)


@compiled(borrowing=True)
def _convolve_planes(
    first: int,
    last: int,
    offsets: Any,
    masks: Any,
    x: Any,
    weight: Any,
    starts: Any,
    y: Any,
    area: int,
    ending: int,
) -> None:
    """Convolve the planes first .. last - 1."""
    lanes, count = vector_lanes(x), offsets.size
    for plane in range(first, last):
        channel = plane % starts.size
        weights_at, start = channel * count, starts[channel]
        for t in range(0, area, VECTORS * lanes):
            at, left, masks_at = plane * area + t, area - t, t // lanes * count
            if left > 2 * lanes:
                _sum_4(y, at, left, x, offsets, masks, masks_at, weight, weights_at, start)
            elif left > lanes:
                _sum_2(y, at, left, x, offsets, masks, masks_at, weight, weights_at, start)
            else:
                _sum_1(y, at, left, x, offsets, masks, masks_at, weight, weights_at, start)
        if ending:
            end_with(ending, y[plane * area : (plane + 1) * area])


def _bits(builder: Any, simd: VectorBuilder, address: Any) -> Any:
    """A mask as an integer of as many bits as a vector has lanes."""
    bits = builder.load(address)
    return builder.trunc(bits, ir.IntType(simd.lanes)) if simd.lanes < bits.type.width else bits


def _make_sum(vectors: int) -> Any:
    """Return the intrinsic that computes `vectors` vectors of outputs."""

    def sum_taps(
        typing_context: Any,
        y: Any,
        at: Any,
        left: Any,
        x: Any,
        offsets: Any,
        masks: Any,
        masks_at: Any,
        weights: Any,
        weights_at: Any,
        start: Any,
    ) -> Any:
        """At most `left` elements from y[at] on become start plus the sum over the taps k of
        weights[weights_at + k] x[at + offsets[k]:], masked by masks[masks_at + k] and, a vector further on,
        those that lie as many behind as there are taps.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            y, at, left, x, offsets, masks, masks_at, weights, weights_at, start = arguments
            kinds = signature.args
            simd = VectorBuilder(context, builder, kinds[0])
            target, source = simd.address(kinds[0], y, at), simd.address(kinds[3], x, at)
            first_offset = simd.address(kinds[4], offsets, INDEX(0))
            first_mask = simd.address(kinds[5], masks, masks_at)
            first_weight = simd.address(kinds[7], weights, weights_at)
            count = context.make_array(kinds[4])(context, builder, offsets).nitems

            def step(k: Any, sums: Any) -> list[Any]:
                elements = simd.after(source, builder.load(simd.after(first_offset, k)))
                weight = simd.broadcast(builder.load(simd.after(first_weight, k)))
                totals, mask = [], simd.after(first_mask, k)
                for i, total in enumerate(sums):
                    bits = _bits(builder, simd, mask)
                    vector = simd.load_masked(simd.after(elements, i * simd.lanes), bits)
                    totals.append(simd.multiply_add(weight, vector, total))
                    mask = simd.after(mask, count)
                return totals

            for i, total in enumerate(simd.loop(count, [simd.broadcast(start)] * vectors, step)):
                place = simd.after(target, i * simd.lanes)
                simd.store_partial(total, place, builder.sub(left, INDEX(i * simd.lanes)))
            return context.get_dummy_value()

        index = types.intp
        return types.void(y, index, index, x, offsets, masks, index, weights, index, y.dtype), emit

    return intrinsic(sum_taps)


_sum_4, _sum_2, _sum_1 = _make_sum(VECTORS), _make_sum(2), _make_sum(1)


# ---- the gradient of the weight


def correlate_flat(grad_output: Array, x: Array, window: Window) -> Array:
    """A channel belongs to one task, which adds up its samples in order."""
    grad_weight = empty((x.shape[1], 1, *window.kernel), x.dtype)
    taps = taps_of(window, (x.shape[2], x.shape[3]), lanes_of(x.dtype), 1)
    _correlate(
        min(tasks_for(x.size), x.shape[1]),
        taps.offsets,
        taps.masks,
        contiguous(grad_output).ravel(),
        contiguous(x).ravel(),
        x.shape[0],
        x.shape[2] * x.shape[3],
        grad_weight.ravel(),
    )
    return grad_weight


@parallel
def _correlate(
    task: int,
    tasks: int,
    offsets: Any,
    masks: Any,
    grad_output: Any,
    x: Any,
    batch: int,
    area: int,
    grad_weight: Any,
) -> None:
    """grad_weight[tap] = sum of grad_output * (x seen by the tap), channel by channel."""
    count = offsets.size
    channels = grad_weight.size // count
    # A tap's sum in each lane of a vector; the last group of taps is padded.
    sums = np.empty((count + TAPS) * vector_lanes(x), x.dtype)
    for c in range(channels * task // tasks, channels * (task + 1) // tasks):
        sums[:] = 0
        for n in range(batch):
            plane = (n * channels + c) * area
            for k in range(0, count, TAPS):
                _add_products(sums, k, grad_output, x, plane, area, offsets, masks)
        add_lanes(sums, 1, count, grad_weight, c * count)


@intrinsic
def _add_products(
    typing_context: Any,
    sums: Any,
    first: Any,
    grad_output: Any,
    x: Any,
    at: Any,
    area: Any,
    offsets: Any,
    masks: Any,
) -> Any:
    """Add, for the TAPS taps from `first` on, the products of a plane of grad_output with what they see of x.

    sums: a vector per tap. Both planes are `area` elements from `at` on. For missing taps the last is
    repeated.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, first, grad_output, x, at, area, offsets, masks = arguments
        kinds = signature.args
        simd = VectorBuilder(context, builder, kinds[0])
        gradient_first, source = simd.address(kinds[2], grad_output, at), simd.address(kinds[3], x, at)
        first_offset, first_mask = (
            simd.address(kinds[i], array, INDEX(0)) for i, array in ((6, offsets), (7, masks))
        )
        count = context.make_array(kinds[6])(context, builder, offsets).nitems
        numbers = [
            builder.select(builder.icmp_signed("<", number, count), number, builder.sub(count, INDEX(1)))
            for number in (builder.add(first, INDEX(k)) for k in range(TAPS))
        ]
        elements = [simd.after(source, builder.load(simd.after(first_offset, number))) for number in numbers]
        zeros = simd.constant(0.0)

        def step(v: Any, totals: Any) -> list[Any]:
            place, mask = builder.mul(v, INDEX(simd.lanes)), builder.mul(v, count)
            left = builder.sub(area, place)
            gradient = simd.load_partial(simd.after(gradient_first, place), left, zeros)
            new = []
            for number, element, total in zip(numbers, elements, totals, strict=True):
                bits = _bits(builder, simd, simd.after(first_mask, builder.add(mask, number)))
                seen = simd.load_masked(simd.after(element, place), bits)
                new.append(simd.multiply_add(gradient, seen, total))
            return new

        sums_first = simd.address(kinds[0], sums, builder.mul(first, INDEX(simd.lanes)))
        places = [simd.after(sums_first, k * simd.lanes) for k in range(TAPS)]
        vectors = builder.sdiv(builder.add(area, INDEX(simd.lanes - 1)), INDEX(simd.lanes))
        totals = simd.loop(vectors, [simd.load(place) for place in places], step)
        for place, total in zip(places, totals, strict=True):
            simd.store(total, place)
        return context.get_dummy_value()

    index = types.intp
    return types.void(sums, index, grad_output, x, index, index, offsets, masks), emit
