"""Warped regions by hand and point by point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from minidnn.detection.warping import warp_regions


def pixel(image: np.ndarray, channel: int, row: int, column: int) -> float:
    height, width = image.shape[1:]
    return float(image[channel, row, column]) if 0 <= row < height and 0 <= column < width else 0.0


def value_at(image: np.ndarray, channel: int, y: float, x: float) -> float:
    """Bilinear interpolation between the four nearest centres."""
    top, left = math.floor(y - 0.5), math.floor(x - 0.5)
    down, right = y - 0.5 - top, x - 0.5 - left
    return (
        (1 - down) * (1 - right) * pixel(image, channel, top, left)
        + (1 - down) * right * pixel(image, channel, top, left + 1)
        + down * (1 - right) * pixel(image, channel, top + 1, left)
        + down * right * pixel(image, channel, top + 1, left + 1)
    )


@pytest.mark.parametrize(("size", "padding"), [(11, 2), (16, 0), (7, 3)])
def test_every_point_by_its_formula(size: int, padding: int) -> None:
    """The whole square shows a region grown by padding / (size - 2 padding) of its sides."""
    generator = np.random.default_rng(size)
    image = generator.normal(size=(2, 9, 13))
    boxes = np.array([[2.3, 1.7, 9.1, 6.2], [0, 0, 13, 9], [-3, 4, 2, 20], [5, 5, 5.5, 5.25]])
    got = warp_regions(image, boxes, size, padding)
    assert got.shape == (4, 2, size, size)
    for box, square in zip(boxes, got, strict=True):
        x1, y1, x2, y2 = box
        margin = padding / (size - 2 * padding)
        left, top = x1 - margin * (x2 - x1), y1 - margin * (y2 - y1)
        width, height = (1 + 2 * margin) * (x2 - x1), (1 + 2 * margin) * (y2 - y1)
        for (channel, row, column), value in np.ndenumerate(square):
            y, x = top + height * (row + 0.5) / size, left + width * (column + 0.5) / size
            assert value == pytest.approx(value_at(image, channel, y, x), abs=1e-12)


def test_a_box_of_the_squares_own_size_is_cut_out() -> None:
    image = np.random.default_rng(0).normal(size=(3, 20, 24)).astype(np.float32)
    got = warp_regions(image, np.array([[6, 5, 12, 11]], np.float32), size=10, padding=2)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0], image[:, 3:13, 4:14], atol=1e-6)


def test_context_and_mean_by_hand() -> None:
    """A square of ones that fills its image: it fills the inner 4 x 4 pixels, what lies beyond is 0."""
    got = warp_regions(np.ones((1, 4, 4)), np.array([[0.0, 0, 4, 4]]), size=8, padding=2)[0, 0]
    want = np.zeros((8, 8))
    want[2:6, 2:6] = 1
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_against_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    generator = np.random.default_rng(5)
    image = generator.normal(size=(3, 30, 40))
    corners = generator.uniform([-5, -5, 15, 12], [12, 10, 45, 35], (6, 4))
    size, padding = 23, 4
    grown = (corners[:, 2:] - corners[:, :2]) * padding / (size - 2 * padding)
    low, high = corners[:, :2] - grown, corners[:, 2:] + grown
    scale = torch.tensor((high - low) / [40, 30])
    shift = torch.tensor((high + low) / [40, 30] - 1)
    theta = torch.zeros(6, 2, 3, dtype=torch.float64)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale[:, 0], scale[:, 1], shift
    grid = torch.nn.functional.affine_grid(theta, (6, 3, size, size), align_corners=False)
    images = torch.tensor(image)[None].expand(6, -1, -1, -1)
    want = torch.nn.functional.grid_sample(images, grid, "bilinear", "zeros", align_corners=False)
    np.testing.assert_allclose(warp_regions(image, corners, size, padding), want.numpy(), atol=1e-10)


def test_no_boxes() -> None:
    assert warp_regions(np.zeros((3, 5, 5)), np.zeros((0, 4))).shape == (0, 3, 227, 227)


BOX = np.array([[1.0, 1, 3, 3]])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((5, 5)), BOX), ValueError, r"image must have shape \(C, H, W\), got \(5, 5\)"),
        ((np.zeros((3, 5, 5)), BOX[0]), ValueError, r"boxes must have shape \(K, 4\)"),
        ((np.zeros((3, 5, 5)), BOX[:, ::-1].copy()), ValueError, "x1 < x2 and y1 < y2"),
        ((np.zeros((3, 5, 5)), BOX * np.nan), ValueError, "finite corners"),
        ((np.zeros((3, 5, 5)), BOX.astype(np.float32)), TypeError, "boxes"),
        ((np.zeros((3, 5, 5)), BOX, 0), ValueError, "size must be at least 1"),
        ((np.zeros((3, 5, 5)), BOX, 8, 4), ValueError, "padding must be less than half of size 8, got 4"),
        ((np.zeros((3, 5, 5)), BOX, 8, -1), ValueError, "padding must be at least 0"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        warp_regions(*arguments)
