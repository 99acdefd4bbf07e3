"""Pooling layers, arguments as in torch.nn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernels.window import pair
from minidnn.functional.pooling import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    max_pool2d,
    max_unpool2d,
)
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class MaxPool2d(Module):
    """The maximum of every window: see `minidnn.functional.max_pool2d`.

    Args:
        kernel_size: taps, an int or (height, width).
        stride: step; kernel_size if not given.
        padding: elements that count as -inf on every side; at most half the kernel.
        dilation: distance between taps.
        return_indices: also return where each maximum stands, for `MaxUnpool2d`.
        ceil_mode: also count a last window that overhangs the end but starts inside.

    Shapes: (N, C, H, W) -> (N, C, OH, OW), or without N.
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: Any = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Tensor | tuple[Tensor, Tensor]:
        """Return the maxima, and their indices if asked for."""
        return max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        """The window."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean of every window: see `minidnn.functional.avg_pool2d`.

    Args:
        kernel_size: taps, an int or (height, width).
        stride: step; kernel_size if not given.
        padding: elements that count as 0 on every side; at most half the kernel.
        ceil_mode: also count a last window that overhangs the end but starts inside.
        count_include_pad: whether the divisor counts the taps in the padding.
        divisor_override: the divisor of every window, instead of its number of taps.

    Shapes: (N, C, H, W) -> (N, C, OH, OW), or without N.
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Any) -> Tensor:
        """Return the means."""
        return avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The mean of every bin of a grid: see `minidnn.functional.adaptive_avg_pool2d`.

    Args:
        output_size: bins, an int or (height, width); None stands for the input's size.

    Shapes: (N, C, H, W) -> (N, C, OH, OW), or without N.
    """

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Tensor:
        """Return the means."""
        return adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        """The grid."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """The maximum of every bin of a grid: see `minidnn.functional.adaptive_max_pool2d`.

    Args:
        output_size: bins, an int or (height, width); None stands for the input's size.
        return_indices: also return where each maximum stands.

    Shapes: (N, C, H, W) -> (N, C, OH, OW), or without N.
    """

    def __init__(self, output_size: int | Sequence[int | None], return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, x: Any) -> Tensor | tuple[Tensor, Tensor]:
        """Return the maxima, and their indices if asked for."""
        return adaptive_max_pool2d(x, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """The grid."""
        return f"output_size={self.output_size}"


class MaxUnpool2d(Module):
    """Maxima put back in their places, zeros elsewhere: see `minidnn.functional.max_unpool2d`.

    Args:
        kernel_size: taps of the pooling that is undone, an int or (height, width).
        stride: its step; kernel_size if not given.
        padding: its padding.

    Shapes: (N, C, OH, OW) and int64 indices of the same shape -> (N, C, H, W), or without N.
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = pair("kernel_size", kernel_size, minimum=1)
        self.stride = self.kernel_size if stride is None else pair("stride", stride, minimum=1)
        self.padding = pair("padding", padding, minimum=0)

    def forward(self, x: Any, indices: Any, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the planes; `output_size` (H, W) decides where several sizes pool to x's."""
        return max_unpool2d(x, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
