"""Arrays from nothing on the GPU: one thread per element, see creation.cu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.creation import full, sequence, sequence_length
from kernels.cuda.launch import C_TYPES, Source, c_type, empty_beside
from kernels.registry import implements

SOURCE = Source(__file__, "creation.cu")
EACH = "one thread per element"


@implements(full, "each", EACH, fits=lambda shape, value, dtype, like: dtype in C_TYPES)
def full_each(shape: Sequence[int], value: complex, dtype: Any, like: Array | None = None) -> Array:
    """y[i] = value."""
    y: Array = empty_beside(like, shape, dtype)
    element = np.asarray(value).astype(dtype)[()]
    SOURCE.launch_each("fill", y.size, (y, np.int64(y.size), element), _macros(dtype, np.float64))
    return y


@implements(sequence, "each", EACH, fits=lambda start, stop, step, dtype, like: dtype in C_TYPES)
def sequence_each(start: float, stop: float, step: float, dtype: Any, like: Array | None = None) -> Array:
    """y[i] = start + i step; whole numbers in 64 bits, others in float64."""
    count = sequence_length(start, stop, step)
    y: Array = empty_beside(like, (count,), dtype)
    wide = np.result_type(np.asarray(start), np.asarray(step), np.int64).type
    arguments = (y, np.int64(count), wide(start), wide(step))
    SOURCE.launch_each("count_up", count, arguments, _macros(dtype, wide))
    return y


def _macros(dtype: Any, wide: Any) -> dict[str, Any]:
    return {"ELEMENT": c_type(dtype), "WIDE": c_type(wide)}
