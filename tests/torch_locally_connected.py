"""A locally connected layer in PyTorch, which has none: a fully connected layer on every unfolded patch.

Import it only where torch is installed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def locally_connected2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> torch.Tensor:
    """x (N, C, H, W) or (C, H, W), weight (OH, OW, O, C, KH, KW), bias (O, OH, OW); padding as nn.Unfold's
    or ((top, bottom), (left, right))."""
    if x.ndim == 3:
        return locally_connected2d(x[None], weight, bias, stride, padding, dilation)[0]
    height, width, outputs = weight.shape[:3]
    if isinstance(padding, tuple | list) and isinstance(padding[0], tuple | list):
        (top, bottom), (left, right) = padding
        x, padding = nn.functional.pad(x, (left, right, top, bottom)), 0
    unfold = nn.Unfold(tuple(weight.shape[4:]), dilation, padding, stride)
    patches = unfold(x)  # (N, C*KH*KW, OH*OW)
    y = torch.einsum("nkp,pok->nop", patches, weight.reshape(height * width, outputs, -1))
    y = y.reshape(len(x), outputs, height, width)
    return y if bias is None else y + bias


class LocallyConnected2d(nn.Module):
    """The same with parameters; `input_size` says for how many positions."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: Any,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        size = input_size if isinstance(input_size, tuple) else (input_size, input_size)
        probe = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
        positions = tuple(probe(torch.zeros(1, 1, *size)).shape[2:])
        self.settings = (stride, padding, dilation)
        self.weight = nn.Parameter(torch.randn(*positions, out_channels, in_channels, *kernel))
        self.bias = nn.Parameter(torch.randn(out_channels, *positions)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return locally_connected2d(x, self.weight, self.bias, *self.settings)
