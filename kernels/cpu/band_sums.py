"""A band of target planes as sums over the taps: of convolutions with one weight per tap, and of averages.

`phases.py` says what a band is.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from kernels.cpu.bands import band_rows, fill_run
from kernels.cpu.compilation import compiled
from kernels.cpu.phases import Layout
from kernels.cpu.simd import VectorBuilder, vector_lanes


def _make_add_taps(vectors: int) -> Any:
    """Return the intrinsic that computes `vectors` vectors of targets."""

    def add_taps(
        typing_context: Any,
        target: Any,
        target_at: Any,
        source: Any,
        source_at: Any,
        offsets: Any,
        offsets_at: Any,
        count: Any,
        weights: Any,
        weights_at: Any,
        start: Any,
    ) -> Any:
        """The vectors from target[target_at] on become start plus a sum over `count` (at least 1) taps k, of
        weights[weights_at + k] source[source_at + offsets[offsets_at + k]:].
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target, target_at, source, source_at, offsets, offsets_at, count = arguments[:7]
            weights, weights_at, start = arguments[7:]
            kinds = signature.args
            simd = VectorBuilder(context, builder, kinds[0])
            source_first = simd.address(kinds[2], source, source_at)
            offsets_first = simd.address(kinds[4], offsets, offsets_at)
            weights_first = simd.address(kinds[7], weights, weights_at)
            target_first = simd.address(kinds[0], target, target_at)

            def step(k: Any, sums: Any) -> list[Any]:
                elements = simd.after(source_first, builder.load(simd.after(offsets_first, k)))
                weight = simd.broadcast(builder.load(simd.after(weights_first, k)))
                return [
                    simd.multiply_add(weight, simd.load(simd.after(elements, i * simd.lanes)), total)
                    for i, total in enumerate(sums)
                ]

            for i, total in enumerate(simd.loop(count, [simd.broadcast(start)] * vectors, step)):
                simd.store(total, simd.after(target_first, i * simd.lanes))
            return context.get_dummy_value()

        index = types.intp
        return types.void(
            target, index, source, index, offsets, index, index, weights, index, target.dtype
        ), emit

    return intrinsic(add_taps)


# Four sums at a time keep the multiply-add units busy; the rest of a band takes as few as it needs.
_add_taps_4, _add_taps_2, _add_taps_1 = _make_add_taps(4), _make_add_taps(2), _make_add_taps(1)


@compiled(inline="always")
def add_band(
    layout: Layout,
    numbers: Any,
    band: int,
    source: Any,
    weights: Any,
    weights_at: int,
    start: Any,
    target: Any,
) -> None:
    """Compute a band of all target phases: start + the taps' sum of weights[k] source[offsets[k] + t].

    weights: from `weights_at` on a number per tap, in the order of `layout.offsets`.
    """
    length = (band_rows(layout, band) - 1) * layout.pitch + layout.columns.steps
    for phase in range(layout.target_phases):
        at, first = phase * layout.target_size, numbers[layout.starts + phase]
        count = numbers[layout.starts + phase + 1] - first
        if count:
            _add_run(
                *(length, target, at, source, numbers, layout.offsets + first, count),
                *(weights, weights_at + first, start),
            )
        else:
            fill_run(target, at, at + length, start)


@compiled(borrowing=True)
def _add_run(
    length: int,
    target: Any,
    at: int,
    source: Any,
    offsets: Any,
    offsets_at: int,
    count: int,
    weights: Any,
    weights_at: int,
    start: Any,
) -> None:
    """Compute target[at:][:length] and up to a vector beyond."""
    lanes = vector_lanes(target)
    t = 0
    while length - t > 2 * lanes:
        _add_taps_4(target, at + t, source, t, offsets, offsets_at, count, weights, weights_at, start)
        t += 4 * lanes
    if length - t > lanes:
        _add_taps_2(target, at + t, source, t, offsets, offsets_at, count, weights, weights_at, start)
    elif length > t:
        _add_taps_1(target, at + t, source, t, offsets, offsets_at, count, weights, weights_at, start)
