"""Max unpooling, the partial inverse of max pooling: the contracts of its forward and backward passes.

Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.
"""

from __future__ import annotations

from kernels.array import Array, check_floating, check_rank, check_shape
from kernels.pooling import check_plane_indices, check_planes
from kernels.registry import dispatch
from kernels.window import Pair, pair

__all__ = ["max_unpool2d_backward", "max_unpool2d_forward"]


def max_unpool2d_forward(x: Array, indices: Array, output_size: Pair) -> Array:
    """Return planes of zeros with every value put back to where max pooling found it.

        y[n, c, h, w] = x[n, c, p, q] where indices[n, c, p, q] = h W + w, else 0

    Shapes: x and indices (N, C, OH, OW), output_size (H, W); result (N, C, H, W).
    Dtypes: float32, float64 or complex128, and the result's too; indices int64.
    Edge contract: of several values with one index the last in row-major order stays. N may be 0.

    Raises:
        ValueError: x not of rank 4, no channel, row or column, another shape of indices, an output
            size below 1, or an index outside [0, H W).
        TypeError: another dtype, or an output size that is not an integer.
    """
    check_floating(analytic=True, x=x)
    check_planes(x)
    size = pair("output_size", output_size, minimum=1)
    check_plane_indices("indices", indices, x, size, minimum=0)
    return dispatch(max_unpool2d_forward, x, indices, size)


def max_unpool2d_backward(grad_output: Array, indices: Array) -> Array:
    """Return the gradient with respect to x: every value reads the gradient at its index.

        dx[n, c, p, q] = dy[n, c, h, w] where indices[n, c, p, q] = h W + w

    Shapes: grad_output (N, C, H, W), indices (N, C, OH, OW), the result's shape.
    Dtypes: float32, float64 or complex128; indices int64.
    Edge contract: values that share an index all receive its gradient, as in PyTorch (also those that
        the forward pass overwrote). N may be 0.

    Raises:
        ValueError: a rank or shape other than above, or an index outside [0, H W).
        TypeError: another dtype.
    """
    check_floating(analytic=True, grad_output=grad_output)
    check_rank("grad_output", grad_output, 4)
    check_rank("indices", indices, 4)
    check_shape("indices", indices, (*grad_output.shape[:2], *indices.shape[2:]))
    check_plane_indices("indices", indices, indices, grad_output.shape[2:], minimum=0)
    return dispatch(max_unpool2d_backward, grad_output, indices)
