"""Layers that pool regions of interest, arguments as in torchvision.ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidnn.functional.roi import roi_align, roi_pool
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class RoIPool(Module):
    """The maximum of every bin of every region: see `minidnn.functional.roi_pool`.

    Args:
        output_size: bins, an int or (height, width).
        spatial_scale: feature-map pixels per unit of the corners, e.g. 1/16.

    Shapes: x (N, C, H, W), rois (K, 5) or a list of (L, 4) -> (K, C, OH, OW).
    """

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, x: Any, rois: Any) -> Tensor:
        """Return the bins' maxima."""
        return roi_pool(x, rois, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        """The grid and the scale."""
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}"


class RoIAlign(Module):
    """The mean of bilinear samples in every bin of every region: see `minidnn.functional.roi_align`.

    Args:
        output_size: bins, an int or (height, width).
        spatial_scale: feature-map pixels per unit of the corners, e.g. 1/16.
        sampling_ratio: samples per bin along each axis; zero or less chooses by the region's size.
        aligned: move the boxes by half a pixel, so that pixel (h, w) lies at (h, w).

    Shapes: x (N, C, H, W), rois (K, 5) or a list of (L, 4) -> (K, C, OH, OW).
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, x: Any, rois: Any) -> Tensor:
        """Return the bins' means."""
        return roi_align(x, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def extra_repr(self) -> str:
        """The grid, the scale and the sampling."""
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}"
        )
