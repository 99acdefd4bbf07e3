"""The two most alike neighbours become one region, again and again, until one is left.

Source: Uijlings et al., "Selective search for object recognition", 2013, algorithm 1.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels.array import Array
from minidnn.detection.selective_search.descriptors import Regions, joined
from minidnn.detection.selective_search.similarity import similarities


class Hierarchy(NamedTuple):
    """All regions that were there at some time.

    Attributes:
        regions: of the segmentation (the first N) and of each step (N - 1), in the order of their making.
        children: which two each step joined, (steps, 2).
    """

    regions: Regions
    children: Array


def group(first: Regions, pairs: Array, pixels: int, measures: Sequence[str]) -> Hierarchy:
    """Return the hierarchy that joining the most alike neighbours gives.

    Of equally alike pairs the one with the lowest numbers is joined. Similarities wait in a heap; a pair of
    which a region has been joined meanwhile is passed over when its turn comes.

    Args:
        first: the segmentation's N regions.
        pairs: those that touch, (E, 2); every region can be reached from every other.
        pixels: of the image.
        measures: names of `similarity.MEASURES`, whose sum decides.
    """
    count = len(first.sizes)
    regions = Regions(*(_with_room(table) for table in first))
    neighbours: list[set[int]] = [set() for _ in range(2 * count - 1)]
    for one, other in pairs.tolist():
        neighbours[one].add(other)
        neighbours[other].add(one)
    alike = similarities(regions, pairs[:, 0], pairs[:, 1], pixels, measures)
    queue = list(zip((-alike).tolist(), *pairs.T.tolist(), strict=True))
    heapq.heapify(queue)
    gone = [False] * (2 * count - 1)
    children: list[tuple[int, int]] = []
    while queue:
        _, one, other = heapq.heappop(queue)
        if gone[one] or gone[other]:
            continue
        gone[one] = gone[other] = True
        new = count + len(children)
        children.append((one, other))
        for table, entry in zip(regions, joined(regions, one, other), strict=True):
            table[new] = entry
        around = sorted((neighbours[one] | neighbours[other]) - {one, other})
        neighbours[new].update(around)
        for region in around:
            neighbours[region] -= {one, other}
            neighbours[region].add(new)
        alike = similarities(regions, np.array(around, np.int64), np.full(len(around), new), pixels, measures)
        for negative, region in zip((-alike).tolist(), around, strict=True):
            heapq.heappush(queue, (negative, region, new))
    return Hierarchy(regions, np.array(children, np.int64).reshape(-1, 2))


def _with_room(table: Array) -> Array:
    """The N rows, and room for those of N - 1 joined regions."""
    room = np.zeros((2 * len(table) - 1, *table.shape[1:]))
    room[: len(table)] = table
    return room
