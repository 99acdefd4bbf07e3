"""ROI align: the contracts of its forward and backward passes.

Source: He et al., "Mask R-CNN", 2017, section 3 ("RoIAlign"); the sampling grid and the borders are those
of torchvision.ops.roi_align, both settings of `aligned`.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.array import Array, check_floating, check_integer, check_shape, input_shape4
from kernels.pooling import check_planes
from kernels.regions import check_rois
from kernels.registry import dispatch
from kernels.window import Pair, pair

__all__ = ["roi_align_backward", "roi_align_forward"]


def roi_align_forward(
    x: Array, rois: Array, output_size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """Return the mean of bilinear samples in every bin of every region.

        y[k, c, p, q] = sum over (i, j) of bilinear(x[b_k, c], v_i, u_j) / max(GH GW, 1)
        v_i = top_k + p B + (i + 1/2) B / GH,   B = height_k / OH,   i = 0 .. GH - 1   (u_j likewise)

    top_k = y1 spatial_scale, height_k = (y2 - y1) spatial_scale; nothing is rounded. `aligned` moves
    the box by half a pixel, so that pixel (h, w) lies at (h, w) and not at (h + 1/2, w + 1/2).
    GH = sampling_ratio if positive, else ceil(height_k / OH) (GW likewise).

    Shapes: x (N, C, H, W), rois (K, 5) of [batch index, x1, y1, x2, y2]; result (K, C, OH, OW).
    Dtypes: x and rois float32 or float64, the same; or x complex128 with float64 rois (the result is
        linear in x). The result has x's.
    Edge contract: a sample more than one pixel outside the plane (v < -1 or v > H) counts as 0; one
        between there and the outermost pixel takes that pixel's value. Without `aligned` a region is at
        least one pixel wide and high; with it a region of no size has no samples in the adaptive setting
        and gives 0. A NaN or infinite pixel reaches every bin that samples it and may reach other bins
        of the region. K and C may be 0.

    Raises:
        ValueError: x not of rank 4, no row or column, rois not (K, 5), a batch index that is
            not in [0, N), corners that are not finite or beyond 2^30 after scaling, an output size
            below 1, a scale that is not positive.
        TypeError: another dtype, mixed dtypes, or a sampling_ratio that is not an integer.
    """
    check_floating(analytic=True, x=x)
    check_floating(x=x.real, rois=rois)
    check_planes(x, empty_channels=True)
    check_rois(rois, x.shape[0], spatial_scale)
    ratio = check_integer("sampling_ratio", sampling_ratio)
    size = pair("output_size", output_size, minimum=1)
    return dispatch(roi_align_forward, x, rois, size, spatial_scale, ratio, aligned)


def roi_align_backward(
    grad_output: Array,
    rois: Array,
    input_shape: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Array:
    """Return the gradient with respect to x: each sample shares its bin's gradient among its four pixels.

        dx[n, c, h, w] = sum over k with b_k = n, bins (p, q), samples (i, j)
                         of dy[k, c, p, q] / max(GH GW, 1) * weight of pixel (h, w) in sample (i, j)

    Shapes: grad_output (K, C, OH, OW), rois (K, 5), input_shape (N, C, H, W), the result's shape.
    Dtypes: as `roi_align_forward`, with grad_output for x.
    Edge contract: as `roi_align_forward`; the corners of rois receive no gradient.

    Raises:
        ValueError, TypeError: as `roi_align_forward`, or a wrong shape of grad_output.
    """
    check_floating(analytic=True, grad_output=grad_output)
    check_floating(grad_output=grad_output.real, rois=rois)
    shape = input_shape4(input_shape)
    check_rois(rois, shape[0], spatial_scale)
    ratio = check_integer("sampling_ratio", sampling_ratio)
    check_shape("grad_output", grad_output, (len(rois), shape[1], *grad_output.shape[2:4]))
    return dispatch(roi_align_backward, grad_output, rois, shape, spatial_scale, ratio, aligned)
