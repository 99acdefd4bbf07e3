"""What the pooling operations share: the checks of their arguments and the rule of every maximum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, Shape4, check_indices, check_rank, check_shape


def check_planes(x: Array, *, empty_channels: bool = False) -> None:
    """Require x (N, C, H, W) with C, H, W >= 1; `empty_channels` allows C = 0 (ValueError otherwise)."""
    check_rank("x", x, 4)
    if min(x.shape[2:] if empty_channels else x.shape[1:]) < 1:
        needed = "a positive height and width" if empty_channels else "positive channels, height and width"
        raise ValueError(f"x must have {needed}, got shape {tuple(x.shape)}")


def check_plane_indices(name: str, indices: Array, like: Array, plane: Sequence[int], minimum: int) -> None:
    """Require int64 indices of `like`'s shape, each in [minimum, H * W) of an (H, W) plane.

    Raises:
        TypeError: another dtype.
        ValueError: another shape, or an index out of range.
    """
    check_indices(name, indices)
    check_shape(name, indices, like.shape)
    if not isinstance(indices, np.ndarray):
        return  # in device memory: to look at the values would mean to wait for the device
    end = plane[0] * plane[1]
    # Negative numbers are the largest ones once they count as unsigned: one pass finds that all is well.
    if indices.size == 0 or indices.view(np.uint64).max() < end:
        return
    lowest, highest = indices.min(), indices.max()
    if lowest < minimum or highest >= end:
        worst = lowest if lowest < minimum else highest
        raise ValueError(f"{name} must lie in [{minimum}, {end}) for planes of {tuple(plane)}, got {worst}")


def replaces(value: Any, best: Any) -> Any:
    """Whether `value` takes the place of the maximum so far: it is greater, or it is NaN.

    Equal values do not, so the first maximum in row-major order wins; every NaN does, so NaN
    propagates and the last one is reported, as PyTorch does.
    """
    return (value > best) | (value != value)


def first_maximum(values: Array) -> Array:
    """Return the position of the maximum along the last axis, by the rule of `replaces`."""
    position: Array = values.argmax(axis=-1)
    nan = np.isnan(values)
    if not nan.any():
        return position
    last_nan = values.shape[-1] - 1 - nan[..., ::-1].argmax(axis=-1)
    return np.where(nan.any(axis=-1), last_nan, position)


def scatter_to_planes(values: Array, indices: Array, images: Array, shape: Shape4) -> Array:
    """Sum values (K, C, ...) at flat `indices` of the planes (N, C, H, W) of image images[k]; -1 is dropped.

    np.bincount adds one after another in memory order, so the bits never change.
    """
    batch, channels, height, width = shape
    planes = images[:, None] * channels + np.arange(channels)  # (K, C)
    flat = planes.reshape(*planes.shape, *[1] * (indices.ndim - 2)) * (height * width) + indices
    won = indices >= 0
    total = np.bincount(flat[won], values[won], minlength=batch * channels * height * width)
    return total.reshape(shape).astype(values.dtype)
