"""Random changes to whole batches in the training step, drawn from `minidnn.random`.

What workers do to each image ahead of the step is in `transforms`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.array import check_integer
from minidnn.functional.padding import pad
from minidnn.random import generator
from minidnn.tensor import Tensor


@dataclass(frozen=True)
class RandomShift:
    """Moves every image of a batch by its own random offset; what moves in is zero.

    Args:
        pixels: offsets are drawn uniformly from [-pixels, pixels], for rows and columns.

    Shapes: images (N, C, H, W); the result's too.

    Raises:
        TypeError, ValueError: `pixels` is no integer or negative.
    """

    pixels: int = 2

    def __post_init__(self) -> None:
        check_integer("pixels", self.pixels, minimum=0)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the shifted images."""
        count, _, height, width = images.shape
        margin = self.pixels
        offsets = generator().integers(0, 2 * margin + 1, (2, count, 1))  # (row or column, N, 1)
        padded = pad(images, (margin,) * 4)
        items = np.arange(count)[:, None, None]  # (N, 1, 1)
        rows = (offsets[0] + np.arange(height))[:, :, None]  # (N, H, 1)
        columns = (offsets[1] + np.arange(width))[:, None, :]  # (N, 1, W)
        shifted = padded[items, :, rows, columns]  # (N, H, W, C)
        return shifted.permute(0, 3, 1, 2).contiguous()
