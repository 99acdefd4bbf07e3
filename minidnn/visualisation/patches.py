"""Maximally activating patches: the pieces of a data set's images that a channel responds to most."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels.array import Array, check_integer
from kernels.device import to_host
from minidnn.data import DataLoader
from minidnn.data.dataset import Dataset
from minidnn.modes import no_grad
from minidnn.nn import Module
from minidnn.receptive_field import AxisField, ReceptiveField, receptive_fields
from minidnn.tensor import Tensor
from minidnn.tracing import trace
from minidnn.visualisation.observing import as_batch, check_channel, frozen, maps_of


class Patches(NamedTuple):
    """What `maximal_patches` returns, the strongest first; all in host memory.

    Attributes:
        images: which items of the data set, int64 (K,).
        positions: row and column of the unit in the layer's map, int64 (K, 2).
        activations: of the units, (K,).
        boxes: first row, first column, last row + 1 and last column + 1 of what the unit sees, int64 (K, 4);
            may lie partly outside the image.
        pixels: what it sees, (K, C, h, w), 0 outside the image.
    """

    images: Array
    positions: Array
    activations: Array
    boxes: Array
    pixels: Array


def maximal_patches(
    model: Module, dataset: Dataset, layer: str, channel: int, count: int = 9, batch_size: int = 64
) -> Patches:
    """Return what a channel's strongest units see, one unit per image.

    What a unit sees follows from the windows between the image and the layer, see
    `minidnn.receptive_field.receptive_fields`.

    Args:
        model: runs in inference mode and is left as it is.
        dataset: items (image, label), images (C, H, W) of one size.
        layer: dotted name of a module that gives maps.
        channel: which map.
        count: how many images at most.
        batch_size: how many images go through the model at a time.

    Raises:
        ValueError: an unknown layer (the nearest names are offered), one that gives no maps, is not called
            exactly once, computes nothing or does not depend on the image; a channel that it does not have;
            an empty data set; a count below 1.
        TypeError: not a Module, images of another dtype, or numbers that are no integers.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4
        and
    figure 2.
    """
    count = check_integer("count", count, minimum=1)
    if len(dataset) == 0:
        raise ValueError("dataset must hold at least one image, got none")
    places: list[Array] = []
    activations: list[Array] = []
    with frozen(model), no_grad():
        for images, _ in DataLoader(dataset, check_integer("batch_size", batch_size, minimum=1)).batches():
            maps = to_host(maps_of(model, images, layer).data)
            planes = maps[:, check_channel(channel, maps.shape[1], layer)].reshape(len(maps), -1)
            best = planes.argmax(axis=1)
            places.append(np.stack(np.divmod(best, maps.shape[3]), axis=1))  # (n, 2)
            activations.append(planes[np.arange(len(planes)), best])
        field = _field(model, as_batch(dataset[0][0], "image")[0], layer)
    strength = np.concatenate(activations)
    chosen = np.argsort(-strength, kind="stable")[:count]
    positions = np.concatenate(places)[chosen]
    boxes = np.array([_box(field, position) for position in positions])
    pixels = [_cut(np.asarray(dataset[int(i)][0]), box) for i, box in zip(chosen, boxes, strict=True)]
    return Patches(chosen, positions, strength[chosen], boxes, np.stack(pixels))


def _field(model: Module, image: Tensor, layer: str) -> ReceptiveField:
    """What the units of a layer's output see."""
    recorded = trace(model, image, backward=False)
    operations = recorded.within(layer)
    if not operations:
        raise ValueError(f"layer must compute something, {layer!r} has no operation")
    field = receptive_fields(recorded)[operations[-1].index]
    if field is None:
        raise ValueError(f"layer must depend on the image, {layer!r} does not")
    return field


def _box(field: ReceptiveField, position: Array) -> tuple[int, int, int, int]:
    """First row, first column, last row + 1, last column + 1; as large for every unit."""
    (top, bottom), (left, right) = (
        _extent(along, int(unit)) for along, unit in zip((field.rows, field.columns), position, strict=True)
    )
    return top, left, bottom, right


def _extent(field: AxisField, unit: int) -> tuple[int, int]:
    first, _ = field.seen_by(unit)
    return first, first + math.ceil(field.size)


def _cut(image: Array, box: Array) -> Array:
    """The box's pixels, 0 outside the image."""
    top, left, bottom, right = box
    patch = np.zeros((len(image), bottom - top, right - left), image.dtype)
    inside = image[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    row, column = max(-top, 0), max(-left, 0)
    patch[:, row : row + inside.shape[1], column : column + inside.shape[2]] = inside
    return patch
