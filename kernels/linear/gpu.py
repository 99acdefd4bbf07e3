"""The fully connected layer on the GPU: products on tiles in shared memory, and the library's."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.half import floating_or_half, storage_macros
from kernels.cuda.launch import Source, array_module, contiguous, empty_beside, floating
from kernels.cuda.product import matrices, tiled_product
from kernels.elementwise import add
from kernels.linear import (
    linear_backward_bias,
    linear_backward_input,
    linear_backward_weight,
    linear_forward,
)
from kernels.registry import implements

SOURCE = Source(__file__, "linear.cu")
COLUMNS, SHARES = 32, 8  # a block of column_sums
TILED = "tiles in shared memory, 4 x 4 elements per thread in registers"
LIBRARY = "the library's product (cuBLAS, through CuPy)"


@implements(linear_forward, "tiled", TILED, fits=floating_or_half)
def linear_forward_tiled(x: Array, weight: Array, bias: Array | None) -> Array:
    """Y = X W^T + b in one launch; W is read across."""
    y: Array = tiled_product(matrices(x), matrices(weight).transposed, bias)
    return y


@implements(linear_backward_input, "tiled", TILED, fits=floating_or_half)
def linear_backward_input_tiled(grad_output: Array, weight: Array) -> Array:
    """dX = dY W."""
    grad_x: Array = tiled_product(matrices(grad_output), matrices(weight))
    return grad_x


@implements(linear_backward_weight, "tiled", TILED, fits=floating_or_half)
def linear_backward_weight_tiled(grad_output: Array, x: Array) -> Array:
    """dW = dY^T X; dY is read across."""
    grad_weight: Array = tiled_product(matrices(grad_output).transposed, matrices(x))
    return grad_weight


@implements(linear_forward, "library", LIBRARY, fits=floating)
def linear_forward_library(x: Array, weight: Array, bias: Array | None) -> Array:
    """Y = X W^T, then the bias."""
    y: Array = _library(x, weight.T)
    return y if bias is None else add(y, bias)


@implements(linear_backward_input, "library", LIBRARY, fits=floating)
def linear_backward_input_library(grad_output: Array, weight: Array) -> Array:
    """dX = dY W."""
    grad_x: Array = _library(grad_output, weight)
    return grad_x


@implements(linear_backward_weight, "library", LIBRARY, fits=floating)
def linear_backward_weight_library(grad_output: Array, x: Array) -> Array:
    """dW = dY^T X."""
    grad_weight: Array = _library(grad_output.T, x)
    return grad_weight


def _library(a: Any, b: Any) -> Any:
    return array_module(a).matmul(a, b)


@implements(
    linear_backward_bias, "columns", "eight threads per column add up their rows", fits=floating_or_half
)
def linear_backward_bias_columns(grad_output: Array) -> Array:
    """The order of the sum depends on the number of rows only."""
    grad_output = contiguous(grad_output)
    rows, columns = grad_output.shape
    grad_bias: Array = empty_beside(grad_output, (columns,), grad_output.dtype)
    if columns:
        grid, block = (-(-columns // COLUMNS),), (COLUMNS, SHARES)
        arguments = (grad_output, grad_bias, np.int64(rows), np.int64(columns))
        SOURCE.launch("column_sums", grid, block, arguments, storage_macros(grad_output.dtype))
    return grad_bias
