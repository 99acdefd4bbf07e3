"""What the samples of the pooling operations share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.kernels.sample import Draw


def with_holes(draw: Draw, *shape: int, value: float = np.nan) -> np.ndarray:
    """Distinct values, about a third of them replaced by `value`."""
    x = draw.distinct(*shape)
    x[draw.uniform(*shape) < 0.35] = value
    return x


def ties(draw: Draw, *shape: int) -> np.ndarray:
    """Few different values, so that most windows have several maxima."""
    return draw.integers(0, 2, *shape).astype(draw.dtype)


def scatter(grad_output: np.ndarray, indices: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Every gradient added to its flat index of the plane, by PyTorch."""
    import torch

    from tests.torch_bridge import to_torch

    batch, channels, height, width = shape
    planes = torch.zeros((batch, channels, height * width), dtype=to_torch(grad_output).dtype)
    planes.scatter_add_(2, to_torch(indices).flatten(2), to_torch(grad_output).flatten(2))
    return planes.reshape(batch, channels, height, width).numpy()
