"""Pooling over a sliding window: the contracts of maximum and average, forward and backward.

Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998, section II-B
(average, "sub-sampling"); Scherer et al., "Evaluation of pooling operations in convolutional
architectures for object recognition", 2010, section 3.2 (maximum). Edges as torch.nn.functional.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_integer, check_shape, input_shape4
from kernels.pooling import check_plane_indices, check_planes
from kernels.registry import dispatch
from kernels.window import Window

__all__ = [
    "average_pool2d_backward",
    "average_pool2d_forward",
    "max_pool2d_backward",
    "max_pool2d_forward",
]


def max_pool2d_forward(x: Array, window: Window) -> tuple[Array, Array]:
    """Return the maximum of every window and where it stands.

        y[n, c, p, q] = max over taps (i, j) of x[n, c, p SH - top + i DH, q SW - left + j DW]
        indices[n, c, p, q] = h W + w of the tap that won

    Shapes: x (N, C, H, W); results (N, C, OH, OW) with (OH, OW) = window.output_size((H, W)).
    Dtypes: float32 or float64, and the output's too; indices int64.
    Edge contract: padding counts as -inf and never wins; a tie goes to the first maximum in row-major
        order; NaN propagates (of several, the last is reported); a window of -inf reports its first
        element; a dilated window whose taps all fall into the padding gives -inf and index -1.
        N may be 0.

    Raises:
        ValueError: x not of rank 4, no channel, row or column; a padding above half the
            kernel; a window larger than the padded input (in ceil mode: by a stride).
        TypeError: another dtype.
    """
    check_floating(x=x)
    check_planes(x)
    _check_padding(window)
    window.output_size(x.shape[2:])
    return dispatch(max_pool2d_forward, x, window)


def max_pool2d_backward(
    grad_output: Array, indices: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """Return the gradient with respect to x: each element gathers from the windows that it won.

        dx[n, c, h, w] = sum over windows (p, q) that cover (h, w) with indices[n, c, p, q] = h W + w
                         of dy[n, c, p, q]

    Shapes: grad_output and indices (N, C, OH, OW), input_shape (N, C, H, W), the result's shape.
    Dtypes: float32 or float64; indices int64, as `max_pool2d_forward` returns them.
    Edge contract: the whole gradient of a tie goes to the first maximum; index -1, or an index that
        its window does not cover, sends its gradient nowhere. N may be 0.

    Raises:
        ValueError: a shape other than above, an index outside [-1, H W), an impossible window.
        TypeError: another dtype.
    """
    check_floating(grad_output=grad_output)
    shape = input_shape4(input_shape)
    _check_padding(window)
    check_shape("grad_output", grad_output, (*shape[:2], *window.output_size(shape[2:])))
    check_plane_indices("indices", indices, grad_output, shape[2:], minimum=-1)
    return dispatch(max_pool2d_backward, grad_output, indices, shape, window)


def average_pool2d_forward(
    x: Array, window: Window, count_include_pad: bool, divisor_override: int | None
) -> Array:
    """Return the sum of every window over its divisor.

        y[n, c, p, q] = sum over taps (i, j) of x[n, c, p SH - top + i, q SW - left + j] / d[p, q]

    The divisor d is `divisor_override` if given, else the number of the window's taps in the padded
    input (`count_include_pad`) or in the input alone.

    Shapes: x (N, C, H, W); result (N, C, OH, OW) with (OH, OW) = window.output_size((H, W)).
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: padding counts as 0; a window that overhangs the padded input (ceil mode) is divided
        by the taps inside it only. N may be 0.

    Raises:
        ValueError: x not of rank 4, no channel, row or column; a dilation; a padding above half the
            kernel; a window larger than the padded input (in ceil mode: by a stride); divisor_override 0.
        TypeError: another dtype, or divisor_override not an integer.
    """
    check_floating(analytic=True, x=x)
    check_planes(x)
    _check_average(window, divisor_override)
    window.output_size(x.shape[2:])
    return dispatch(average_pool2d_forward, x, window, count_include_pad, divisor_override)


def average_pool2d_backward(
    grad_output: Array,
    input_shape: Sequence[int],
    window: Window,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """Return the gradient with respect to x: each element gathers its share of the windows around it.

        dx[n, c, h, w] = sum over windows (p, q) that cover (h, w) of dy[n, c, p, q] / d[p, q]

    Shapes: grad_output (N, C, OH, OW), input_shape (N, C, H, W), the result's shape.
    Dtypes: as `average_pool2d_forward`.
    Edge contract: the divisor d as in `average_pool2d_forward`. N may be 0.

    Raises:
        ValueError, TypeError: as `average_pool2d_forward`, or a wrong shape of grad_output.
    """
    check_floating(analytic=True, grad_output=grad_output)
    shape = input_shape4(input_shape)
    _check_average(window, divisor_override)
    check_shape("grad_output", grad_output, (*shape[:2], *window.output_size(shape[2:])))
    return dispatch(average_pool2d_backward, grad_output, shape, window, count_include_pad, divisor_override)


def _check_average(window: Window, divisor_override: int | None) -> None:
    if window.dilation != (1, 1):
        raise ValueError(f"average pooling needs dilation (1, 1), got {window.dilation}")
    _check_padding(window)
    if divisor_override is not None and check_integer("divisor_override", divisor_override) == 0:
        raise ValueError("divisor_override must not be 0")


def _check_padding(window: Window) -> None:
    """PyTorch's rule, which keeps undilated windows from standing in the padding alone."""
    for padding, kernel in zip(window.padding, window.kernel, strict=True):
        if max(padding) > kernel // 2:
            raise ValueError(
                f"padding must be at most half of kernel_size {window.kernel}, got {window.padding}"
            )
