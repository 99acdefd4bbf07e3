"""A sliding window as the arguments of a kernel, in the order of window.cuh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.window import Window


def window_arguments(window: Window, size: Sequence[int], output_size: Sequence[int]) -> list[np.int64]:
    """Return the parameters that window.cuh calls WINDOW, for planes of `size` (H, W)."""
    (top, _), (left, _) = window.padding
    numbers = (*size, *output_size, *window.kernel, *window.stride, top, left, *window.dilation)
    return [np.int64(number) for number in numbers]
