"""Dropout on the GPU: one thread per element, which draws its own bits, see dropout.cu."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.dropout import dropout_backward, dropout_forward
from kernels.random_bits import drop_threshold, mix
from kernels.registry import implements

SOURCE = Source(__file__, "dropout.cu")
IDEA = "one thread per element draws its counter-based bits"


@implements(dropout_forward, "each", IDEA, fits=floating)
def dropout_forward_each(x: Array, probability: float, seed: int) -> Array:
    """y = x / (1 - p) where the bits say so, else 0."""
    x = contiguous(x)
    y: Array = empty_beside(x, x.shape, x.dtype)
    scale = x.dtype.type(1 / (1 - probability) if probability < 1 else 0)
    arguments = (x, y, np.int64(y.size), np.uint64(mix(seed)), np.uint64(drop_threshold(probability)), scale)
    SOURCE.launch_each("dropout", y.size, arguments, {"REAL": c_type(x.dtype)})
    return y


@implements(dropout_backward, "each", IDEA, fits=floating)
def dropout_backward_each(grad_output: Array, probability: float, seed: int) -> Array:
    """The same map, on the gradient."""
    return dropout_forward_each(grad_output, probability, seed)
