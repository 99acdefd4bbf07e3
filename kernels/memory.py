"""Where kernels get the memory of their outputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def empty(shape: int | Sequence[int], dtype: DTypeLike) -> np.ndarray[Any, np.dtype[Any]]:
    """An uninitialised C-contiguous array of `shape` and `dtype`, as `numpy.empty` gives it."""
    return np.empty(shape, dtype)
