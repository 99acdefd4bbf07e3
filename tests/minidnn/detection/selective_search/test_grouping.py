"""Grouping against the paper's algorithm on pixels, where every joined region is described anew."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn.detection.selective_search.descriptors import describe, texture_responses
from minidnn.detection.selective_search.grouping import group
from minidnn.detection.selective_search.segmentation import neighbouring_pairs
from tests.minidnn.detection.selective_search.scenes import patches

pytest.importorskip("scipy.ndimage", reason="SciPy is not installed")
ALL = ("colour", "texture", "size", "fill")
Pixels = tuple[np.ndarray, np.ndarray]  # the channels (H, W, C) and their textures (H, W, 8 C)


def histogram(values: np.ndarray, bins: int) -> np.ndarray:
    """Of values (pixels, K), one after the other, adding up to 1."""
    counts = [np.histogram(column, bins, (0, 1))[0] for column in values.T]
    return np.concatenate(counts) / values.size


def box_of(mask: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def touching(one: np.ndarray, other: np.ndarray) -> bool:
    padded = np.pad(one, 1)
    height, width = one.shape
    return any(
        (padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] & other).any()
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    )


def alike(one: np.ndarray, other: np.ndarray, pixels: Pixels, measures: tuple[str, ...]) -> float:
    """The sum of the measures of two masks, from their pixels."""
    x1, y1, x2, y2 = box_of(one | other)
    count = one.sum() + other.sum()
    channels, textures = pixels
    values = {
        "colour": np.minimum(histogram(channels[one], 25), histogram(channels[other], 25)).sum(),
        "texture": np.minimum(histogram(textures[one], 10), histogram(textures[other], 10)).sum(),
        "size": 1 - count / one.size,
        "fill": 1 - ((x2 - x1) * (y2 - y1) - count) / one.size,
    }
    return sum(values[name] for name in measures)


def grouped_on_pixels(
    labels: np.ndarray, channels: np.ndarray, measures: tuple[str, ...]
) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    """Algorithm 1, with a table of all similarities and masks."""
    pixels = channels, texture_responses(channels)
    masks = [labels == region for region in range(labels.max() + 1)]
    table = {
        (i, j): alike(masks[i], masks[j], pixels, measures)
        for j in range(len(masks))
        for i in range(j)
        if touching(masks[i], masks[j])
    }
    children = []
    while table:
        i, j = max(table, key=lambda pair: table[pair])
        masks.append(masks[i] | masks[j])
        children.append((i, j))
        new = len(masks) - 1
        around = {region for pair in table if {i, j} & set(pair) for region in pair} - {i, j}
        table = {pair: value for pair, value in table.items() if not {i, j} & set(pair)}
        for region in around:
            table[region, new] = alike(masks[region], masks[new], pixels, measures)
    return masks, children


@pytest.mark.parametrize("measures", [ALL, ("texture", "size", "fill"), ("colour",), ("fill",)])
def test_the_steps_are_the_algorithms(measures: tuple[str, ...]) -> None:
    for seed in range(2):
        labels, channels = patches(seed)
        masks, children = grouped_on_pixels(labels, channels, measures)
        got = group(describe(labels, channels), neighbouring_pairs(labels), labels.size, measures)
        assert got.children.tolist() == [list(pair) for pair in children]
        assert got.regions.boxes.tolist() == [box_of(mask) for mask in masks]


def test_what_is_known_of_a_joined_region_is_what_its_pixels_say() -> None:
    labels, channels = patches(7)
    regions, children = group(describe(labels, channels), neighbouring_pairs(labels), labels.size, ALL)
    count = labels.max() + 1
    assert len(regions.sizes) == 2 * count - 1
    masks = [labels == region for region in range(count)]
    for one, other in children:
        masks.append(masks[one] | masks[other])
    textures = texture_responses(channels)
    for region, mask in enumerate(masks):
        assert regions.sizes[region] == mask.sum()
        np.testing.assert_allclose(regions.colours[region], histogram(channels[mask], 25), atol=1e-12)
        np.testing.assert_allclose(regions.textures[region], histogram(textures[mask], 10), atol=1e-12)
    assert masks[-1].all()


def test_of_equals_the_first_are_joined() -> None:
    """Four equal squares in a row: the first two, then the last two, then both."""
    labels = np.repeat(np.arange(4), 3)[None].repeat(3, axis=0)
    regions, children = group(
        describe(labels, np.full((3, 12, 1), 0.5)), neighbouring_pairs(labels), labels.size, ("size",)
    )
    assert children.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert regions.boxes[-1].tolist() == [0, 0, 12, 3]


def test_a_single_region_stays_alone() -> None:
    labels = np.zeros((3, 4), np.int64)
    regions, children = group(
        describe(labels, np.full((3, 4, 3), 0.5)), neighbouring_pairs(labels), labels.size, ALL
    )
    assert children.shape == (0, 2)
    assert regions.boxes.tolist() == [[0, 0, 4, 3]]
