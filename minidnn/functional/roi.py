"""Pooling of regions of interest: ROI pooling and ROI align, arguments as in torchvision.ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kernels.array import Array, check_flag, check_floating, check_rank
from kernels.regions import rois_from_boxes
from kernels.roi_align import roi_align_backward, roi_align_forward
from kernels.roi_pool import roi_pool_backward, roi_pool_forward
from kernels.window import Pair, pair
from minidnn.autograd import Function
from minidnn.tensor import Tensor, apply, as_tensor


class RoIPool(Function):
    """y[k, p, q] = max of bin (p, q) of region k;  dx = sum of dy over the bins that an element won."""

    def __init__(self, output_size: Pair, spatial_scale: float) -> None:
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, x: Array, rois: Array) -> Array:
        """Return the bins' maxima."""
        self.input_shape = x.shape
        output, argmax = roi_pool_forward(x, rois, self.output_size, self.spatial_scale)
        self.save(argmax, rois)
        return output

    def backward(self, grad_output: Array) -> tuple[Array | None, None]:
        """Sum dy at the elements that won; the regions receive none."""
        argmax, rois = self.saved
        return roi_pool_backward(grad_output, argmax, rois, self.input_shape) if self.needs[0] else None, None


class RoIAlign(Function):
    """y[k, p, q] = mean of bilinear samples in bin (p, q) of region k;  dx = the same weights on dy."""

    def __init__(self, output_size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool) -> None:
        self.output_size = output_size
        self.sampling = spatial_scale, sampling_ratio, aligned

    def forward(self, x: Array, rois: Array) -> Array:
        """Return the bins' means."""
        self.input_shape = x.shape
        self.save(rois)
        return roi_align_forward(x, rois, self.output_size, *self.sampling)

    def backward(self, grad_output: Array) -> tuple[Array | None, None]:
        """Share dy out to the sampled pixels; the regions receive none."""
        (rois,) = self.saved
        if not self.needs[0]:
            return None, None
        return roi_align_backward(grad_output, rois, self.input_shape, *self.sampling), None


def roi_pool(x: Any, boxes: Any, output_size: int | Sequence[int], spatial_scale: float = 1.0) -> Tensor:
    """Return the maximum of every bin of every region.

        y[k, c, p, q] = max over h in rows(k, p), w in columns(k, q) of x[b_k, c, h, w]

    The corners times spatial_scale are rounded, halves away from zero; the region includes both ends and
    is cut into OH x OW bins: see `kernels.roi_pool.roi_pool_forward` for the exact edges.

    Args:
        x: feature maps (N, C, H, W), float32 or float64.
        boxes: regions (K, 5), rows [batch index, x1, y1, x2, y2], or a list with boxes (L, 4) for each
            image, rows [x1, y1, x2, y2]; x's dtype. They receive no gradient.
        output_size: bins, an int or (height, width).
        spatial_scale: feature-map pixels per unit of the corners, e.g. 1/16.

    Returns:
        (K, C, OH, OW) of x's dtype. A bin outside the feature map is 0 and receives no gradient.

    Raises:
        ValueError: a shape other than above, no row or column, a batch index outside [0, N), corners that
            are not finite, a size below 1, a scale that is not positive.
        TypeError: another dtype, or mixed dtypes.

    Source: Girshick, "Fast R-CNN", 2015, section 2.1.
    """
    function = RoIPool(pair("output_size", output_size, minimum=1), spatial_scale)
    return apply(function, _feature_maps(x), _regions(boxes))


def roi_align(
    x: Any,
    boxes: Any,
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Return the mean of bilinear samples in every bin of every region, without rounding.

        y[k, c, p, q] = sum over (i, j) of bilinear(x[b_k, c], v_i, u_j) / max(GH GW, 1)
        v_i = top_k + p B + (i + 1/2) B / GH,   B = height_k / OH,   i = 0 .. GH - 1   (u_j likewise)

    Args:
        x: feature maps (N, C, H, W), float32 or float64.
        boxes, output_size, spatial_scale: as for `roi_pool`.
        sampling_ratio: samples per bin along each axis; zero or less takes ceil(height_k / OH), one
            sample per pixel or more.
        aligned: move the boxes by half a pixel, so that pixel (h, w) lies at (h, w); without it a region
            is at least one pixel wide and high.

    Returns:
        (K, C, OH, OW) of x's dtype. Samples more than one pixel outside the feature map count as 0.

    Raises:
        ValueError, TypeError: as `roi_pool`.

    Source: He et al., "Mask R-CNN", 2017, section 3.
    """
    size = pair("output_size", output_size, minimum=1)
    aligned = check_flag("aligned", aligned)
    return apply(RoIAlign(size, spatial_scale, sampling_ratio, aligned), _feature_maps(x), _regions(boxes))


def _feature_maps(x: Any) -> Tensor:
    tensor = as_tensor(x)
    check_rank("x", tensor.data, 4)
    return tensor


def _regions(boxes: Any) -> Tensor:
    """Regions (K, 5) from either form of `boxes`."""
    if isinstance(boxes, list | tuple):
        return as_tensor(rois_from_boxes([as_tensor(corners, name="boxes").data for corners in boxes]))
    regions = as_tensor(boxes, name="boxes")
    check_floating(boxes=regions.data)
    if regions.ndim != 2 or regions.shape[1] != 5:
        raise ValueError(f"boxes must have shape (K, 5) or be a list of (L, 4), got {regions.shape}")
    return regions
