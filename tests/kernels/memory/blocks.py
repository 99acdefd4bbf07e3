"""What the tests of output memory ask of arrays and of the pool."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels import memory

FLOATS = 32 * 1024  # float32 numbers: 128 KiB, above the pool's smallest
MEBIBYTE = 2**20


def address(array: np.ndarray[Any, Any]) -> int:
    return array.__array_interface__["data"][0]


def free_bytes(pool: memory.Pool) -> int:
    return sum(block.size for shelf in pool._shelves.values() for block in shelf)
