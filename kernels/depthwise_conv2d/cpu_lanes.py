"""Sums kept in the lanes of vectors, for the gradients of weights."""

from __future__ import annotations

from typing import Any

from kernels.cpu.compilation import compiled
from kernels.cpu.simd import INDEX, VectorBuilder, vector_lanes

# Taps whose sums are kept in registers together.
TAPS = 9


@compiled(borrowing=True)
def add_lanes(sums: Any, targets: int, count: int, grad_weight: Any, at: int) -> None:
    """Write the sums over the lanes."""
    lanes = vector_lanes(sums)
    for m in range(targets):
        for k in range(count):
            total = sums.dtype.type(0)
            for lane in range(lanes):
                total += sums[(m * (count + TAPS) + k) * lanes + lane]
            grad_weight[at + m * count + k] = total


def tap_addresses(simd: VectorBuilder, source: Any, offsets: Any, count: Any) -> list[Any]:
    """Write the addresses that TAPS taps see: `source` plus each of `count` offsets, the last repeated.

    source, offsets: addresses of the first element and of the first offset.
    """
    builder, addresses = simd.builder, []
    for k in range(TAPS):
        exists = builder.icmp_signed("<", INDEX(k), count)
        number = builder.select(exists, INDEX(k), builder.sub(count, INDEX(1)))
        addresses.append(simd.after(source, builder.load(simd.after(offsets, number))))
    return addresses
