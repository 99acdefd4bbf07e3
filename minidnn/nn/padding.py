"""Padding as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kernels.array import check_integer
from minidnn.functional.padding import pad
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class _Pad2d(Module):
    """Pads the last two axes in one mode.

    Shapes: input (N, C, H, W) or (C, H, W); output (..., H + top + bottom, W + left + right).

    Args:
        padding: an integer for all sides, or (left, right, top, bottom); negative amounts crop.

    Raises:
        ValueError: another number of amounts than 1 or 4; on call, what `minidnn.functional.pad` refuses.
        TypeError: an amount that is not an integer.
    """

    mode: ClassVar[str] = "constant"
    value: float | None = None

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = padding if isinstance(padding, Sequence) else (padding,) * 4
        if len(sides) != 4:
            raise ValueError(f"padding must be an integer or (left, right, top, bottom), got {padding!r}")
        self.padding = tuple(check_integer("padding", side) for side in sides)

    def forward(self, x: Any) -> Tensor:
        """Pad."""
        return pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """The four amounts."""
        return f"{self.padding}"


class ConstantPad2d(_Pad2d):
    """Pads the last two axes with a constant.

    Shapes: input of 2 or more dimensions; output (..., H + top + bottom, W + left + right).

    Args:
        padding: an integer for all sides, or (left, right, top, bottom); negative amounts crop.
        value: the constant.

    Raises:
        ValueError: another number of amounts than 1 or 4; on call, a crop of more than there is.
        TypeError: an amount that is not an integer.
    """

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """The four amounts and the constant."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(_Pad2d):
    """Pads the last two axes with zeros.

    Shapes: input of 2 or more dimensions; output (..., H + top + bottom, W + left + right).

    Args:
        padding: an integer for all sides, or (left, right, top, bottom); negative amounts crop.

    Raises:
        ValueError: another number of amounts than 1 or 4; on call, a crop of more than there is.
        TypeError: an amount that is not an integer.
    """


class ReflectionPad2d(_Pad2d):
    """Pads the last two axes with their mirror image, the edge not repeated.

    Shapes: input (N, C, H, W) or (C, H, W); output (..., H + top + bottom, W + left + right).

    Args:
        padding: an integer for all sides, or (left, right, top, bottom), each less than the axis it pads;
            negative amounts crop.

    Raises:
        ValueError: another number of amounts than 1 or 4; on call, an amount as large as its axis.
        TypeError: an amount that is not an integer.
    """

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """Pads the last two axes by repeating their edges.

    Shapes: input (N, C, H, W) or (C, H, W); output (..., H + top + bottom, W + left + right).

    Args:
        padding: an integer for all sides, or (left, right, top, bottom); negative amounts crop.

    Raises:
        ValueError: another number of amounts than 1 or 4; on call, a crop of all there is.
        TypeError: an amount that is not an integer.
    """

    mode = "replicate"
