"""Pooling to a given output size: the contracts of adaptive average and maximum, forward and backward.

Along an axis of length L cut into B bins, bin i covers [floor(i L / B), ceil((i + 1) L / B)): bins
differ in length by at most one and may overlap by one element (`kernels.window.adaptive_bounds`).
Source: torch.nn.functional.adaptive_avg_pool2d and adaptive_max_pool2d, whose bins these are; the idea
of a fixed number of bins is He et al., "Spatial pyramid pooling", 2014, section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_shape, input_shape4
from kernels.pooling import check_plane_indices, check_planes
from kernels.registry import dispatch
from kernels.window import Pair, pair

__all__ = [
    "adaptive_average_pool2d_backward",
    "adaptive_average_pool2d_forward",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool2d_forward",
]


def adaptive_average_pool2d_forward(x: Array, output_size: Pair) -> Array:
    """Return the mean of every bin.

        y[n, c, p, q] = mean over h in bin p, w in bin q of x[n, c, h, w]

    Shapes: x (N, C, H, W), output_size (OH, OW); result (N, C, OH, OW).
    Dtypes: float32, float64 or complex128; the result's too.
    Edge contract: OH and OW may exceed H and W (bins then repeat elements). N, C, OH, OW may be 0.

    Raises:
        ValueError: x not of rank 4, no row or column, or a negative output size.
        TypeError: another dtype, or an output size that is not an integer.
    """
    check_floating(analytic=True, x=x)
    check_planes(x, empty_channels=True)
    return dispatch(adaptive_average_pool2d_forward, x, pair("output_size", output_size, minimum=0))


def adaptive_average_pool2d_backward(grad_output: Array, input_shape: Sequence[int]) -> Array:
    """Return the gradient with respect to x: the shares of all bins that hold an element.

        dx[n, c, h, w] = sum over bins (p, q) that hold (h, w) of dy[n, c, p, q] / size of bin (p, q)

    Shapes: grad_output (N, C, OH, OW), input_shape (N, C, H, W), the result's shape.
    Dtypes: as `adaptive_average_pool2d_forward`.
    Edge contract: as `adaptive_average_pool2d_forward`.

    Raises:
        ValueError, TypeError: as `adaptive_average_pool2d_forward`, or a wrong shape of grad_output.
    """
    check_floating(analytic=True, grad_output=grad_output)
    shape = input_shape4(input_shape)
    check_shape("grad_output", grad_output, (*shape[:2], *grad_output.shape[2:4]))
    return dispatch(adaptive_average_pool2d_backward, grad_output, shape)


def adaptive_max_pool2d_forward(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """Return the maximum of every bin, and its place h W + w in the plane.

        y[n, c, p, q] = max over h in bin p, w in bin q of x[n, c, h, w]

    Shapes: x (N, C, H, W), output_size (OH, OW); results (N, C, OH, OW).
    Dtypes: float32 or float64, and the output's too; indices int64.
    Edge contract: a tie goes to the first maximum in row-major order; NaN propagates (of several, the
        last is reported). N, OH, OW may be 0.

    Raises:
        ValueError: x not of rank 4, no channel, row or column, or a negative output size.
        TypeError: another dtype, or an output size that is not an integer.
    """
    check_floating(x=x)
    check_planes(x)
    return dispatch(adaptive_max_pool2d_forward, x, pair("output_size", output_size, minimum=0))


def adaptive_max_pool2d_backward(grad_output: Array, indices: Array, input_shape: Sequence[int]) -> Array:
    """Return the gradient with respect to x: each element sums the bins that it won.

        dx[n, c, h, w] = sum over bins (p, q) with indices[n, c, p, q] = h W + w of dy[n, c, p, q]

    Shapes: grad_output and indices (N, C, OH, OW), input_shape (N, C, H, W), the result's shape.
    Dtypes: float32 or float64; indices int64.
    Edge contract: the whole gradient of a tie goes to the first maximum. N, OH, OW may be 0.

    Raises:
        ValueError: a shape other than above, or an index outside [0, H W).
        TypeError: another dtype.
    """
    check_floating(grad_output=grad_output)
    shape = input_shape4(input_shape)
    check_shape("grad_output", grad_output, (*shape[:2], *grad_output.shape[2:4]))
    check_plane_indices("indices", indices, grad_output, shape[2:], minimum=0)
    return dispatch(adaptive_max_pool2d_backward, grad_output, indices, shape)
