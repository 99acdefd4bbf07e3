"""Regions of interest: the checks that ROI pooling and ROI align share.

A region is a row [batch index, x1, y1, x2, y2]: an image of the batch, and the corners of a box in the
coordinates of the original picture, which `spatial_scale` turns into those of the feature map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array, check_floating, check_number
from kernels.device import device_of, require_one_device, to_device, to_host

# No picture is larger; integers up to here survive the rounding of corners and the counting of samples.
FARTHEST = 2**30


def check_rois(rois: Array, batch: int, spatial_scale: float = 1.0) -> None:
    """Require rois (K, 5) with whole batch indices in [0, batch), finite corners and a positive scale.

    The numbers of rois in device memory are not looked at, which would mean to wait for the device: what a
    region of no image pools is NaN there.

    Raises:
        ValueError: otherwise, or corners that the scale takes beyond 2^30.
    """
    if rois.ndim != 2 or rois.shape[1] != 5:
        raise ValueError(f"rois must have shape (K, 5), got {tuple(rois.shape)}")
    if check_number("spatial_scale", spatial_scale) <= 0:
        raise ValueError(f"spatial_scale must be positive, got {spatial_scale}")
    if not isinstance(rois, np.ndarray):
        return
    index = rois[:, 0]
    wrong = ~((index >= 0) & (index < batch) & (index == np.floor(index)))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"rois[{row}, 0] must be a batch index in [0, {batch}), got {index[row]}")
    corners = rois[:, 1:].astype(np.float64) * spatial_scale
    wrong = ~(np.abs(corners) <= FARTHEST).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"rois[{row}] must have finite corners within 2^30, got {rois[row, 1:].tolist()}")


def rois_from_boxes(boxes: Sequence[Array]) -> Array:
    """Return rois (K, 5) for boxes given image by image: row [i, x1, y1, x2, y2] for each row of boxes[i].

    Raises:
        ValueError: no images, an entry that is not (L, 4), or entries on several devices.
        TypeError: a dtype other than float32 or float64, or mixed dtypes.
    """
    if not boxes:
        raise ValueError("boxes must hold one array per image, got none")
    for i, corners in enumerate(boxes):
        if corners.ndim != 2 or corners.shape[1] != 4:
            raise ValueError(f"boxes[{i}] must have shape (L, 4), got {tuple(corners.shape)}")
        check_floating(boxes=corners)
        if corners.dtype != boxes[0].dtype:
            raise TypeError(f"boxes[{i}] has dtype {corners.dtype} but boxes[0] has {boxes[0].dtype}")
    require_one_device(*boxes)
    # They are few, so they are put together in host memory, wherever they lie.
    corners = np.concatenate([to_host(entry) for entry in boxes])  # (K, 4)
    images = np.repeat(np.arange(len(boxes)), [len(entry) for entry in boxes])  # (K,)
    rois: Array = to_device(np.column_stack((images.astype(corners.dtype), corners)), device_of(boxes[0]))
    return rois
