"""Maximally activating patches: the pieces of a data set's images that a channel responds to most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.array import Array, check_integer
from kernels.device import to_host
from minidnn.data import DataLoader
from minidnn.data.dataset import Dataset
from minidnn.modes import no_grad, observed_by
from minidnn.nn import Module
from minidnn.tensor import Tensor
from minidnn.visualisation.observing import as_batch, check_channel, check_maps, frozen, maps_of, watched
from minidnn.visualisation.way_up import Step, WayUp


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

    A unit at row p of a layer sees rows [first, last] of the image; down through every window of kernel
    extent E, stride S and padding P

        first <- first S - P,   last <- last S - P + E - 1

    beginning with first = last = p; columns likewise.

    Args:
        model: what lies between the image and the layer must have one way, on which operations other than
            convolutions and pooling keep the shape and every pixel's place; runs in inference mode and is
            left as it is.
        dataset: items (image, label), images (C, H, W) of one size.
        layer: dotted name of a module that gives maps.
        channel: which map.
        count: how many images at most.
        batch_size: how many images go through the model at a time.

    Raises:
        ValueError: an unknown layer (the nearest names are offered), one behind a join of several ways or
            behind an operation that moves pixels other than by a window, or one that gives no maps or is not
            called exactly once; a channel that it does not have; an empty data set; a count below 1.
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
        steps = _way_to(model, as_batch(dataset[0][0], "image")[0], layer)
        for images, _ in DataLoader(dataset, check_integer("batch_size", batch_size, minimum=1)).batches():
            maps = to_host(maps_of(model, images, layer).data)
            planes = maps[:, check_channel(channel, maps.shape[1], layer)].reshape(len(maps), -1)
            best = planes.argmax(axis=1)
            places.append(np.stack(np.divmod(best, maps.shape[3]), axis=1))  # (n, 2)
            activations.append(planes[np.arange(len(planes)), best])
    strength = np.concatenate(activations)
    chosen = np.argsort(-strength, kind="stable")[:count]
    positions = np.concatenate(places)[chosen]
    boxes = np.array([seen_by(steps, position) for position in positions])
    pixels = [_cut(np.asarray(dataset[int(i)][0]), box) for i, box in zip(chosen, boxes, strict=True)]
    return Patches(chosen, positions, strength[chosen], boxes, np.stack(pixels))


def _way_to(model: Module, image: Tensor, layer: str) -> list[Step]:
    """The steps from the layer down to the image, each one that tells where its outputs' pixels come from."""
    way = WayUp(image.data)
    found: list[list[Step]] = []

    def see(name: str, output: Tensor) -> None:
        found.append(way.steps_to(check_maps(name, output).data))

    with observed_by(way), watched(model, [layer], see):
        model(image)
    for step in found[0]:
        if step.joins or not (step.window or step.outputs[0].shape == _shape_before(step, image)):
            raise ValueError(
                "layer must be reached on one way, on which only windows move pixels; "
                f"on the way to {layer!r} there is {step.function.name}"
            )
    return found[0]


def _shape_before(step: Step, image: Tensor) -> tuple[int, ...]:
    return image.shape if step.before is None else step.before.outputs[0].shape


def seen_by(steps: list[Step], position: Array) -> tuple[int, int, int, int]:
    """Return the box (first row, first column, last row + 1, last column + 1) that a unit sees."""
    first = last = position
    for step in steps:
        if step.window is not None:
            before = np.array([padding[0] for padding in step.window.padding])
            first = first * step.window.stride - before
            last = last * step.window.stride - before + step.window.extent - 1
    return int(first[0]), int(first[1]), int(last[0]) + 1, int(last[1]) + 1


def _cut(image: Array, box: Array) -> Array:
    """The box's pixels, 0 outside the image."""
    top, left, bottom, right = box
    patch = np.zeros((len(image), bottom - top, right - left), image.dtype)
    inside = image[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    row, column = max(-top, 0), max(-left, 0)
    patch[:, row : row + inside.shape[1], column : column + inside.shape[2]] = inside
    return patch
