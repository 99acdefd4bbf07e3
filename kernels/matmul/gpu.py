"""The matrix product on the GPU: tiles in shared memory, and the library."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import C_TYPES, array_module
from kernels.cuda.product import matrices, stack_fits, tiled_product
from kernels.matmul import matmul
from kernels.registry import implements


def _numbers(a: Any, b: Any) -> bool:
    return a.dtype in C_TYPES and a.dtype != np.bool_


def _few_axes(a: Any, b: Any) -> bool:
    return _numbers(a, b) and stack_fits(a.shape[:-2], b.shape[:-2])


@implements(matmul, "tiled", "tiles in shared memory, 4 x 4 elements per thread in registers", fits=_few_axes)
def matmul_tiled(a: Array, b: Array) -> Array:
    """One launch for the whole stack."""
    product: Array = tiled_product(matrices(a), matrices(b))
    return product


@implements(matmul, "library", "the library's product (cuBLAS, through CuPy)", fits=_numbers)
def matmul_library(a: Array, b: Array) -> Array:
    """Y = A B."""
    product: Array = array_module(a).matmul(a, b)
    return product
