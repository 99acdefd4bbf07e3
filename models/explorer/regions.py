"""ROI pooling on the network's own maps: what a detector would pool from this image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import kernels
from minidnn.functional import roi_pool
from minidnn.nn import Module
from minidnn.tensor import Tensor
from minidnn.tracing import OperationRecord, Trace, trace
from models.explorer.inspectors import inspector

BINS = 3
SMALLEST_MAP = 14  # rows and columns: smaller maps have no bins to show
# Corners x1, y1, x2, y2 of the regions, as shares of the image.
REGIONS = ((0.1, 0.1, 0.6, 0.7), (0.35, 0.25, 0.95, 0.9), (0.0, 0.5, 0.4, 0.95))


class _Pooling(Module):
    """ROI pooling of fixed regions."""

    def __init__(self, rois: np.ndarray, scale: float) -> None:
        super().__init__()
        self.rois, self.scale = rois, scale

    def forward(self, x: Tensor) -> Tensor:
        """Pool (1, C, H, W) into (regions, C, BINS, BINS)."""
        return roi_pool(x, self.rois, BINS, self.scale)


def region_example(network: Trace, image_size: tuple[int, int]) -> Mapping[str, Any] | None:
    """Return an inspector of ROI pooling on the deepest map that is large enough; None where there is none.

    Args:
        network: the trace of a network, with arrays, on one image.
        image_size: of that image, height and width.
    """
    maps = [record for record in network.operations if _is_large(record)]
    if not maps:
        return None
    record = maps[-1]
    assert record.arrays is not None
    features = record.arrays.outputs[0]
    height, width = image_size
    rois = np.array([(0, x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in REGIONS])
    pooling = _Pooling(rois.astype(features.dtype), features.shape[3] / width)
    with kernels.use(backend="reference"):
        (pooled,) = trace(pooling, features, backward=False, keep_arrays=True).operations
    return {"operation": record.index, "inspector": inspector(pooled)}


def _is_large(record: OperationRecord) -> bool:
    shape = record.outputs[0].shape
    return record.arrays is not None and len(shape) == 4 and min(shape[2:]) >= SMALLEST_MAP
