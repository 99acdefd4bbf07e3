"""The numbers that say what a convolution works on: Python hands them to kernels as one array of integers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from kernels.array import Shape4
from kernels.window import Window


class Geometry(NamedTuple):
    """The shapes of x and y, and how the kernel slides.

    Attributes:
        batch: images N.
        groups: groups G.
        channels: input channels C of a group.
        outputs: output channels O of a group.
        height, width: of x.
        out_height, out_width: of y.
        kernel_height, kernel_width: KH and KW.
        stride_down, stride_across: SH and SW.
        top, left: padding before the first row and column.
        dilation_down, dilation_across: DH and DW.
    """

    batch: int
    groups: int
    channels: int
    outputs: int
    height: int
    width: int
    out_height: int
    out_width: int
    kernel_height: int
    kernel_width: int
    stride_down: int
    stride_across: int
    top: int
    left: int
    dilation_down: int
    dilation_across: int


@lru_cache(maxsize=1024)
def describe(input_shape: Shape4, outputs: int, window: Window, groups: int) -> Geometry:
    """Return the geometry of a convolution from x of this shape to `outputs` channels."""
    batch, channels, height, width = input_shape
    (top, _), (left, _) = window.padding
    return Geometry(
        *(batch, groups, channels // groups, outputs // groups, height, width),
        *window.output_size((height, width)),
        *(*window.kernel, *window.stride, top, left, *window.dilation),
    )


def is_pointwise(window: Window) -> bool:
    """Whether the window sees every position by itself, so that x itself is the matrix."""
    return window.kernel == window.stride == (1, 1) and window.padding == ((0, 0), (0, 0))


def is_one_position(size: Sequence[int], window: Window, groups: int) -> bool:
    """Whether the planes are single elements that a 1x1 kernel sees once: a fully connected layer."""
    pointwise = window.kernel == (1, 1) and window.padding == ((0, 0), (0, 0))
    return pointwise and groups == 1 and tuple(size) == (1, 1)
