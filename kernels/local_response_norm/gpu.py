"""Local response normalisation on the GPU: one thread per element, see local_response_norm.cu."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.local_response_norm import local_response_norm_backward, local_response_norm_forward
from kernels.registry import implements

SOURCE = Source(__file__, "local_response_norm.cu")


def _norm_arguments(x: Any, size: int, alpha: float, beta: float, k: float) -> list[np.generic]:
    """The kernels' parameters NORM."""
    sizes = (x.size, x.shape[1], math.prod(x.shape[2:]), size // 2, (size - 1) // 2)
    return [*map(np.int64, sizes), *map(x.dtype.type, (alpha / size, beta, k))]


@implements(
    local_response_norm_forward, "each", "one thread per element adds up its neighbours", fits=floating
)
def local_response_norm_forward_each(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Every thread computes a scale."""
    x = contiguous(x)
    y: Array = empty_beside(x, x.shape, x.dtype)
    norm = _norm_arguments(x, size, alpha, beta, k)
    SOURCE.launch_each("local_response_norm_forward", x.size, (x, y, *norm), {"REAL": c_type(x.dtype)})
    return y


@implements(
    local_response_norm_backward,
    "gather",
    "every element's parts of the gradient, then a sum over neighbours",
    fits=floating,
)
def local_response_norm_backward_gather(
    grad_output: Array, x: Array, size: int, alpha: float, beta: float, k: float
) -> Array:
    """Two launches, so that no scale is computed more than once."""
    grad_output, x = contiguous(grad_output), contiguous(x)
    grad_x: Array = empty_beside(x, x.shape, x.dtype)
    through_scale = empty_beside(x, x.shape, x.dtype)
    norm, macros = _norm_arguments(x, size, alpha, beta, k), {"REAL": c_type(x.dtype)}
    parts = (grad_output, x, grad_x, through_scale, *norm)
    SOURCE.launch_each("local_response_norm_backward_parts", x.size, parts, macros)
    gather = (x, through_scale, grad_x, *norm)
    SOURCE.launch_each("local_response_norm_backward_gather", x.size, gather, macros)
    return grad_x
