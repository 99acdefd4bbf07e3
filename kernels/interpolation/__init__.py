"""Resizing by nearest neighbour and bilinear interpolation: the contracts of their forward and backward pass.

Along an axis of I inputs and O outputs, output o looks at the input coordinate

    nearest                      floor(o step)
    bilinear, corners aligned    o (I - 1) / (O - 1)                 (0 for O = 1)
    bilinear, otherwise          max((o + 1/2) step - 1/2, 0)

where step is 1 / scale factor if one is given for the axis, else I / O. With I = O every output looks at its
own position, whatever the scale factor; kernels/interpolation/coordinates.py has the exact arithmetic.

Source: PyTorch's torch.nn.functional.interpolate, whose index arithmetic this follows (aten/src/ATen/native,
UpSample.h); bilinear interpolation: Gonzalez and Woods, "Digital Image Processing", section 2.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_integer, check_number, check_rank, shown
from kernels.registry import dispatch

__all__ = [
    "interpolate_bilinear_backward",
    "interpolate_bilinear_forward",
    "interpolate_nearest_backward",
    "interpolate_nearest_forward",
]

Scales = Sequence[float | None]


def interpolate_nearest_forward(x: Array, size: Sequence[int], scale_factors: Scales) -> Array:
    """Return x resized to `size`, each output a copy of the input at floor(o step).

    Shapes: x (N, C, *spatial) of 3, 4 or 5 dimensions; size and scale_factors (a number or None) hold one
        entry per spatial axis; result (N, C, *size).
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: o step is rounded to float32 at every operation, in every dtype, as PyTorch's float32 does;
        O = 2 I is the exact o // 2, and I = O the exact o. N may be 0, all other sizes are at least 1.

    Raises:
        ValueError: a rank other than above, an axis but N of length 0, sizes or scale factors of another
            number than the spatial axes, a size below 1, or a scale factor not above 0.
        TypeError: another dtype, or a size that is not an integer.
    """
    check_floating(analytic=True, x=x)
    check_rank("x", x, 3, 4, 5)
    _check_resize(x.shape, size, scale_factors)
    return dispatch(interpolate_nearest_forward, x, size, scale_factors)


def interpolate_nearest_backward(
    grad_output: Array, input_size: Sequence[int], scale_factors: Scales
) -> Array:
    """Return the gradient with respect to x: each input sums the gradients of its copies.

    Shapes: grad_output (N, C, *size); input_size holds x's spatial sizes; result (N, C, *input_size).
    Dtypes: as `interpolate_nearest_forward`.
    Edge contract: as `interpolate_nearest_forward`; an input without a copy gets 0.

    Raises:
        ValueError, TypeError: as `interpolate_nearest_forward`.
    """
    check_floating(analytic=True, grad_output=grad_output)
    check_rank("grad_output", grad_output, 3, 4, 5)
    _check_resize_backward(grad_output, input_size, scale_factors)
    return dispatch(interpolate_nearest_backward, grad_output, input_size, scale_factors)


def interpolate_bilinear_forward(
    x: Array, size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """Return x resized to `size`, each output a weighted mean of 2 x 2 inputs.

        y[i, j] = (1 - a) ((1 - b) x[top, left]    + b x[top, right])
                     + a  ((1 - b) x[bottom, left] + b x[bottom, right])

    where (h, w) is the coordinate that output (i, j) looks at, top = floor(h), a = h - top,
    bottom = min(top + 1, H - 1), and left, b and right likewise.

    Shapes: x (N, C, H, W); size (OH, OW) and scale_factors (each a number or None); result (N, C, OH, OW).
    Dtypes: float32, float64 or complex128; the result's too. Coordinates and weights are computed in float64.
    Edge contract: beyond the last input its edge is repeated. With corners aligned the scale factors do not
        matter. N may be 0, all other sizes are at least 1.

    Raises:
        ValueError, TypeError: as `interpolate_nearest_forward`, for 4 dimensions.
    """
    check_floating(analytic=True, x=x)
    check_rank("x", x, 4)
    _check_resize(x.shape, size, scale_factors)
    _check_align_corners(align_corners)
    return dispatch(interpolate_bilinear_forward, x, size, align_corners, scale_factors)


def interpolate_bilinear_backward(
    grad_output: Array, input_size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """Return the gradient with respect to x: each input sums the gradients it had a weight in, times it.

    Shapes: grad_output (N, C, OH, OW); input_size (H, W); result (N, C, H, W).
    Dtypes: as `interpolate_bilinear_forward`.
    Edge contract: as `interpolate_bilinear_forward`; an input without a weight gets 0.

    Raises:
        ValueError, TypeError: as `interpolate_bilinear_forward`.
    """
    check_floating(analytic=True, grad_output=grad_output)
    check_rank("grad_output", grad_output, 4)
    _check_resize_backward(grad_output, input_size, scale_factors)
    _check_align_corners(align_corners)
    return dispatch(interpolate_bilinear_backward, grad_output, input_size, align_corners, scale_factors)


def _check_resize(shape: Sequence[int], size: Sequence[int], scale_factors: Scales) -> None:
    if 0 in shape[1:]:
        raise ValueError(f"x may be empty in its first axis only, got shape {tuple(shape)}")
    _check_sizes("size", size, len(shape) - 2)
    _check_scales(scale_factors, len(shape) - 2)


def _check_resize_backward(grad_output: Array, input_size: Sequence[int], scale_factors: Scales) -> None:
    if 0 in grad_output.shape[1:]:
        raise ValueError(f"grad_output may be empty in its first axis only, got shape {grad_output.shape}")
    _check_sizes("input_size", input_size, grad_output.ndim - 2)
    _check_scales(scale_factors, grad_output.ndim - 2)


def _check_sizes(name: str, sizes: Sequence[int], axes: int) -> None:
    if len(sizes) != axes:
        raise ValueError(f"{name} must hold {axes} sizes, one per spatial axis, got {tuple(sizes)}")
    for length in sizes:
        check_integer(name, length, minimum=1)


def _check_scales(scale_factors: Scales, axes: int) -> None:
    if len(scale_factors) != axes:
        raise ValueError(
            f"scale_factors must hold {axes} entries, one per spatial axis, got {tuple(scale_factors)}"
        )
    for scale in scale_factors:
        if scale is not None and check_number("scale_factors", scale) <= 0:
            raise ValueError(f"scale_factors must be above 0, got {scale}")


def _check_align_corners(align_corners: bool) -> None:
    if not isinstance(align_corners, bool):
        raise TypeError(f"align_corners must be True or False, got {shown(align_corners)}")
