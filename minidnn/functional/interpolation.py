"""Resizing as a function."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kernels.array import Array, check_flag, check_number, shown
from kernels.interpolation import (
    Scales,
    interpolate_bilinear_backward,
    interpolate_bilinear_forward,
    interpolate_nearest_backward,
    interpolate_nearest_forward,
)
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor

# The ranks of x that a mode takes.
RANKS = {"nearest": (3, 4, 5), "bilinear": (4,)}


class InterpolateNearest(Function):
    """y[o] = x[floor(o step)]; every x sums the gradients of its copies."""

    input_size: tuple[int, ...]

    def __init__(self, size: Sequence[int], scale_factors: Scales) -> None:
        self.size = size
        self.scale_factors = scale_factors

    def forward(self, x: Array) -> Array:
        """Resize (N, C, *spatial)."""
        self.input_size = x.shape[2:]
        return interpolate_nearest_forward(x, self.size, self.scale_factors)

    def backward(self, grad_output: Array) -> Array:
        """Sum over the copies."""
        return interpolate_nearest_backward(grad_output, self.input_size, self.scale_factors)


class InterpolateBilinear(Function):
    """y = a weighted mean of 2 x 2 neighbours; every x sums the gradients it had a weight in, times it."""

    input_size: tuple[int, ...]

    def __init__(self, size: Sequence[int], align_corners: bool, scale_factors: Scales) -> None:
        self.size = size
        self.align_corners = align_corners
        self.scale_factors = scale_factors

    def forward(self, x: Array) -> Array:
        """Resize (N, C, H, W)."""
        self.input_size = x.shape[2:]
        return interpolate_bilinear_forward(x, self.size, self.align_corners, self.scale_factors)

    def backward(self, grad_output: Array) -> Array:
        """Apply the transposed map."""
        return interpolate_bilinear_backward(
            grad_output, self.input_size, self.align_corners, self.scale_factors
        )


def interpolate(
    x: Any,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Resize the spatial axes of x to `size`, or to floor(size * scale_factor).

    Output o looks at the input coordinate o * step (nearest, rounded down) or (o + 1/2) step - 1/2
    (bilinear), where step is 1 / scale_factor, or input size / output size if `size` is given.

    Shapes: x (N, C, L), (N, C, H, W) or (N, C, D, H, W) for "nearest", (N, C, H, W) for "bilinear".
    Dtypes: float32 or float64.

    Args:
        x: the input.
        size: output size, one number for all spatial axes or one for each.
        scale_factor: output size per input size, likewise; exactly one of the two must be given.
        mode: "nearest" or "bilinear".
        align_corners: bilinear only: map the first and last input to the first and last output, so that
            step is (input size - 1) / (output size - 1) and no half is added.
        recompute_scale_factor: use scale_factor for the output size only, and the ratio of the sizes as step.

    Raises:
        ValueError: an unknown mode, a rank it does not take, both or neither of size and scale_factor, not
            one per spatial axis, an output of length 0, align_corners with "nearest", or
            recompute_scale_factor with size.
        TypeError: a size that is not an integer, or another dtype.
    """
    tensor = as_tensor(x)
    _check_mode(mode, align_corners, tensor.shape)
    spatial = tensor.shape[2:]
    recompute = recompute_scale_factor is not None and check_flag(
        "recompute_scale_factor", recompute_scale_factor
    )
    target, scales = _target(spatial, size, scale_factor, recompute)
    if mode == "nearest":
        return apply(InterpolateNearest(target, scales), tensor)
    return apply(InterpolateBilinear(target, bool(align_corners), scales), tensor)


def _check_mode(mode: str, align_corners: bool | None, shape: Sequence[int]) -> None:
    if not isinstance(mode, str) or mode not in RANKS:
        raise ValueError(f"mode must be one of {', '.join(RANKS)}, got {shown(mode)}")
    if len(shape) not in RANKS[mode]:
        ranks = " or ".join(map(str, RANKS[mode]))
        raise ValueError(f"x must have {ranks} dimensions in mode {mode}, got shape {tuple(shape)}")
    if align_corners is not None:
        check_flag("align_corners", align_corners)
    if mode == "nearest" and align_corners is not None:
        raise ValueError(f"align_corners must be None in mode nearest, got {shown(align_corners)}")


def _target(
    spatial: Sequence[int], size: Any, scale_factor: Any, recompute: bool
) -> tuple[tuple[int, ...], Scales]:
    """The output size, and the scale factors that determine the step (None: the ratio of the sizes)."""
    if (size is None) == (scale_factor is None):
        given = "neither" if size is None else "both"
        raise ValueError(f"exactly one of size and scale_factor must be given, got {given}")
    by_size = (None,) * len(spatial)
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor must not be True when size is given")
        return _per_axis("size", size, len(spatial)), by_size
    scales = _per_axis("scale_factor", scale_factor, len(spatial))
    lengths = []
    for length, scale in zip(spatial, scales, strict=True):
        lengths.append(math.floor(length * check_number("scale_factor", scale)))
        if lengths[-1] < 1:
            raise ValueError(f"scale_factor must leave at least 1 element, got {scale} for length {length}")
    return tuple(lengths), by_size if recompute else scales


def _per_axis(name: str, value: Any, axes: int) -> tuple[Any, ...]:
    """One entry per spatial axis: a single number stands for all."""
    if not isinstance(value, Sequence):
        return (value,) * axes
    if len(value) != axes:
        raise ValueError(
            f"{name} must be a number or {axes} of them, one per spatial axis, got {tuple(value)}"
        )
    return tuple(value)
