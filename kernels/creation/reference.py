"""Constants and evenly spaced numbers in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.creation import full, sequence, sequence_length
from kernels.registry import implements


@implements(full, "loops", "one element after the other")
def full_loops(shape: Sequence[int], value: complex, dtype: Any, like: Array | None = None) -> Array:
    """y[i] = value."""
    y: Array = np.empty(tuple(shape), dtype)
    element = np.asarray(value).astype(dtype)
    for index in np.ndindex(*shape):
        y[index] = element
    return y


@implements(full, "vectorized", "NumPy fills the array")
def full_vectorized(shape: Sequence[int], value: complex, dtype: Any, like: Array | None = None) -> Array:
    """Zeros come from fresh pages of the system, which nobody needs to write."""
    if value == 0:
        return np.zeros(tuple(shape), dtype)
    return np.full(tuple(shape), np.asarray(value).astype(dtype), dtype)


@implements(sequence, "loops", "one element after the other")
def sequence_loops(start: float, stop: float, step: float, dtype: Any, like: Array | None = None) -> Array:
    """y[i] = start + i step."""
    y: Array = np.empty(sequence_length(start, stop, step), dtype)
    for i in range(len(y)):
        y[i] = start + i * step
    return y


@implements(sequence, "vectorized", "the formula on the array of all i")
def sequence_vectorized(
    start: float, stop: float, step: float, dtype: Any, like: Array | None = None
) -> Array:
    """y = start + [0, 1, ...] step."""
    return np.asarray(start + np.arange(sequence_length(start, stop, step)) * step).astype(dtype)
