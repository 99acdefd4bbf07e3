"""The matrix product in Numba: register tiles over all threads."""

from __future__ import annotations

import math

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import contiguous
from kernels.cpu.product import product
from kernels.matmul import matmul
from kernels.memory import empty
from kernels.registry import implements

TYPES = (np.dtype(np.float32), np.dtype(np.float64))
# Multiply-adds from which on the tiles beat a BLAS call on one thread.
SMALLEST = 1 << 18


@implements(
    matmul,
    "tiles",
    "tiles in registers over all threads, matrix by matrix of the stack",
    fits=lambda a, b: a.dtype in TYPES,
    pays=lambda a, b: a.shape[-2] * b.size >= SMALLEST,
)
def matmul_tiles(a: Array, b: Array) -> Array:
    """Y = A B; a stack over one matrix B is one product of all its rows."""
    rows, depth, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    if b.ndim == 2:
        y = empty((*a.shape[:-1], columns), a.dtype)
        product(contiguous(a), (depth, 1), contiguous(b), y.reshape(math.prod(a.shape[:-1]), columns))
        return y
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = empty((*stack, rows, columns), a.dtype)
    a, b = np.broadcast_to(a, (*stack, rows, depth)), np.broadcast_to(b, (*stack, depth, columns))
    for place in np.ndindex(stack):
        product(contiguous(a[place]), (depth, 1), contiguous(b[place]), y[place])
    return y
