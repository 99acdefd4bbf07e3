"""Pooling over the whole plane: the contracts of average and maximum, forward and backward.

These are adaptive pooling with a single bin, as an operation of their own because whole
architectures end in the average and it needs no bins.
Source: Lin et al., "Network in network", 2014, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_shape, input_shape4
from kernels.pooling import check_plane_indices, check_planes
from kernels.registry import dispatch

__all__ = [
    "global_average_pool2d_backward",
    "global_average_pool2d_forward",
    "global_max_pool2d_backward",
    "global_max_pool2d_forward",
]


def global_average_pool2d_forward(x: Array) -> Array:
    """Return the mean of every plane: y[n, c, 0, 0] = sum over (h, w) of x[n, c, h, w] / (H W).

    Shapes: x (N, C, H, W); result (N, C, 1, 1).
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: N and C may be 0.

    Raises:
        ValueError: x not of rank 4, or no row or column.
        TypeError: another dtype.
    """
    check_floating(analytic=True, x=x)
    check_planes(x, empty_channels=True)
    return dispatch(global_average_pool2d_forward, x)


def global_average_pool2d_backward(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """Return the gradient with respect to x: dx[n, c, h, w] = dy[n, c, 0, 0] / (H W).

    Shapes: grad_output (N, C, 1, 1), input_shape (N, C, H, W), the result's shape.
    Dtypes: as `global_average_pool2d_forward`.
    Edge contract: N and C may be 0.

    Raises:
        ValueError, TypeError: as `global_average_pool2d_forward`, or a wrong shape of grad_output.
    """
    check_floating(analytic=True, grad_output=grad_output)
    shape = input_shape4(input_shape)
    check_shape("grad_output", grad_output, (*shape[:2], 1, 1))
    return dispatch(global_average_pool2d_backward, grad_output, shape)


def global_max_pool2d_forward(x: Array) -> tuple[Array, Array]:
    """Return the maximum of every plane, and its place h W + w.

        y[n, c, 0, 0] = max over (h, w) of x[n, c, h, w]

    Shapes: x (N, C, H, W); results (N, C, 1, 1).
    Dtypes: float32 or float64, and the output's too; indices int64.
    Edge contract: a tie goes to the first maximum in row-major order; NaN propagates (of several, the
        last is reported). N may be 0.

    Raises:
        ValueError: x not of rank 4, no channel, row or column.
        TypeError: another dtype.
    """
    check_floating(x=x)
    check_planes(x)
    return dispatch(global_max_pool2d_forward, x)


def global_max_pool2d_backward(grad_output: Array, indices: Array, input_shape: Sequence[int]) -> Array:
    """Return the gradient with respect to x: dy[n, c, 0, 0] at the place that won, zero elsewhere.

    Shapes: grad_output and indices (N, C, 1, 1), input_shape (N, C, H, W), the result's shape.
    Dtypes: float32 or float64; indices int64.
    Edge contract: the whole gradient of a tie goes to the first maximum. N may be 0.

    Raises:
        ValueError: a shape other than above, or an index outside [0, H W).
        TypeError: another dtype.
    """
    check_floating(grad_output=grad_output)
    shape = input_shape4(input_shape)
    check_shape("grad_output", grad_output, (*shape[:2], 1, 1))
    check_plane_indices("indices", indices, grad_output, shape[2:], minimum=0)
    return dispatch(global_max_pool2d_backward, grad_output, indices, shape)
