"""The parametric rectifier as a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import check_integer
from minidnn.creation import full
from minidnn.functional.prelu import prelu
from minidnn.nn.module import Module, Parameter
from minidnn.tensor import Tensor


class PReLU(Module):
    """x where it is positive, else x times a slope that is learned, one per channel.

    Args:
        channels: C of the input (N, C, *spatial).
        slope: what all slopes begin with.

    Raises:
        ValueError: no channels.
        TypeError: channels is not an integer.
    """

    def __init__(self, channels: int, slope: float = 0.25) -> None:
        super().__init__()
        self.channels = check_integer("channels", channels, minimum=1)
        self.weight = Parameter(full((self.channels,), slope, np.float32))

    def forward(self, x: Any) -> Tensor:
        """Bend every channel at 0."""
        return prelu(x, self.weight)

    def extra_repr(self) -> str:
        """How many slopes there are."""
        return f"channels={self.channels}"
