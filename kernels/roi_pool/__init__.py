"""ROI max pooling: the contracts of its forward and backward passes.

Source: Girshick, "Fast R-CNN", 2015, section 2.1 (forward) and 2.3 (backward); the rounding, the empty
bins and the lowest value are those of torchvision.ops.roi_pool.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_shape, input_shape4
from kernels.pooling import check_plane_indices, check_planes
from kernels.regions import check_rois
from kernels.registry import dispatch
from kernels.window import Pair, pair

__all__ = ["roi_pool_backward", "roi_pool_forward"]


def roi_pool_forward(x: Array, rois: Array, output_size: Pair, spatial_scale: float) -> tuple[Array, Array]:
    """Return the maximum of every bin of every region, and where it stands.

        y[k, c, p, q] = max over h in rows(k, p), w in columns(k, q) of x[b_k, c, h, w]
        argmax[k, c, p, q] = h W + w of the element that won

    The corners times `spatial_scale` are rounded to the nearest pixel, halves away from zero. The region
    covers y1..y2 and x1..x2, both ends included, at least one pixel each; row bin p of a region of
    height L covers y1 + [floor(p L / OH), ceil((p + 1) L / OH)), cut to the plane. L / OH is computed
    first, in the dtype of x.

    Shapes: x (N, C, H, W), rois (K, 5) of [batch index, x1, y1, x2, y2]; results (K, C, OH, OW).
    Dtypes: x and rois float32 or float64, the same, and the output's too; argmax int64.
    Edge contract: a bin without pixels (outside the plane) gives 0 and argmax -1; a region with
        x2 < x1 or y2 < y1 counts as one pixel wide or high; a tie goes to the first maximum in row-major
        order; only values above the lowest float32 win, so NaN and -inf never do (a bin of nothing else
        gives that lowest value and argmax -1). K and C may be 0.

    Raises:
        ValueError: x not of rank 4, no row or column, rois not (K, 5), a batch index that is
            not in [0, N), corners that are not finite or beyond 2^30 after scaling, an output size
            below 1, a scale that is not positive.
        TypeError: another dtype, or mixed dtypes.
    """
    check_floating(x=x, rois=rois)
    check_planes(x, empty_channels=True)
    check_rois(rois, x.shape[0], spatial_scale)
    return dispatch(roi_pool_forward, x, rois, pair("output_size", output_size, minimum=1), spatial_scale)


def roi_pool_backward(grad_output: Array, argmax: Array, rois: Array, input_shape: Sequence[int]) -> Array:
    """Return the gradient with respect to x: each element sums all bins that it won.

        dx[n, c, h, w] = sum over k with b_k = n, bins (p, q) with argmax[k, c, p, q] = h W + w
                         of dy[k, c, p, q]

    Shapes: grad_output and argmax (K, C, OH, OW), rois (K, 5), input_shape (N, C, H, W), the result's.
    Dtypes: grad_output and rois float32 or float64, the same; argmax int64.
    Edge contract: argmax -1 sends its gradient nowhere; the corners of rois receive none. Sums run in
        the order of (k, p, q).

    Raises:
        ValueError: a shape other than above, a batch index outside [0, N), an argmax outside [-1, H W).
        TypeError: another dtype, or mixed dtypes.
    """
    check_floating(grad_output=grad_output, rois=rois)
    shape = input_shape4(input_shape)
    check_rois(rois, shape[0])
    check_shape("grad_output", grad_output, (len(rois), shape[1], *grad_output.shape[2:4]))
    check_plane_indices("argmax", argmax, grad_output, shape[2:], minimum=-1)
    return dispatch(roi_pool_backward, grad_output, argmax, rois, shape)
