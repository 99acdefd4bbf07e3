"""The matrix product in NumPy: the definition in loops, and BLAS."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.matmul import matmul
from kernels.registry import implements
from kernels.threads import matrix_product


@implements(matmul, "loops", "the definition: one dot product per output")
def matmul_loops(a: Array, b: Array) -> Array:
    """y[..., m, n] = sum_k a[..., m, k] b[..., k, n]."""
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    a = np.broadcast_to(a, (*stack, rows, inner))
    b = np.broadcast_to(b, (*stack, inner, columns))
    y = np.zeros((*stack, rows, columns), a.dtype)
    for place in np.ndindex(stack):
        for m in range(rows):
            for n in range(columns):
                for k in range(inner):
                    y[(*place, m, n)] += a[(*place, m, k)] * b[(*place, k, n)]
    return y


@implements(matmul, "blas", "one BLAS call per matrix of the stack")
def matmul_blas(a: Array, b: Array) -> Array:
    """Y = A B."""
    return matrix_product(a, b)
