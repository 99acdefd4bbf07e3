"""What the search knows of a region: its size, its box, and what its pixels look like.

Source: Uijlings et al., "Selective search for object recognition", 2013, section 3.2, "Complementary
similarity measures".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels.array import Array

COLOUR_BINS = 25
TEXTURE_BINS = 10
ORIENTATIONS = 8
TEXTURE_SIGMA = 1.0


class Regions(NamedTuple):
    """Regions, by number.

    Attributes:
        sizes: pixels (N,).
        boxes: (N, 4), half-open: x1, y1, x2, y2.
        colours: a histogram of 25 bins for each channel, (N, 25 C); a region's numbers add up to 1.
        textures: a histogram of 10 bins for each channel and orientation, (N, 80 C), adding up to 1.
    """

    sizes: Array
    boxes: Array
    colours: Array
    textures: Array


def describe(labels: Array, channels: Array) -> Regions:
    """Return what is known of the regions.

    Args:
        labels: the number of its region for each pixel, (H, W), from 0 without gaps.
        channels: the image (H, W, C) in [0, 1].
    """
    return Regions(
        np.bincount(labels.ravel()).astype(np.float64),
        bounding_boxes(labels),
        histograms(labels, channels, COLOUR_BINS),
        histograms(labels, texture_responses(channels), TEXTURE_BINS),
    )


def bounding_boxes(labels: Array) -> Array:
    """Return the smallest box (N, 4) around each region."""
    rows, columns = np.indices(labels.shape)
    count = int(labels.max()) + 1
    low, high = np.full((count, 2), np.inf), np.zeros((count, 2))
    for axis, places in enumerate((columns, rows)):
        np.minimum.at(low[:, axis], labels.ravel(), places.ravel())
        np.maximum.at(high[:, axis], labels.ravel(), places.ravel() + 1)
    return np.concatenate((low, high), axis=1)


def histograms(labels: Array, values: Array, bins: int) -> Array:
    """Return each region's histograms of values (H, W, K) in [0, 1], one after the other: (N, bins K).

    Bin b has the values in [b / bins, (b + 1) / bins), the last one 1 too. A region's numbers are divided by
    their sum, K times its pixels.
    """
    kinds = values.shape[-1]
    places = np.minimum((values * bins).astype(np.int64), bins - 1)  # (H, W, K)
    places += bins * np.arange(kinds) + bins * kinds * labels[..., None]
    counts = np.bincount(places.ravel(), minlength=(int(labels.max()) + 1) * bins * kinds)
    rows = counts.reshape(-1, bins * kinds)
    normalised: Array = rows / rows.sum(axis=1, keepdims=True)
    return normalised


def texture_responses(channels: Array) -> Array:
    """Return how much each channel rises in each of eight directions, (H, W, 8 C), scaled to [0, 1].

        response[d] = max(0, cos(45° d) dx + sin(45° d) dy),   dx, dy: derivatives of the Gaussian, sigma 1

    A fall is a rise in the opposite direction. Each channel is divided by its largest response; the paper
    does not say over which range the ten bins lie.
    """
    from scipy.ndimage import gaussian_filter  # comes with scikit-image

    across, down = (
        gaussian_filter(channels, TEXTURE_SIGMA, order=order, axes=(0, 1), mode="nearest")
        for order in ((0, 1), (1, 0))
    )  # (H, W, C)
    angles = [2 * math.pi * direction / ORIENTATIONS for direction in range(ORIENTATIONS)]
    rises = np.stack([math.cos(angle) * across + math.sin(angle) * down for angle in angles], axis=-1)
    rises = np.maximum(rises, 0)  # (H, W, C, 8)
    largest = rises.max(axis=(0, 1, 3), keepdims=True)
    scaled = np.divide(rises, largest, out=np.zeros_like(rises), where=largest > 0)
    responses: Array = scaled.reshape(*scaled.shape[:2], -1)
    return responses


def joined(regions: Regions, first: int, second: int) -> tuple[float, Array, Array, Array]:
    """Return size, box, colours and textures of two regions together, without a look at the pixels.

    histogram = (size1 histogram1 + size2 histogram2) / (size1 + size2)
    """
    sizes = regions.sizes[[first, second]]
    boxes = regions.boxes[[first, second]]
    box = np.concatenate((boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)))
    size = sizes.sum()
    shares = sizes / size
    colours, textures = (
        shares[0] * table[first] + shares[1] * table[second] for table in (regions.colours, regions.textures)
    )
    return float(size), box, colours, textures
