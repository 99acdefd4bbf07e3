"""Histograms, textures and similarities by formulas of their own, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minidnn.detection.selective_search.descriptors import (
    Regions,
    bounding_boxes,
    describe,
    histograms,
    texture_responses,
)
from minidnn.detection.selective_search.similarity import MEASURES, similarities
from tests.minidnn.detection.selective_search.scenes import patches

pytest.importorskip("scipy.ndimage", reason="SciPy is not installed")


def test_boxes_by_hand() -> None:
    labels = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 0, 2, 2]])
    assert bounding_boxes(labels).tolist() == [[0, 0, 2, 3], [2, 0, 4, 2], [1, 1, 4, 3]]


@pytest.mark.parametrize("bins", [10, 25])
def test_histograms_by_numpy(bins: int) -> None:
    labels, values = patches(0)
    values[0, :3] = [[0, 1, 0.5], [1, 0, 0.4], [0.2, 0.999, 1]]
    got = histograms(labels, values, bins)
    for region in range(labels.max() + 1):
        inside = values[labels == region]  # (pixels, 3)
        counts = [np.histogram(inside[:, channel], bins, (0, 1))[0] for channel in range(3)]
        np.testing.assert_allclose(got[region], np.concatenate(counts) / (3 * len(inside)), rtol=1e-12)
    np.testing.assert_allclose(got.sum(axis=1), 1)


def derivative(line: np.ndarray) -> np.ndarray:
    """A line's derivative, smoothed by a sampled Gaussian of sigma 1 over 4 pixels to each side."""
    places = np.arange(-4, 5)
    bell = np.exp(-(places**2) / 2)
    return np.convolve(np.pad(line, 4, mode="edge"), -places * bell / bell.sum(), mode="valid")


def smoothed(line: np.ndarray) -> np.ndarray:
    bell = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    return np.convolve(np.pad(line, 4, mode="edge"), bell / bell.sum(), mode="valid")


def test_textures_by_convolutions_along_the_lines() -> None:
    channels = patches(1, 12, 15, channels=2)[1]
    got = texture_responses(channels)
    assert got.shape == (12, 15, 16)
    for channel in range(2):
        plane = channels[..., channel]
        across = np.apply_along_axis(smoothed, 0, np.apply_along_axis(derivative, 1, plane))
        down = np.apply_along_axis(smoothed, 1, np.apply_along_axis(derivative, 0, plane))
        length, angle = np.hypot(across, down), np.arctan2(down, across)
        want = np.stack([np.maximum(length * np.cos(angle - math.pi / 4 * d), 0) for d in range(8)], axis=-1)
        np.testing.assert_allclose(got[..., 8 * channel : 8 * channel + 8], want / want.max(), atol=1e-12)


def test_a_plain_image_has_no_texture() -> None:
    assert not texture_responses(np.full((6, 7, 3), 0.4)).any()
    regions = describe(np.zeros((6, 7), np.int64), np.full((6, 7, 3), 0.4))
    assert regions.textures[0, ::10].sum() == pytest.approx(1)


def test_similarities_by_pixels() -> None:
    """Sums over single bins and over pixels that are counted in the plane, not taken from the descriptors."""
    labels, channels = patches(2)
    regions = describe(labels, channels)
    pixels = labels.size
    for one, other in ((0, 1), (3, 7), (2, 2 + 4)):
        mask = (labels == one) | (labels == other)
        rows, columns = np.nonzero(mask)
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        colours, textures = (
            sum(min(a, b) for a, b in zip(table[one].tolist(), table[other].tolist(), strict=True))
            for table in (
                histograms(labels, channels, 25),
                histograms(labels, texture_responses(channels), 10),
            )
        )
        want = {
            "colour": colours,
            "texture": textures,
            "size": 1 - mask.sum() / pixels,
            "fill": 1 - (box - mask.sum()) / pixels,
        }
        first, second = np.array([one]), np.array([other])
        for name, value in want.items():
            assert MEASURES[name](regions, first, second, pixels).item() == pytest.approx(value, rel=1e-12)
        both = similarities(regions, first, second, pixels, ("texture", "fill")).item()
        assert both == pytest.approx(want["texture"] + want["fill"], rel=1e-12)


def test_similarities_of_no_pairs() -> None:
    regions = Regions(np.ones(2), np.zeros((2, 4)), np.zeros((2, 25)), np.zeros((2, 80)))
    none = np.zeros(0, np.int64)
    assert similarities(regions, none, none, 9, tuple(MEASURES)).shape == (0,)
