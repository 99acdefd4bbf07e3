"""What Winograd's convolution is on every backend: where it fits, which tile is the better one, its gradient.

The matrices are in `cpu_winograd_matrices.py`, for the GPU written out in `winograd.cu`.
"""

from __future__ import annotations

import numpy as np

from kernels.window import Pair, Window

TAPS = 3
# float64 is asked for where every digit counts, as in gradient checks: there the direct algorithm stays.
DEFAULT_TYPES = (np.dtype(np.float32),)


def idea(m: int) -> str:
    """What F(m x m, 3x3) does differently."""
    return f"F({m}x{m}, 3x3): {9 * m * m / (m + 2) ** 2:g} times fewer multiplications"


def has_winograd(window: Window) -> bool:
    """Whether the window is one that Winograd's algorithm is written for here."""
    return window.kernel == (TAPS, TAPS) and window.stride == window.dilation == (1, 1)


def tiles(m: int, size: Pair) -> Pair:
    """Return how many m x m tiles output planes of a size have down and across; the last ones overhang."""
    return -(-size[0] // m), -(-size[1] // m)


def best_tile(size: Pair) -> int:
    """Return the m that needs fewer multiplications for output planes of a size."""
    needed = {m: tiles(m, size)[0] * tiles(m, size)[1] * (m + 2) ** 2 for m in (4, 2)}
    return min(needed, key=needed.__getitem__)


def padding_before(window: Window) -> Pair:
    """The padding above and to the left."""
    return window.padding[0][0], window.padding[1][0]


def gradient_padding_before(window: Window) -> Pair:
    """The padding above and to the left of dy, whose convolution with the filters turned round is the input's
    gradient; negative where rows or columns are skipped.
    """
    top, left = padding_before(window)
    return TAPS - 1 - top, TAPS - 1 - left
