"""What Winograd's convolutions are judged by, on the CPU and on the GPU: their stated error bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

import kernels
from kernels import Window
from kernels.conv2d import conv2d_forward

# |error| <= e sqrt(9 C) eps max |y| for the width m of a tile.
ERRORS = {2: 0.5, 4: 2.0}
TILES = sorted(ERRORS)


def bound(m: int, channels: int, dtype: Any) -> float:
    """The stated bound of the relative error; the truth's own error in float64 is half of F(2x2, 3x3)'s."""
    factor = max(ERRORS[m], 2.0) if dtype == np.float64 else ERRORS[m]
    return float(factor * np.sqrt(9 * channels) * np.finfo(dtype).eps)


def truth(x: np.ndarray, weight: np.ndarray, window: Window, groups: int = 1) -> np.ndarray:
    with kernels.use(backend="reference", conv2d_forward="im2col"):
        return conv2d_forward(x.astype(np.float64), weight.astype(np.float64), None, window, groups)


def relative_error(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.abs(got - want).max() / np.abs(want).max())
