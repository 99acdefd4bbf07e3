"""Anchors: the boxes of fixed sizes and shapes, one set around every place of a feature map, that a region
proposal network judges and corrects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.window import Pair
from minidnn.tensor import Tensor


@dataclass(frozen=True)
class ImageList:
    """A batch of images of different sizes, padded at the right and below to one size.

    Attributes:
        tensors: the batch (N, C, H, W).
        image_sizes: each image's own (height, width) within it.
    """

    tensors: Tensor
    image_sizes: Sequence[Pair]


class AnchorGenerator:
    """Anchors for the levels of a feature pyramid.

    On a level with sizes s and aspect ratios r (height over width) every place has the boxes

        width = s / sqrt(r),  height = s sqrt(r)      (sizes vary fastest)

    around its point (column * stride, row * stride); half widths and heights are rounded to whole pixels.

    Args:
        sizes: for each level its sizes in pixels of the image; a flat list has one size a level.
        aspect_ratios: for each level its ratios; a flat list serves all levels.

    Raises:
        ValueError: not as many lists of ratios as of sizes, or a size or ratio that is not positive.

    Source: Ren et al., "Faster R-CNN", 2015, section 3.1.1; one size a level is from Lin et al., "Feature
    pyramid networks for object detection", 2017, section 4.1.
    """

    def __init__(
        self,
        sizes: Sequence[Any] = ((128, 256, 512),),
        aspect_ratios: Sequence[Any] = ((0.5, 1.0, 2.0),),
    ) -> None:
        self.sizes = [(level,) if np.isscalar(level) else tuple(level) for level in sizes]
        shared = np.isscalar(aspect_ratios[0])
        self.aspect_ratios = [
            tuple(level) for level in ([aspect_ratios] * len(sizes) if shared else aspect_ratios)
        ]
        if len(self.sizes) != len(self.aspect_ratios):
            raise ValueError(
                f"aspect_ratios must have one list for each of the {len(self.sizes)} levels of sizes, "
                f"got {len(self.aspect_ratios)}"
            )
        numbers = [number for level in (*self.sizes, *self.aspect_ratios) for number in level]
        if not all(number > 0 for number in numbers):
            raise ValueError(f"sizes and aspect_ratios must be positive, got {sizes} and {aspect_ratios}")
        levels = zip(self.sizes, self.aspect_ratios, strict=True)
        self.cell_anchors = [cell_anchors(size, ratios) for size, ratios in levels]

    def num_anchors_per_location(self) -> list[int]:
        """Return how many anchors a place of each level has."""
        return [len(anchors) for anchors in self.cell_anchors]

    def grid_anchors(self, grid_sizes: Sequence[Pair], strides: Sequence[Pair]) -> list[Array]:
        """Return each level's anchors (H W A, 4) in float64: row by row, at every place all its A anchors.

        Args:
            grid_sizes: the levels' (H, W).
            strides: how many pixels of the image lie between places, down and across.

        Raises:
            ValueError: another number of levels than there are sizes.
        """
        if not len(grid_sizes) == len(strides) == len(self.cell_anchors):
            raise ValueError(
                f"feature maps must be {len(self.cell_anchors)}, one for each level of sizes, "
                f"got {len(grid_sizes)}"
            )
        return [
            shifted_over_grid(anchors, size, stride)
            for anchors, size, stride in zip(self.cell_anchors, grid_sizes, strides, strict=True)
        ]

    def __call__(self, images: ImageList, feature_maps: Sequence[Tensor]) -> list[Array]:
        """Return for each image the anchors of all levels (sum of H W A, 4), in the feature maps' dtype.

        A level's stride is the padded batch's size over the level's, rounded down.

        Raises:
            ValueError: as `grid_anchors`.
        """
        height, width = images.tensors.shape[2:]
        grids = [(maps.shape[2], maps.shape[3]) for maps in feature_maps]
        strides = [(height // rows, width // columns) for rows, columns in grids]
        anchors = np.concatenate(self.grid_anchors(grids, strides)).astype(feature_maps[0].dtype)
        return [anchors for _ in images.image_sizes]


def cell_anchors(sizes: Sequence[float], aspect_ratios: Sequence[float]) -> Array:
    """Return the anchors (R S, 4) around the origin for R ratios (height over width) of S sizes each."""
    root = np.sqrt(np.array(aspect_ratios, np.float64))[:, None]  # (R, 1)
    widths, heights = (np.ravel(side * np.array(sizes, np.float64)) for side in (1 / root, root))
    return np.round(np.stack((-widths, -heights, widths, heights), axis=1) / 2)


def shifted_over_grid(anchors: Array, grid_size: Pair, stride: Pair) -> Array:
    """Return the anchors (A, 4) moved to every place of a grid, (H W A, 4)."""
    rows, columns = (np.arange(count) * step for count, step in zip(grid_size, stride, strict=True))
    y, x = np.meshgrid(rows, columns, indexing="ij")  # (H, W)
    shifts = np.stack((x, y, x, y), axis=2)  # (H, W, 4)
    moved: Array = shifts[:, :, None] + anchors
    return moved.reshape(-1, 4)
