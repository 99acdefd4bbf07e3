"""Convolution and transposed convolution as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import check_flag, check_integer, shown
from kernels.conv_transpose2d import check_output_padding
from kernels.creation import full
from kernels.window import Pair, Window, pair
from minidnn import init
from minidnn.functional.convolution import conv2d, conv_transpose2d, convolution_window
from minidnn.functional.padding import pad
from minidnn.nn.lazy import LazyModule, UninitializedParameter, materialize
from minidnn.nn.module import Module, Parameter
from minidnn.tensor import Tensor, as_tensor

PADDING_MODES = ("zeros", "reflect", "replicate")


class _Convolution(Module):
    """What Conv2d and ConvTranspose2d share: their numbers, their parameters and how they print."""

    weight: Parameter
    bias: Parameter | None
    output_padding: Pair = (0, 0)
    padding_mode: str = "zeros"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        window: Window,
        padding: str | Pair | tuple[Pair, Pair],
        groups: int,
        bias: bool,
    ) -> None:
        super().__init__()
        self.in_channels = check_integer("in_channels", in_channels, minimum=1)
        self.out_channels = check_integer("out_channels", out_channels, minimum=1)
        self.kernel_size, self.stride, self.dilation = window.kernel, window.stride, window.dilation
        self.padding = padding
        self.groups = check_integer("groups", groups, minimum=1)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % self.groups:
                raise ValueError(f"groups must divide {name}, got groups={groups} and {name}={channels}")
        self.weight = Parameter(full(self.weight_shape(), 0, np.float32))
        self.register_parameter(
            "bias", Parameter(full((self.out_channels,), 0, np.float32)) if check_flag("bias", bias) else None
        )
        self.reset_parameters()

    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight: (out_channels, in_channels / groups, KH, KW)."""
        return self.out_channels, self.in_channels // self.groups, *self.kernel_size

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.reset_weight_and_bias_(self.weight, self.bias)

    def extra_repr(self) -> str:
        """Channels, kernel size and stride, then whatever is not the default."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0, 0):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class Conv2d(_Convolution):
    """Two-dimensional convolution (cross-correlation) with learned filters; see `functional.conv2d`.

    Shapes: input (N, in_channels, H, W) or (in_channels, H, W); output with out_channels and
        OH = floor((H + 2 PH - DH (KH - 1) - 1) / SH) + 1.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps, an integer or (KH, KW).
        stride: step of the window, an integer or (SH, SW).
        padding: an integer, (PH, PW), ((top, bottom), (left, right)), "valid" or "same".
        dilation: distance between taps, an integer or (DH, DW).
        groups: into how many groups the channels fall.
        bias: whether to add a learned bias.
        padding_mode: what stands in the padding: "zeros", "reflect" or "replicate".

    Attributes:
        weight: (out_channels, in_channels / groups, KH, KW), drawn from U(-l, l), l = 1 / sqrt(fan_in).
        bias: (out_channels,), drawn likewise, or None.

    Raises:
        ValueError: a number out of range, groups that do not divide the channels, an unknown padding or
            padding mode.
        TypeError: a number that is not an integer.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        if not isinstance(padding_mode, str) or padding_mode not in PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {shown(padding_mode)}"
            )
        window = convolution_window(kernel_size, stride, padding, dilation)
        given = padding if isinstance(padding, str) else _short_padding(window)
        super().__init__(in_channels, out_channels, window, given, groups, bias)
        self.padding_mode = padding_mode
        (top, bottom), (left, right) = window.padding
        self._sides = (left, right, top, bottom)

    def forward(self, x: Any) -> Tensor:
        """Convolve (N, in_channels, H, W) or (in_channels, H, W)."""
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = pad(x, self._sides, mode=self.padding_mode), (0, 0)
        return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class LazyConv2d(LazyModule, Conv2d):
    """A Conv2d that takes `in_channels` from the first input (or from a loaded state) and then is one."""

    becomes = Conv2d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        # Any number of channels that the groups divide does until the real one is known.
        channels = check_integer("groups", groups, minimum=1)
        super().__init__(
            channels, out_channels, kernel_size, stride, padding, dilation, groups, False, padding_mode
        )
        self.in_channels = 0
        self.weight = UninitializedParameter()
        self.bias = UninitializedParameter() if check_flag("bias", bias) else None

    def size_from_input(self, x: Any) -> int:
        """The channels of (N, C, H, W) or (C, H, W)."""
        shape = as_tensor(x).shape
        if len(shape) not in (3, 4):
            raise ValueError(f"x must have 3 or 4 dimensions, got shape {shape}")
        if shape[-3] < 1 or shape[-3] % self.groups:
            raise ValueError(
                f"groups must divide x's channels, got groups={self.groups} and x of shape {shape}"
            )
        return shape[-3]

    def size_from_weight(self, shape: Sequence[int]) -> int | None:
        """The weight holds the channels of one group."""
        return shape[1] * self.groups if len(shape) == 4 else None

    def take_size(self, size: int) -> None:
        """Set in_channels."""
        self.in_channels = size
        materialize(self.weight, self.weight_shape())
        materialize(self.bias, (self.out_channels,))


class ConvTranspose2d(_Convolution):
    """Two-dimensional transposed convolution with learned filters; see `functional.conv_transpose2d`.

    Shapes: input (N, in_channels, H, W) or (in_channels, H, W); output with out_channels and
        YH = (H - 1) SH - 2 PH + DH (KH - 1) + 1 + output_padding.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps, an integer or (KH, KW).
        stride: distance between the patches, an integer or (SH, SW).
        padding: rows and columns cut off the result: an integer, (PH, PW) or ((top, bottom), (left, right)).
        output_padding: rows and columns added at the end, each below the stride or the dilation.
        groups: into how many groups the channels fall.
        bias: whether to add a learned bias.
        dilation: distance between taps, an integer or (DH, DW).
        padding_mode: "zeros", the only one that has a meaning here.

    Attributes:
        weight: (in_channels, out_channels / groups, KH, KW), drawn from U(-l, l), l = 1 / sqrt(fan_in) with
            PyTorch's fan_in, out_channels / groups KH KW.
        bias: (out_channels,), drawn likewise, or None.

    Raises:
        ValueError: a number out of range, groups that do not divide the channels, another padding mode.
        TypeError: a number that is not an integer.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
    ) -> None:
        if not isinstance(padding_mode, str) or padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros' for ConvTranspose2d, got {shown(padding_mode)}")
        window = Window.of(kernel_size, stride, padding, dilation)
        super().__init__(in_channels, out_channels, window, _short_padding(window), groups, bias)
        self.output_padding = check_output_padding(pair("output_padding", output_padding), window)
        self._window = window

    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight: (in_channels, out_channels / groups, KH, KW)."""
        return self.in_channels, self.out_channels // self.groups, *self.kernel_size

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> Tensor:
        """Spread (N, in_channels, H, W) or (in_channels, H, W).

        Args:
            x: the input.
            output_size: the result's (H, W) or its whole shape, in place of `output_padding`.

        Raises:
            ValueError: a size that no output padding below the stride leads to.
        """
        x = as_tensor(x)
        extra = self.output_padding if output_size is None else self._padding_for(x.shape, output_size)
        return conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _padding_for(self, shape: Sequence[int], output_size: Sequence[int]) -> Pair:
        """The output padding that leads to `output_size`."""
        if len(output_size) not in (2, len(shape)):
            raise ValueError(
                f"output_size must be (height, width) or have {len(shape)} elements like x, "
                f"got {tuple(output_size)}"
            )
        wanted = pair("output_size", tuple(output_size[-2:]))
        least = self._window.transposed_output_size(shape[-2:])
        most = (least[0] + self.stride[0] - 1, least[1] + self.stride[1] - 1)
        if not (least[0] <= wanted[0] <= most[0] and least[1] <= wanted[1] <= most[1]):
            raise ValueError(
                f"output_size must be from {least} to {most} for x of shape {tuple(shape)}, got {wanted}"
            )
        return wanted[0] - least[0], wanted[1] - least[1]


def _short_padding(window: Window) -> Pair | tuple[Pair, Pair]:
    """Return (PH, PW), PyTorch's form, where the window's padding is symmetric."""
    (top, bottom), (left, right) = window.padding
    return (top, left) if (top, left) == (bottom, right) else window.padding
