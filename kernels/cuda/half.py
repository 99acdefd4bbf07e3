"""Half precision: elements that are kept in two bytes and computed in four, see half.cuh."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import FLOATING, HALF
from kernels.cuda.launch import c_type


def floating_or_half(x: Any, *others: Any) -> bool:
    """Whether the kernels have the array's dtype, as it is or computed in float32; for `fits`."""
    return x.dtype in FLOATING or x.dtype == HALF


def sum_type(dtype: Any) -> Any:
    """Return the dtype that elements of a dtype are summed in: float32 for halves."""
    return np.dtype(np.float32) if dtype == HALF else dtype


def storage_macros(dtype: Any) -> dict[str, str | int]:
    """Return the macros STORED, REAL and HALF for elements of a dtype."""
    half = dtype == HALF
    return {
        "STORED": "__half" if half else c_type(dtype),
        "REAL": c_type(sum_type(dtype)),
        "HALF": int(half),
    }
