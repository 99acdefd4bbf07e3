"""The locally connected layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.array import check_flag, check_integer
from kernels.creation import full
from kernels.window import Window, pair
from minidnn import init
from minidnn.functional.locally_connected import locally_connected2d
from minidnn.nn.module import Module, Parameter
from minidnn.tensor import Tensor


class LocallyConnected2d(Module):
    """A convolution without weight sharing; see `functional.locally_connected2d`.

    Shapes: input (N, in_channels, H, W) or (in_channels, H, W) with (H, W) = input_size; output with
        out_channels and OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        input_size: the planes' size, an integer or (H, W): it says how many positions have filters.
        kernel_size: taps, an integer or (KH, KW).
        stride: step of the window, an integer or (SH, SW).
        padding: an integer, (PH, PW) or ((top, bottom), (left, right)).
        dilation: distance between taps, an integer or (DH, DW).
        bias: whether to add a learned bias to every output element.

    Attributes:
        weight: (OH, OW, out_channels, in_channels, KH, KW), drawn from U(-l, l), l = 1 / sqrt(fan_in)
            with the convolution's fan_in, in_channels KH KW.
        bias: (out_channels, OH, OW), drawn likewise, or None.

    Raises:
        ValueError: a number out of range, or padded planes smaller than the window.
        TypeError: a number that is not an integer.
    """

    bias: Parameter | None

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
        self.in_channels = check_integer("in_channels", in_channels, minimum=1)
        self.out_channels = check_integer("out_channels", out_channels, minimum=1)
        self.input_size = pair("input_size", input_size, minimum=1)
        self.window = Window.of(kernel_size, stride, padding, dilation)
        positions = self.window.output_size(self.input_size)
        filters = (self.out_channels, self.in_channels, *self.window.kernel)
        self.weight = Parameter(full((*positions, *filters), 0, np.float32))
        offsets = (
            Parameter(full((self.out_channels, *positions), 0, np.float32))
            if check_flag("bias", bias)
            else None
        )
        self.register_parameter("bias", offsets)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        limit = 1 / math.sqrt(math.prod(self.weight.shape[3:]))
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                init.uniform_(parameter, -limit, limit)

    def forward(self, x: Any) -> Tensor:
        """Apply every position's filters to (N, in_channels, H, W) or (in_channels, H, W)."""
        window = self.window
        return locally_connected2d(x, self.weight, self.bias, window.stride, window.padding, window.dilation)

    def extra_repr(self) -> str:
        """Channels, sizes and stride, then whatever is not the default."""
        window = self.window
        text = (
            f"{self.in_channels}, {self.out_channels}, input_size={self.input_size}, "
            f"kernel_size={window.kernel}, stride={window.stride}"
        )
        if window.padding != ((0, 0), (0, 0)):
            text += f", padding={window.padding}"
        if window.dilation != (1, 1):
            text += f", dilation={window.dilation}"
        return text if self.bias is not None else f"{text}, bias=False"
