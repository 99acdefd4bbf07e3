"""The gradient of a depthwise convolution's weight row by row, for three taps along each axis at stride 1.

As in `cpu_rows.py` a plane is read in strips. The nine sums stay in registers while dy's rows go by; of x
only the row that comes next is loaded, once for each tap across: the two before it are still there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import FLOATING, Array
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.records import as_record
from kernels.cpu.simd import INDEX, VectorBuilder, element_lanes, vector_lanes
from kernels.depthwise_conv2d.cpu_rows import Geometry, geometry_of, pays, slides_over_rows
from kernels.memory import empty
from kernels.window import Window

TAPS = 3
# Positions of a channel, in all images, with which there is more to do than to add up the sums' lanes.
FEWEST = 512
# Larger planes of several images come from memory, where strips are slower than whole rows.
LARGEST_PLANE = 1024


def weight_fits(grad_output: Array, x: Array, window: Window) -> bool:
    """Whether `correlate_rows` takes these arguments."""
    same = x.dtype in FLOATING and grad_output.shape[1] == x.shape[1]
    usual = window.kernel == (TAPS, TAPS) and window.stride == (1, 1)
    return same and usual and slides_over_rows((x.shape[2], x.shape[3]), window)


def weight_pays(grad_output: Array, x: Array, window: Window) -> bool:
    """Where a channel's products outweigh the addition of its sums' lanes, and planes come from a cache."""
    positions = x.shape[2] * x.shape[3]
    return pays(x) and x.shape[0] * positions > FEWEST and (x.shape[0] == 1 or positions <= LARGEST_PLANE)


def correlate_rows(grad_output: Array, x: Array, window: Window) -> Array:
    """A channel belongs to one task, which adds up its images in order."""
    grad_weight = empty((x.shape[1], 1, TAPS, TAPS), x.dtype)
    sizes = (x.shape[2], x.shape[3]), window, (grad_output.shape[2], grad_output.shape[3])
    geometry = geometry_of(*sizes, (window.padding[0][0], window.padding[1][0]))
    arrays = contiguous(grad_output).ravel(), contiguous(x).ravel(), grad_weight.ravel()
    _correlate(min(tasks_for(x.size), x.shape[1]), geometry, x.shape[0], *arrays)
    return grad_weight


@parallel
def _correlate(
    task: int, tasks: int, numbers: Any, batch: int, grad_output: Any, x: Any, grad_weight: Any
) -> None:
    """grad_weight[tap] = sum of grad_output * (x seen by the tap), channel by channel."""
    g, lanes = as_record(numbers, Geometry), vector_lanes(x)
    channels, count = grad_weight.size // (TAPS * TAPS), TAPS * TAPS
    # A tap's sum in each lane of a vector, from whole vectors and then from halves.
    sums = np.empty(2 * count * lanes, x.dtype)
    for c in range(channels * task // tasks, channels * (task + 1) // tasks):
        sums[:] = 0
        for n in range(batch):
            plane = n * channels + c
            gradient, source = plane * g.out_height * g.out_width, plane * g.height * g.width
            for column in range(0, g.out_width, lanes):
                columns = min(lanes, g.out_width - column)
                if columns > lanes // 2:
                    _add_strip(sums, 0, grad_output, gradient, column, columns, x, source, numbers)
                else:
                    _add_slim_strip(
                        sums, count * lanes, grad_output, gradient, column, columns, x, source, numbers
                    )
        for tap in range(count):
            total = x.dtype.type(0)
            for lane in range(lanes):
                total += sums[tap * lanes + lane] + sums[(count + tap) * lanes + lane]
            grad_weight[c * count + tap] = total


def _make_add_strip(share: int) -> Any:
    """Return the intrinsic for vectors of which 1 / share of the lanes are used."""

    def add_strip(
        typing_context: Any,
        sums: Any,
        sums_at: Any,
        grad_output: Any,
        gradient: Any,
        column: Any,
        columns: Any,
        x: Any,
        source: Any,
        numbers: Any,
    ) -> Any:
        """Add `columns` columns of a plane from `column` on to the nine sums, which lie whole vectors apart
        from sums[sums_at] on; the planes begin at grad_output[gradient] and x[source].
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sums, sums_at, grad_output, gradient, column, columns, x, source, numbers = arguments
            kinds = signature.args
            whole = element_lanes(kinds[0])
            simd = VectorBuilder(context, builder, kinds[0], whole // share)
            record = simd.address(kinds[8], numbers, INDEX(0))
            height, width, out_height, out_width, _, _, top, left, _ = (
                builder.load(simd.after(record, i)) for i in range(len(Geometry._fields))
            )
            begin = builder.sub(column, left)
            masks = [simd.lanes_within(builder.add(begin, INDEX(q)), width) for q in range(TAPS)]
            wanted = simd.lanes_within(INDEX(0), columns)
            gradients = simd.address(kinds[2], grad_output, builder.add(gradient, column))
            seen = simd.address(kinds[6], x, builder.add(source, begin))
            places = [
                simd.after(simd.address(kinds[0], sums, sums_at), k * whole) for k in range(TAPS * TAPS)
            ]

            def row(u: Any) -> list[Any]:
                """What the taps across see of row u of the padded plane."""
                h = builder.sub(u, top)
                inside = builder.icmp_unsigned("<", h, height)
                first = simd.after(seen, builder.mul(h, width))
                return [
                    # Where there is no gradient nothing may be read: 0 times an infinity would be NaN.
                    simd.load_where(simd.after(first, q), simd.mask_if(inside, builder.and_(mask, wanted)))
                    for q, mask in enumerate(masks)
                ]

            def add_row(i: Any, carried: list[Any]) -> list[Any]:
                window = [*carried[TAPS * TAPS :], *row(builder.add(i, INDEX(TAPS - 1)))]
                dy = simd.load_where(simd.after(gradients, builder.mul(i, out_width)), wanted)
                totals = [
                    simd.multiply_add(dy, vector, total)
                    for vector, total in zip(window, carried[: TAPS * TAPS], strict=True)
                ]
                return [*totals, *window[TAPS:]]

            before = [vector for u in range(TAPS - 1) for vector in row(INDEX(u))]
            totals = simd.loop(out_height, [*[simd.load(place) for place in places], *before], add_row)
            for place, total in zip(places, totals[: TAPS * TAPS], strict=True):
                simd.store(total, place)
            return context.get_dummy_value()

        index = types.intp
        return types.void(sums, index, grad_output, index, index, index, x, index, numbers), emit

    return intrinsic(add_strip)


_add_strip, _add_slim_strip = _make_add_strip(1), _make_add_strip(2)
