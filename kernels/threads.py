"""How many threads the kernels use, and the one place where work goes through BLAS.

BLAS libraries sum in an order that depends on the number of threads, so their bits do too. The
project promises the same bits on 1 or 16 threads; therefore BLAS is held to one thread here.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

import numpy as np

from kernels.array import Array, check_integer

_lock = threading.Lock()
_num_threads = os.cpu_count() or 1


def set_num_threads(number: int) -> None:
    """Set how many threads parallel kernels may use (at least 1). Results do not depend on it."""
    global _num_threads
    _num_threads = check_integer("number", number, minimum=1)


def get_num_threads() -> int:
    """Return how many threads parallel kernels may use; by default one per core."""
    return _num_threads


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def matrix_product(a: Array, b: Array) -> Array:
    """Return a @ b (broadcast over leading axes) with BLAS held to one thread.

    The limit is a setting of the whole process, so products of several Python threads take turns.
    """
    with _lock, _blas().limit(limits=1):
        result: Array = np.matmul(a, b)
        return result


def solve(a: Array, b: Array) -> Array:
    """Return x of a x = b for a square matrix a, with BLAS held to one thread as in `matrix_product`."""
    with _lock, _blas().limit(limits=1):
        result: Array = np.linalg.solve(a, b)
        return result
