"""What the convolutions share: the checks of their arguments, and where a window's elements lie.

All of them work on planes that were padded once. The window at output position (i, j) covers a patch,

    rows i * SH + p * DH, columns j * SW + q * DW        for the taps (p, q),

and tap (p, q) alone meets, over all positions, the same expression read the other way round. Both are
regular slices of the padded plane; `patch_slices` and `tap_slices` are the only places that say which.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array, check_integer, check_rank, check_shape
from kernels.window import Pair, Window


def check_window(window: Window, kernel: Sequence[int] | None = None) -> None:
    """Require a Window without ceil mode whose kernel is the weight's (KH, KW).

    Raises:
        TypeError: not a Window.
        ValueError: ceil mode, or another kernel size than the weight's.
    """
    if not isinstance(window, Window):
        raise TypeError(f"window must be a kernels.Window, got {type(window).__name__}")
    if window.ceil_mode:
        raise ValueError("window must not have ceil_mode=True: only pooling rounds its output size up")
    if kernel is not None and window.kernel != tuple(kernel):
        raise ValueError(f"window has kernel {window.kernel} but weight needs {tuple(kernel)}")


def check_planes(name: str, x: Array) -> None:
    """Require (N, C, H, W) with C, H, W >= 1; an empty batch is welcome (ValueError otherwise)."""
    check_rank(name, x, 4)
    if 0 in x.shape[1:]:
        raise ValueError(f"{name} must have positive channels, height and width, got shape {tuple(x.shape)}")


def check_weight(weight: Array, groups: int) -> None:
    """Require a non-empty weight of rank 4 whose first axis `groups` divides.

    Raises:
        ValueError: another rank, an empty axis, groups below 1, or a first axis not divisible by them.
        TypeError: groups is not an integer.
    """
    check_rank("weight", weight, 4)
    if 0 in weight.shape:
        raise ValueError(f"weight must not be empty, got shape {tuple(weight.shape)}")
    check_groups("weight", weight.shape[0], groups)


def check_groups(name: str, channels: int, groups: int) -> None:
    """Require that `groups` is a positive integer that divides the channels along `name`'s first axis."""
    if channels % check_integer("groups", groups, minimum=1):
        raise ValueError(f"groups must divide the {channels} channels of {name}, got {groups}")


def check_channels(name: str, x: Array, channels: int, weight: Array, groups: int) -> None:
    """Require the number of channels that the weight works on (ValueError otherwise)."""
    if x.shape[1] != channels:
        raise ValueError(
            f"{name} has {x.shape[1]} channels but weight {tuple(weight.shape)} with groups={groups} "
            f"needs {channels}"
        )


def check_bias(bias: Array | None, channels: int) -> None:
    """Require one bias per output channel, or None (ValueError otherwise)."""
    if bias is not None:
        check_shape("bias", bias, (channels,))


def pad_planes(x: Array, window: Window) -> Array:
    """Return x (N, C, H, W) with the window's padding of zeros around every plane."""
    if window.padding == ((0, 0), (0, 0)):
        return x
    (top, bottom), (left, right) = window.padding
    batch, channels, height, width = x.shape
    padded = np.zeros((batch, channels, top + height + bottom, left + width + right), x.dtype)
    padded[:, :, top : top + height, left : left + width] = x
    return padded


def padded_size(size: Sequence[int], window: Window) -> Pair:
    """Return the height and width of a plane of `size` (H, W) with the window's padding around it."""
    return size[0] + sum(window.padding[0]), size[1] + sum(window.padding[1])


def crop_planes(padded: Array, window: Window) -> Array:
    """Undo `pad_planes`: return the planes (N, C, H, W) without their padding."""
    (top, bottom), (left, right) = window.padding
    return padded[:, :, top : padded.shape[2] - bottom, left : padded.shape[3] - right]


def patch_slices(window: Window, i: int, j: int) -> tuple[slice, slice]:
    """Return the rows and columns of a padded plane that the window at position (i, j) covers: KH x KW."""
    rows, columns = (
        slice(position * stride, position * stride + extent, dilation)
        for position, stride, extent, dilation in zip(
            (i, j), window.stride, window.extent, window.dilation, strict=True
        )
    )
    return rows, columns


def tap_slices(window: Window, p: int, q: int, positions: Pair) -> tuple[slice, slice]:
    """Return the rows and columns that tap (p, q) meets while the window visits `positions` (OH, OW)."""
    rows, columns = (
        slice(tap * dilation, tap * dilation + (steps - 1) * stride + 1, stride)
        for tap, dilation, steps, stride in zip(
            (p, q), window.dilation, positions, window.stride, strict=True
        )
    )
    return rows, columns
