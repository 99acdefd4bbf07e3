"""Dropout in Numba: every element draws its bits by itself, many at a time in vector registers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.cpu.vector_math import like
from kernels.dropout import dropout_backward, dropout_forward
from kernels.memory import empty
from kernels.random_bits import DRAWN_BITS, STEP, drop_threshold, mix
from kernels.registry import implements

IDEA = "the counter-based bits drawn in vector registers"
STEP_64 = np.uint64(STEP)
MULTIPLIER_1, MULTIPLIER_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
SHIFT_1, SHIFT_2, SHIFT_3, UNDRAWN = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(64 - DRAWN_BITS)


@parallel
def _drop(task: int, tasks: int, y: Any, x: Any, mixed_seed: Any, threshold: Any, scale: Any) -> None:
    """`random_bits` and the choice, for the elements of one share; the counter is the index plus 1."""
    first, last = x.size * task // tasks, x.size * (task + 1) // tasks
    x, y = x[first:last], y[first:last]
    state = mixed_seed + np.uint64(first) * STEP_64
    zero = like(scale, 0)
    for i in range(x.size):
        z = state + np.uint64(i + 1) * STEP_64
        z = (z ^ (z >> SHIFT_1)) * MULTIPLIER_1
        z = (z ^ (z >> SHIFT_2)) * MULTIPLIER_2
        z = z ^ (z >> SHIFT_3)
        y[i] = x[i] * scale if z >> UNDRAWN >= threshold else zero


def _run(x: Array, probability: float, seed: int) -> Array:
    y = empty(x.shape, x.dtype)
    scale = x.dtype.type(1 / (1 - probability) if probability < 1 else 0)
    threshold = np.uint64(drop_threshold(probability))
    flat = contiguous(x).reshape(-1)
    _drop(tasks_for(x.size), y.reshape(-1), flat, np.uint64(mix(seed)), threshold, scale)
    return y


@implements(dropout_forward, "vectorized", IDEA, fits=floating, compiled=True)
def dropout_forward_vectorized(x: Array, probability: float, seed: int) -> Array:
    """y = x / (1 - p) where the bits say so, else 0."""
    return _run(x, probability, seed)


@implements(dropout_backward, "vectorized", IDEA, fits=floating, compiled=True)
def dropout_backward_vectorized(grad_output: Array, probability: float, seed: int) -> Array:
    """The same map, on the gradient."""
    return _run(grad_output, probability, seed)
