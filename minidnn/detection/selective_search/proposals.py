"""All regions of several hierarchies as boxes, the likeliest first.

Source: Uijlings et al., "Selective search for object recognition", 2013, sections 3.3 and 5.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kernels.array import Array, check_floating, check_integer
from minidnn.detection.selective_search.descriptors import describe
from minidnn.detection.selective_search.grouping import group
from minidnn.detection.selective_search.segmentation import (
    COLOUR_SPACES,
    in_colour_space,
    neighbouring_pairs,
    segment,
)
from minidnn.detection.selective_search.similarity import MEASURES


@dataclass(frozen=True)
class Strategies:
    """Which hierarchies are built: one for each combination.

    Attributes:
        colour_spaces: "hsv", "lab", "rgi", "h", "i"; see `in_colour_space`.
        measures: sums of "colour", "texture", "size" and "fill"; see `similarity`.
        thresholds: of the segmentation, from 1 up; see `segment`.

    Raises:
        ValueError: an unknown colour space or measure, a threshold below 1, or none of one of them.
        TypeError: a threshold that is no integer.
    """

    colour_spaces: tuple[str, ...]
    measures: tuple[tuple[str, ...], ...]
    thresholds: tuple[int, ...]

    def __post_init__(self) -> None:
        for space in self.colour_spaces:
            if space not in COLOUR_SPACES:
                raise ValueError(f"colour_spaces must be of {', '.join(COLOUR_SPACES)}, got {space!r}")
        for measure in (name for names in self.measures for name in names):
            if measure not in MEASURES:
                raise ValueError(f"measures must be of {', '.join(MEASURES)}, got {measure!r}")
        for threshold in self.thresholds:
            check_integer("thresholds", threshold, minimum=1)
        if not (self.colour_spaces and self.measures and self.thresholds and all(self.measures)):
            raise ValueError(f"colour_spaces, measures and thresholds must not be empty, got {self}")


# Table 5. "Fast" gave about 2,100 boxes an image, "quality" about 10,100.
FAST = Strategies(
    ("hsv", "lab"), (("colour", "texture", "size", "fill"), ("texture", "size", "fill")), (50, 100)
)
QUALITY = Strategies(
    COLOUR_SPACES,
    (("colour", "texture", "size", "fill"), ("texture", "size", "fill"), ("fill",), ("size",)),
    (50, 100, 150, 300),
)


def selective_search(image: Array, strategies: Strategies = FAST, seed: int = 0) -> Array:
    """Return the boxes of all regions that the search finds, the likeliest first, none twice.

    Region i of a hierarchy, counted from the last, which is the whole image, has rank i u, with u drawn
    uniformly from [0, 1): large regions tend to come first, but not one hierarchy's before another's
    (section 3.3).

    Args:
        image: (3, H, W), red, green and blue in [0, 1].
        strategies: `FAST`, `QUALITY`, or others.
        seed: of the ranks, at least 0; the boxes do not depend on it.

    Returns:
        (K, 4), of the image's dtype, half-open and within the image.

    Raises:
        ValueError: an image of another shape, without pixels, or with values outside [0, 1]; a negative seed.
        TypeError: another dtype than float32 or float64.
        ImportError: scikit-image is not installed.
    """
    check_floating(image=image)
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise ValueError(f"image must have shape (3, H, W) with pixels, got {tuple(image.shape)}")
    if not (image.min() >= 0 and image.max() <= 1):
        raise ValueError(f"image must have values in [0, 1], got {image.min()} to {image.max()}")
    check_integer("seed", seed, minimum=0)
    draws = np.random.Generator(np.random.Philox(seed))
    boxes, ranks = [], []
    for regions in _hierarchies(image.transpose(1, 2, 0).astype(np.float64), strategies):
        positions = np.arange(len(regions), 0, -1)  # the last region is the first position
        boxes.append(regions)
        ranks.append(positions * draws.random(len(regions)))
    order = np.argsort(np.concatenate(ranks), kind="stable")
    ranked = np.concatenate(boxes)[order]
    _, first = np.unique(ranked, axis=0, return_index=True)
    return ranked[np.sort(first)].astype(image.dtype)


def _hierarchies(image: Array, strategies: Strategies) -> Iterator[Array]:
    """The boxes (K, 4) of each strategy's regions, in the order of their making; image (H, W, 3)."""
    pixels = image.shape[0] * image.shape[1]
    for space in strategies.colour_spaces:
        channels = in_colour_space(image, space)  # (H, W, C)
        for threshold in strategies.thresholds:
            labels = segment(channels, threshold)
            regions, pairs = describe(labels, channels), neighbouring_pairs(labels)
            for measures in strategies.measures:
                yield group(regions, pairs, pixels, measures).regions.boxes
