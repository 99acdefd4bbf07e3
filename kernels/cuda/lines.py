"""Lines along an axis as the arguments of a kernel, in the order of lines.cuh."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.cuda.launch import Source

WARP = 32
# From which length on it pays to give a line the threads of a warp, half of which then have something to do.
LONG = WARP // 2


def line_sizes(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Return (lines, length, inner) for an axis of an array; a 0-d array is one line of one element."""
    length = shape[axis] if shape else 1
    inner = math.prod(shape[axis + 1 :])
    return math.prod(shape[:axis]) * inner, length, inner


def long_lines(shape: Sequence[int], axis: int) -> bool:
    """Whether a warp per line pays: elements lie side by side, and there are enough of them."""
    _, length, inner = line_sizes(shape, axis)
    return inner == 1 and length >= LONG


def launch_lines(
    source: Source,
    kernel: str,
    lanes: int,
    arrays: Sequence[Any],
    sizes: tuple[int, int, int],
    macros: dict[str, Any],
    *more: np.generic,
) -> None:
    """Launch a kernel whose parameters are arrays, LINES and `more`, with `lanes` threads per line."""
    arguments = (*arrays, *map(np.int64, sizes), *more)
    source.launch_each(kernel, sizes[0] * lanes, arguments, {**macros, "LANES": lanes})
