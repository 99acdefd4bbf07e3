"""Arrays from nothing: a constant, and evenly spaced numbers.

Where an array lies decides who computes, and here there is none: `like` is one that lies where the result is
to lie, and nothing else of it counts; None means host memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, check_integer
from kernels.operands import ANYTHING, REAL_NUMBERS
from kernels.registry import dispatch

__all__ = ["full", "sequence"]


def full(shape: Sequence[int], value: complex, dtype: Any, like: Array | None = None) -> Array:
    """Return an array that holds `value` everywhere.

    Shapes: result `shape`; like any.
    Dtypes: numbers or bool, as `dtype` says.
    Edge contract: a length may be 0, and the shape may be (); the value is converted as `cast` does.

    Raises:
        ValueError: a negative length.
        TypeError: a length that is not an integer, another dtype, or a complex value for a real dtype.
    """
    wanted = np.dtype(dtype)
    if wanted not in ANYTHING:
        raise TypeError(f"dtype must be one of {', '.join(sorted(map(str, ANYTHING)))}, got {wanted}")
    if isinstance(value, complex) and wanted.kind != "c":
        raise TypeError(f"value must be real for dtype {wanted}, got {value!r}")
    sizes = tuple(check_integer("shape", length, minimum=0) for length in shape)
    return dispatch(full, sizes, value, wanted, like)


def sequence(start: float, stop: float, step: float, dtype: Any, like: Array | None = None) -> Array:
    """Return start, start + step, start + 2 step, ... up to but without `stop`.

        y[i] = start + i step,   i = 0 ... N - 1,   N = ceil((stop - start) / step)

    Shapes: result (N,), N = 0 where start is already at or beyond stop; like any.
    Dtypes: real numbers, as `dtype` says.
    Edge contract: floating values are computed in float64 and rounded once, so errors do not add up.

    Raises:
        ValueError: a step of 0, or an argument that is not finite.
        TypeError: another dtype.
    """
    wanted = np.dtype(dtype)
    if wanted not in REAL_NUMBERS:
        raise TypeError(f"dtype must be one of {', '.join(sorted(map(str, REAL_NUMBERS)))}, got {wanted}")
    for name, value in (("start", start), ("stop", stop), ("step", step)):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    if step == 0:
        raise ValueError("step must not be 0")
    return dispatch(sequence, start, stop, step, wanted, like)


def constant(value: complex, dtype: Any, like: Array) -> Array:
    """Return the 0-d array of `value` that lies where `like` does; the shortest way for host memory.

    Raises:
        OverflowError: an integer beyond the range of an integer dtype.
    """
    host = np.asarray(value, dtype)
    return host if isinstance(like, np.ndarray) else full((), host.item(), host.dtype, like)


def sequence_length(start: float, stop: float, step: float) -> int:
    """Return how many numbers `sequence` gives, exact for integers of any size."""
    if all(isinstance(value, int) for value in (start, stop, step)):
        return max(0, int(-((start - stop) // step)))
    return max(0, math.ceil((stop - start) / step))
