"""How large the tiles of a product are, see tiles.cuh."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kernels.cuda.half import storage_macros
from kernels.cuda.launch import array_module

THREADS = 256
SIDE = 16  # a block's threads are a square of so many
ENOUGH_BLOCKS = 160  # as many keep a large GPU busy


def has_tensor_header(array: Any) -> bool:
    """Whether the compiler of an array's kernels has mma.h: the emulator brings it, CuPy needs a toolkit."""
    module = array_module(array)
    if module.__name__ != "cupy":
        return True
    toolkit = module.cuda.get_cuda_path()
    return toolkit is not None and (Path(toolkit) / "include" / "mma.h").exists()


class Tiling(NamedTuple):
    """How many rows and columns of the product a thread has.

    Attributes:
        rows, columns: 4 or 8.
    """

    rows: int
    columns: int

    def blocks(self, rows: int, columns: int) -> int:
        """Return how many blocks a product of this size takes."""
        return -(-rows // (self.rows * SIDE)) * -(-columns // (self.columns * SIDE))

    def macros(self, stored: Any, *, tensor_cores: bool = False) -> dict[str, str | int]:
        """Return what the header wants to know, for elements of a dtype."""
        return {
            **storage_macros(stored),
            "TENSOR_CORES": int(tensor_cores),
            "ROWS_EACH": self.rows,
            "COLUMNS_EACH": self.columns,
        }


LARGE, WIDE, SMALL = Tiling(8, 8), Tiling(4, 8), Tiling(4, 4)


def choose_tiling(rows: int, columns: int, real: Any, largest: Tiling = LARGE) -> Tiling:
    """Return the largest tiles that make enough blocks and waste no rows; a double takes two registers."""
    if real == np.float64:
        return SMALL
    if largest == LARGE and LARGE.blocks(rows, columns) >= ENOUGH_BLOCKS and -(-rows // 64) % 2 == 0:
        return LARGE
    return WIDE if WIDE.blocks(rows, columns) >= ENOUGH_BLOCKS else SMALL
