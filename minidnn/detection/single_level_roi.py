"""ROI pooling from the one map of a backbone without a pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kernels.array import Array
from kernels.window import Pair
from minidnn import nn
from minidnn.functional import roi_pool
from minidnn.tensor import Tensor


class SingleLevelRoIPool(nn.Module):
    """ROI pooling as `RoIHeads` asks for it: a mapping of maps, of which it pools from one.

    Args:
        featmap_name: the map.
        output_size: bins, an int or (height, width).
        spatial_scale: the map's pixels per pixel of the image, e.g. 1/16.

    Shapes: a mapping of maps (N, C, H, W), boxes a list of (L, 4) and the images' (height, width)
        -> (K, C, OH, OW).

    Source: Girshick, "Fast R-CNN", 2015, section 2.1.
    """

    def __init__(self, featmap_name: str, output_size: int | Sequence[int], spatial_scale: float) -> None:
        super().__init__()
        self.featmap_name = featmap_name
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(
        self, x: Mapping[str, Tensor], boxes: Sequence[Array], image_shapes: Sequence[Pair]
    ) -> Tensor:
        """Return the regions' bins, all images' regions one after the other.

        Raises:
            ValueError: a map that x does not have, or as `functional.roi_pool`.
        """
        if self.featmap_name not in x:
            raise ValueError(f"x must have the feature map {self.featmap_name!r}, got {list(x)}")
        return roi_pool(x[self.featmap_name], boxes, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        """The map, the grid and the scale."""
        return (
            f"featmap_name={self.featmap_name!r}, output_size={self.output_size}, "
            f"spatial_scale={self.spatial_scale}"
        )
