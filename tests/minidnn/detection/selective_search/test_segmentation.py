"""Colour spaces by their formulas, regions that are known, neighbours by looking at every pair of pixels."""

from __future__ import annotations

import colorsys
import sys

import numpy as np
import pytest

from minidnn.detection.selective_search.segmentation import in_colour_space, neighbouring_pairs, segment
from tests.minidnn.detection.selective_search.scenes import patches

pytest.importorskip("skimage", reason="scikit-image is not installed")


def colours(seed: int = 0) -> np.ndarray:
    """Random ones, and black, white, grey and pure ones: (5, 6, 3)."""
    image = np.random.default_rng(seed).random((5, 6, 3))
    image[0] = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    return image


def lab_by_formula(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """CIE L*a*b* of sRGB under D65, from the primaries' chromaticities."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    primaries = np.array([[0.64, 0.33, 0.03], [0.30, 0.60, 0.10], [0.15, 0.06, 0.79]]).T
    white = np.array([0.3127, 0.3290, 0.3583]) / 0.3290
    matrix = primaries * np.linalg.solve(primaries, white)
    f = []
    for t in (matrix @ linear / white).tolist():
        f.append(t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29)
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def test_hue_saturation_and_value_by_colorsys() -> None:
    image = colours()
    want = np.array([[colorsys.rgb_to_hsv(*pixel) for pixel in row] for row in image.tolist()])
    np.testing.assert_allclose(in_colour_space(image, "hsv"), want, atol=1e-12)
    np.testing.assert_allclose(in_colour_space(image, "h"), want[..., :1], atol=1e-12)


def test_lab_by_its_formula() -> None:
    image = colours(1)
    want = np.array([[lab_by_formula(*pixel) for pixel in row] for row in image.tolist()])
    got = in_colour_space(image, "lab") * [100, 255, 255] - [0, 128, 128]
    np.testing.assert_allclose(got, want, atol=0.02)  # the library's constants have four digits


def test_shares_and_intensity_by_hand() -> None:
    image = np.array([[[0.2, 0.3, 0.5], [0.0, 0.0, 0.0], [0.9, 0.0, 0.0]]])
    want = [[[0.2, 0.3, 1 / 3], [1 / 3, 1 / 3, 0], [1, 0, 0.3]]]
    np.testing.assert_allclose(in_colour_space(image, "rgi"), want, atol=1e-12)
    np.testing.assert_allclose(in_colour_space(image, "i"), np.array(want)[..., 2:], atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_plain_halves_are_two_regions(channels: int) -> None:
    image = np.zeros((30, 40, channels))
    image[:, 16:] = 0.8
    labels = segment(image, 50)
    assert labels.dtype == np.int64
    assert np.array_equal(np.unique(labels), [0, 1])
    assert (labels[:, :14] == labels[0, 0]).all()  # the border itself is smoothed
    assert (labels[:, 18:] == labels[0, -1]).all()


def test_regions_are_as_large_as_the_threshold_and_numbered_without_gaps() -> None:
    labels = segment(np.random.default_rng(3).random((40, 50, 3)), 60)
    sizes = np.bincount(labels.ravel())
    assert len(sizes) > 1
    assert sizes.min() >= 60


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_by_every_pair_of_pixels(seed: int) -> None:
    labels = patches(seed)[0]
    labels[4:6, 5:8] = labels.max() + 1  # an island
    want = set()
    for (row, column), label in np.ndenumerate(labels):
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                y, x = row + down, column + across
                if 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1] and labels[y, x] > label:
                    want.add((int(label), int(labels[y, x])))
    assert neighbouring_pairs(labels).tolist() == sorted(map(list, want))


def test_without_scikit_image_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(ImportError, match=r'pip install "minidnn\[detection\]"'):
        segment(np.zeros((5, 5, 3)), 50)
