"""Dropout in NumPy: element by element in loops, and the whole mask at once.

Forward and backward are the same linear map, x -> mask * x / (1 - p), so each pair shares its text.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.dropout import dropout_backward, dropout_forward
from kernels.random_bits import DRAWN_BITS, drop_threshold, random_bits, random_bits_array
from kernels.registry import implements


@implements(dropout_forward, "loops", "the definition: every element draws its bits")
def dropout_forward_loops(x: Array, probability: float, seed: int) -> Array:
    """y[i] = 0 where the top 24 bits fall below p 2^24, else x[i] / (1 - p)."""
    y, scale, threshold = np.zeros(x.shape, x.dtype), _scale(x, probability), drop_threshold(probability)
    for index, position in enumerate(np.ndindex(x.shape)):
        if random_bits(seed, index) >> (64 - DRAWN_BITS) >= threshold:
            y[position] = x[position] * scale
    return y


@implements(dropout_backward, "loops", "the definition: kept elements hand their gradient back, scaled")
def dropout_backward_loops(grad_output: Array, probability: float, seed: int) -> Array:
    """The same map, on the gradient."""
    return dropout_forward_loops(grad_output, probability, seed)


@implements(dropout_forward, "vectorized", "all bits in one array, one selection")
def dropout_forward_vectorized(x: Array, probability: float, seed: int) -> Array:
    """The same mask for the whole array."""
    top = random_bits_array(seed, x.size) >> np.uint64(64 - DRAWN_BITS)
    keep = (top >= np.uint64(drop_threshold(probability))).reshape(x.shape)
    y = np.zeros(x.shape, x.dtype)
    np.multiply(x, _scale(x, probability), out=y, where=keep)
    return y


@implements(dropout_backward, "vectorized", "all bits in one array, one selection")
def dropout_backward_vectorized(grad_output: Array, probability: float, seed: int) -> Array:
    """The same map, on the gradient."""
    return dropout_forward_vectorized(grad_output, probability, seed)


def _scale(x: Array, probability: float) -> Any:
    """1 / (1 - p) in x's dtype; with p = 1 nothing is kept and the scale does not matter."""
    return x.dtype.type(1 / (1 - probability) if probability < 1 else 0)
