"""Sums kept in the lanes of vectors, for the gradients of weights."""

from __future__ import annotations

from typing import Any

from kernels.cpu.compilation import compiled
from kernels.cpu.simd import vector_lanes

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
