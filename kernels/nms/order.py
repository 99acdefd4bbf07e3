"""The order in which non-maximum suppression visits boxes."""

from __future__ import annotations

import numpy as np

from kernels.array import Array


def descending(scores: Array) -> Array:
    """Return the indices (K,) of `scores`, the highest first, NaN before all, of equal ones the lower index.

    NumPy sorts upwards with NaN at the end, equals in their order; read backwards, that is what is wanted
    but for the equals, which were therefore turned round before.
    """
    order: Array = len(scores) - 1 - np.argsort(scores[::-1], kind="stable")[::-1]
    return order
