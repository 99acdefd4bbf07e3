"""What the samples of the classification losses share: shapes of scores, labels, and oracles by autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.kernels.sample import Draw

IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Scores x of a shape (C,) or (N, C, d1, ...), labels, and weights of the classes.

    `stride_zero` makes the upstream gradient a broadcast constant.
    """

    shape: tuple[int, ...]
    weighted: bool = False
    ignore_index: int = IGNORED
    reduction: str = "mean"
    stride_zero: bool = False

    @property
    def classes(self) -> int:
        return self.shape[0] if len(self.shape) == 1 else self.shape[1]

    @property
    def label_shape(self) -> tuple[int, ...]:
        return self.shape[:1] + self.shape[2:] if len(self.shape) > 1 else ()

    @property
    def labels(self) -> int:
        return int(np.prod(self.label_shape))

    def scores(self, draw: Draw) -> np.ndarray:
        return draw.normal(*self.shape) * 3

    def target(self, draw: Draw) -> np.ndarray:
        """Labels, of which about one in four is ignored; never all."""
        labels = np.asarray(draw.integers(0, self.classes, *self.label_shape))
        ignored = np.asarray(draw.integers(0, 4, *self.label_shape) == 0)
        if ignored.size and self.ignore_index == IGNORED:
            ignored.reshape(-1)[0] = False
            return np.where(ignored, IGNORED, labels)
        return labels

    def weight(self, draw: Draw) -> np.ndarray | None:
        return draw.uniform(self.classes, low=0.25, high=2) if self.weighted else None

    def grad_output(self, draw: Draw) -> np.ndarray:
        if self.stride_zero:
            return np.broadcast_to(draw.normal(), self.label_shape)
        return draw.normal(*self.label_shape) if self.reduction == "none" else draw.normal()


def value(function: Callable[..., Any], *arrays: np.ndarray | None) -> np.ndarray:
    """PyTorch's result."""
    from tests.torch_bridge import to_torch

    return function(*(None if array is None else to_torch(array) for array in arrays)).numpy()


def gradient(
    function: Callable[..., Any], grad_output: np.ndarray, arrays: Sequence[np.ndarray | None], position: int
) -> np.ndarray:
    """PyTorch's gradient with respect to one of the arguments; the others are constants."""
    from tests.torch_bridge import to_torch

    tensors = [None if array is None else to_torch(array) for array in arrays]
    wanted = tensors[position]
    assert wanted is not None
    wanted.requires_grad_()
    function(*tensors).backward(to_torch(grad_output))
    return wanted.grad.numpy()
