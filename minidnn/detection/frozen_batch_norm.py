"""Batch norm that no longer learns: what detectors, whose batches are one or two images, keep of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import check_integer, check_number
from minidnn import nn
from minidnn.tensor import Tensor, as_tensor


class FrozenBatchNorm2d(nn.Module):
    """Normalises each channel by fixed statistics, in training too; all four vectors are buffers.

        y = x * scale[c] + shift[c],   scale = weight / sqrt(running_var + eps),
                                       shift = bias - running_mean * scale

    A batch of two images would give poor statistics, so those of the pretraining stay.

    Args:
        num_features: channels C.
        eps: added to the variance under the root; 0 is allowed.

    Shapes: (N, C, H, W) -> the same.

    Raises:
        ValueError: num_features below 1, a negative eps, or on call another rank or another C.
        TypeError: num_features is not an integer, or eps not a number.

    Source: He et al., "Deep residual learning for image recognition", 2015, appendix A.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_features = check_integer("num_features", num_features, minimum=1)
        self.eps = check_number("eps", eps, minimum=0)
        for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            self.register_buffer(name, Tensor(np.full(num_features, value, np.float32)))

    def forward(self, x: Any) -> Tensor:
        """Return x, scaled and shifted."""
        x = as_tensor(x)
        if x.ndim != 4 or x.shape[1] != self.num_features:
            raise ValueError(f"x must have shape (N, {self.num_features}, H, W), got {x.shape}")
        scale = self.weight.data / np.sqrt(self.running_var.data + self.eps)  # (C,)
        shift = self.bias.data - self.running_mean.data * scale
        y: Tensor = x * scale[:, None, None] + shift[:, None, None]
        return y

    def extra_repr(self) -> str:
        """The channels and eps."""
        return f"{self.num_features}, eps={self.eps}"


def freeze_batch_norms(model: nn.Module, eps: float | None = None) -> None:
    """Replace every `BatchNorm2d` below `model` by a `FrozenBatchNorm2d` with its values.

    Args:
        model: changed in place; each batch norm must have weight, bias and running statistics.
        eps: of the frozen ones; None keeps each one's own.

    Raises:
        ValueError: a batch norm that lacks one of them.
    """
    for path, module in list(model.named_modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, _frozen(child, eps, f"{path}.{name}" if path else name))


def _frozen(layer: nn.BatchNorm2d, eps: float | None, path: str) -> FrozenBatchNorm2d:
    frozen = FrozenBatchNorm2d(layer.num_features, layer.eps if eps is None else eps)
    for name, buffer in frozen.named_buffers():
        value = getattr(layer, name)
        if value is None:
            raise ValueError(f"model must have batch norms with a {name}, got {path} without")
        buffer.data = value.data.copy()
    return frozen
