"""Run lengths and polygons: by hand, against pycocotools, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidnn.data.mask_formats import counts_of_text, mask_of_polygons, mask_of_run_lengths, run_lengths

SIZE = (13, 9)


@pytest.fixture(scope="module")
def coco() -> Any:
    return pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")


@st.composite
def some_mask(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    seed, share = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    return np.random.default_rng(seed).random((height, width)) < share


def test_run_lengths_begin_with_what_does_not_belong() -> None:
    assert run_lengths(np.array([[True, False], [True, True]])) == {"size": [2, 2], "counts": [0, 2, 1, 1]}
    assert run_lengths(np.zeros((2, 3), bool))["counts"] == [6]


def test_run_lengths_are_read_down_the_columns() -> None:
    want = [[False, True, False], [True, False, False]]
    assert mask_of_run_lengths([1, 2, 3], (2, 3)).tolist() == want


def test_text_by_hand() -> None:
    """Two groups for 37 = 5 + 32; the fourth number is told by its difference -3 from the second, 5."""
    assert counts_of_text("5") == [5]
    assert counts_of_text(chr(48 + 5 + 32) + chr(48 + 1)) == [37]
    assert counts_of_text("151" + chr(48 + 32 - 3)[:1]) == [1, 5, 1, 2]


@given(some_mask())
@settings(max_examples=60)
def test_run_lengths_and_back(mask: np.ndarray) -> None:
    assert np.array_equal(mask_of_run_lengths(run_lengths(mask)["counts"], mask.shape), mask)


@pytest.mark.parametrize("seed", range(4))
def test_texts_of_pycocotools(coco: Any, seed: int) -> None:
    """Runs of up to thousands of pixels, so that numbers take one to three characters."""
    generator = np.random.default_rng(seed)
    lengths = generator.choice([1, 3, 17, 400, 6000], 300)
    pixels = np.repeat(np.arange(300) % 2, lengths).astype(np.uint8)
    width = 50
    pixels = pixels[: len(pixels) // width * width]
    mask = np.asfortranarray(pixels.reshape(width, -1).T)
    encoded = coco.encode(mask)
    text = encoded["counts"].decode()
    assert np.array_equal(mask_of_run_lengths(text, mask.shape), mask.astype(bool))
    assert counts_of_text(text) == run_lengths(mask.astype(bool))["counts"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 2], "must add up to the 2 x 3 pixels, got 5"),
        ([7, -1], "must be integers from 0 up"),
        ([6.0], "must be integers from 0 up"),
        (6, "must be integers from 0 up, got 6"),
        ("\x1f", "must be a text of COCO's run lengths"),
        ("P", "one that is cut off"),
        ("P" * 40, "must be a text of COCO's run lengths"),
    ],
)
def test_broken_run_lengths(counts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mask_of_run_lengths(counts, (2, 3))


def test_a_rectangle_covers_its_pixels() -> None:
    """Corners on the pixels' edges leave no doubt."""
    mask = mask_of_polygons([[2, 3, 7, 3, 7, 10, 2, 10]], SIZE)
    want = np.zeros(SIZE, bool)
    want[3:10, 2:7] = True
    assert np.array_equal(mask, want)


def test_polygons_are_joined_and_a_hole_stays() -> None:
    """An outline that crosses itself has holes; two polygons have none in common."""
    outer, inner = [0, 0, 9, 0, 9, 13, 0, 13], [3, 3, 6, 3, 6, 9, 3, 9]
    joined = mask_of_polygons([outer, inner], SIZE)
    assert joined.all()
    bridged = mask_of_polygons([[*outer, 0, 0, *inner, 3, 3]], SIZE)
    assert not bridged[4:8, 4].any()
    assert bridged[:, [0, 8]].all()


def test_a_large_polygon_has_the_area_of_its_formula() -> None:
    """The shoelace formula, to within the pixels along the outline."""
    points = np.array([[10.3, 20.1], [180.7, 5.2], [150.2, 160.9], [60.4, 110.6], [20.9, 180.3]])
    x, y = points.T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    covered = mask_of_polygons([points.ravel().tolist()], (200, 200)).sum()
    assert covered == pytest.approx(area, rel=0.01)


# Its compiled part does not know of NumPy 2's copy argument.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("seed", range(12))
def test_polygons_of_pycocotools(coco: Any, seed: int) -> None:
    """Random outlines with quarters among their corners, also outside the image, and joined ones."""
    generator = np.random.default_rng(seed)
    size = tuple(int(side) for side in generator.integers(5, 60, 2))
    height, width = size
    polygons = []
    for count in generator.integers(3, 9, generator.integers(1, 4)):
        points = generator.uniform(-0.4, 1.4, (count, 2)) * [width, height]
        if seed % 2:
            points = np.round(4 * points) / 4
        polygons.append(points.ravel().tolist())
    theirs = coco.decode(coco.merge(coco.frPyObjects(polygons, height, width))).astype(bool)
    assert np.array_equal(mask_of_polygons(polygons, size), theirs)


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([], "polygons must be at least one list of numbers"),
        (None, "polygons must be at least one list of numbers"),
        ([[1, 2, 3, 4]], "at least three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "at least three points"),
        ([7], "at least three points, got 7"),
        ([[1, 2, 3, 4, 5, float("nan")]], "finite numbers"),
        ([[1, 2, 3, 4, 5, "6"]], "finite numbers"),
        ([[1, 2, 3, 4, 5, 1e9]], "must lie in its image of 13 x 9 pixels"),
    ],
)
def test_broken_polygons(polygons: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mask_of_polygons(polygons, SIZE)
