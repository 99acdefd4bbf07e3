"""ROI align over a feature pyramid: each region is pooled from the level that suits its size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from kernels.array import Array
from kernels.regions import rois_from_boxes
from kernels.window import Pair
from minidnn import nn
from minidnn.functional import cat, roi_align
from minidnn.tensor import Tensor


class MultiScaleRoIAlign(nn.Module):
    """ROI align on the level of a feature pyramid that suits each region's size.

    See `multi_scale_roi_align`. A level's scale is the power of two nearest to its size over
    that of the largest image.

    Args:
        featmap_names: the levels to pool from, finest first.
        output_size: bins, an int or (height, width).
        sampling_ratio: samples per bin along each axis; zero or less chooses by the region's size.
        canonical_scale: the side of a region that belongs to the canonical level.
        canonical_level: that level's -log2(scale).

    Shapes: a mapping of maps (N, C, H_l, W_l), boxes a list of (L, 4) and the images' (height, width)
        -> (K, C, OH, OW).

    Source: Lin et al., "Feature pyramid networks for object detection", 2017, section 4.2.
    """

    def __init__(
        self,
        featmap_names: Sequence[str],
        output_size: int | Sequence[int],
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.featmap_names = list(featmap_names)
        self.output_size = output_size
        self.sampling_ratio = sampling_ratio
        self.canonical_scale = canonical_scale
        self.canonical_level = canonical_level

    def forward(
        self, x: Mapping[str, Tensor], boxes: Sequence[Array], image_shapes: Sequence[Pair]
    ) -> Tensor:
        """Return the regions' bins, all images' regions one after the other.

        Raises:
            ValueError: a level that x does not have, no images, or as `functional.roi_align`.
        """
        missing = [name for name in self.featmap_names if name not in x]
        if missing:
            raise ValueError(f"x must have the feature maps {self.featmap_names}, got {list(x)}")
        if not image_shapes:
            raise ValueError("image_shapes must hold one size per image, got none")
        levels = [x[name] for name in self.featmap_names]
        height = max(shape[0] for shape in image_shapes)
        scales = [2.0 ** round(math.log2(maps.shape[2] / height)) for maps in levels]
        return multi_scale_roi_align(
            levels,
            boxes,
            self.output_size,
            scales,
            self.sampling_ratio,
            self.canonical_scale,
            self.canonical_level,
        )

    def extra_repr(self) -> str:
        """The levels, the grid and the sampling."""
        return (
            f"featmap_names={self.featmap_names}, output_size={self.output_size}, "
            f"sampling_ratio={self.sampling_ratio}"
        )


def multi_scale_roi_align(
    x: Sequence[Tensor],
    boxes: Array | Sequence[Array],
    output_size: int | Sequence[int],
    scales: Sequence[float],
    sampling_ratio: int = -1,
    canonical_scale: int = 224,
    canonical_level: int = 4,
) -> Tensor:
    """Return ROI align of every region on the level of a feature pyramid that suits its size.

    Level l has one pixel for 1 / scales[l] of the image, a power of two: see `pyramid_levels`.

    Args:
        x: the levels (N, C, H_l, W_l), finest first, with equal channels.
        boxes, output_size, sampling_ratio: as for `functional.roi_align`.
        scales: each level's pixels per pixel of the image, such as 1/4, 1/8, 1/16, 1/32.
        canonical_scale: the side of a region that belongs to the canonical level.
        canonical_level: that level's -log2(scale).

    Returns:
        (K, C, OH, OW) of x's dtype.

    Raises:
        ValueError: no levels, another number of scales, or as `functional.roi_align`.
        TypeError: as `functional.roi_align`.

    Source: Lin et al., "Feature pyramid networks for object detection", 2017, section 4.2.
    """
    if not x or len(x) != len(scales):
        raise ValueError(
            f"scales must be one for each of x's levels (at least 1), got {len(scales)} for {len(x)}"
        )
    rois = boxes if isinstance(boxes, np.ndarray) else rois_from_boxes(boxes)
    lowest, highest = (round(-np.log2(scale)) for scale in (scales[0], scales[-1]))
    levels = pyramid_levels(rois[:, 1:], lowest, highest, canonical_scale, canonical_level) - lowest
    members = [np.flatnonzero(levels == level) for level in range(len(x))]
    pooled = [
        roi_align(maps, rois[mine], output_size, scale, sampling_ratio)
        for maps, mine, scale in zip(x, members, scales, strict=True)
    ]
    # Regions come level by level; each goes back to its own place.
    return cat(pooled)[np.argsort(np.concatenate(members))]


def pyramid_levels(
    boxes: Array, lowest: int, highest: int, canonical_scale: int = 224, canonical_level: int = 4
) -> Array:
    """Return the level (K,) of a feature pyramid from which each of boxes (K, 4) is pooled.

        level = floor(canonical_level + log2(sqrt(w h) / canonical_scale)), held to [lowest, highest]

    A box half as large is pooled from a level twice as fine. As in torchvision 10^-6 is added before rounding
    down, so that a box of exactly a power of two of the canonical scale stays on its level.

    Source: Lin et al., "Feature pyramid networks for object detection", 2017, equation 1.
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = canonical_level + np.log2(np.sqrt(np.maximum(area, 0)) / canonical_scale) + 1e-6
    levels: Array = np.clip(np.floor(exact), lowest, highest).astype(np.int64)
    return levels
