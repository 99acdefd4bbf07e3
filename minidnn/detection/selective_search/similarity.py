"""How alike two regions are, each measure in [0, 1]; the search adds up some of them.

Source: Uijlings et al., "Selective search for object recognition", 2013, section 3.2, "Complementary
similarity measures".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from kernels.array import Array
from minidnn.detection.selective_search.descriptors import Regions

# (regions, numbers (E,), numbers (E,), pixels of the image) -> similarities (E,) of one to the other
Measure: TypeAlias = Callable[[Regions, Array, Array, int], Array]


def colour(regions: Regions, first: Array, second: Array, pixels: int) -> Array:
    """Return the intersection of the colour histograms: sum over bins of min(c1, c2)."""
    shared: Array = np.minimum(regions.colours[first], regions.colours[second]).sum(axis=1)
    return shared


def texture(regions: Regions, first: Array, second: Array, pixels: int) -> Array:
    """Return the intersection of the texture histograms: sum over bins of min(t1, t2)."""
    shared: Array = np.minimum(regions.textures[first], regions.textures[second]).sum(axis=1)
    return shared


def size(regions: Regions, first: Array, second: Array, pixels: int) -> Array:
    """Return 1 - (size1 + size2) / pixels: small regions join early, so none swallows all others."""
    share: Array = (regions.sizes[first] + regions.sizes[second]) / pixels
    return 1 - share


def fill(regions: Regions, first: Array, second: Array, pixels: int) -> Array:
    """Return 1 - (area of the box around both - size1 - size2) / pixels: regions that fit into each other."""
    one, other = regions.boxes[first], regions.boxes[second]  # (E, 4)
    sides = np.maximum(one[:, 2:], other[:, 2:]) - np.minimum(one[:, :2], other[:, :2])
    gap: Array = sides.prod(axis=1) - regions.sizes[first] - regions.sizes[second]
    return 1 - gap / pixels


MEASURES: Mapping[str, Measure] = {"colour": colour, "texture": texture, "size": size, "fill": fill}


def similarities(
    regions: Regions, first: Array, second: Array, pixels: int, measures: Sequence[str]
) -> Array:
    """Return the sum (E,) of the named measures of each of `first` (E,) and `second` (E,)."""
    total = np.zeros(len(first))
    for name in measures:
        total += MEASURES[name](regions, first, second, pixels)
    return total
