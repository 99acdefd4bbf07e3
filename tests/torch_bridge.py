"""PyTorch as the oracle: NumPy in, NumPy out, with gradients. Import it only where torch is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch


def to_torch(array: np.ndarray) -> torch.Tensor:
    """A tensor with its own memory (stride-0 and read-only arrays included)."""
    return torch.from_numpy(np.array(array, order="C", copy=True))


def gradients(
    function: Callable[..., torch.Tensor], inputs: Sequence[np.ndarray | None], grad_output: np.ndarray
) -> tuple[np.ndarray | None, ...]:
    """The gradient of function(*inputs) in direction `grad_output` for each floating input, else None."""
    tensors: list[Any] = [None if array is None else to_torch(array) for array in inputs]
    for tensor in tensors:
        if tensor is not None and tensor.is_floating_point():
            tensor.requires_grad_()
    output = function(*tensors)
    output.backward(to_torch(grad_output))
    return tuple(None if t is None or t.grad is None else t.grad.numpy() for t in tensors)


def hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    """By its definition, since the backward of PyTorch's own knows 1 / 6 in float32 only."""
    return torch.nn.functional.relu6(x + 3) / 6


class Hardsigmoid(torch.nn.Module):
    """The module of `hardsigmoid`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return hardsigmoid(x)
