from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from minidnn.data import FitImage, resize


@pytest.mark.reference
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("size", [(16, 11), (7, 5), (3, 2), (1, 1), (9, 3), (40, 40)])
def test_against_torch(size: tuple[int, int]) -> None:
    """PyTorch's antialiased bilinear interpolation: the same triangle, widened when reducing."""
    import torch

    images = np.random.default_rng(0).random((2, 3, 7, 5)).astype(np.float32)
    want = torch.nn.functional.interpolate(torch.from_numpy(images), size, mode="bilinear", antialias=True)
    np.testing.assert_allclose(resize(images, size), want.numpy(), atol=1e-6)


def test_enlarging_by_two() -> None:
    """Half-pixel centres: a quarter of the way to each neighbour, the border's pixel repeated."""
    row = np.array([[0.0, 1.0, 3.0]], np.float32)
    assert resize(row, (1, 6)).tolist() == [[0, 0.25, 0.75, 1.5, 2.5, 3]]


def test_reducing_counts_every_pixel() -> None:
    row = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    # Triangles of radius 2 around 0.5 and 2.5: weights 3, 3, 1 (of 7) from the nearer border inwards.
    np.testing.assert_allclose(resize(row, (1, 2)), [[12 / 7, 23 / 7]], rtol=1e-6)


def test_same_size_and_constant_images_stay() -> None:
    image = np.full((1, 4, 3), 0.3, np.float32)
    assert resize(image, (4, 3)) is image
    assert np.array_equal(resize(image, (9, 2)), np.full((1, 9, 2), 0.3, np.float32))


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((2, 2), 0, "size must be at least 1, got 0"),
        ((2, 2), (3, -1), "size must be at least 1, got -1"),
        ((4,), 2, r"images must have shape \(..., H, W\) with pixels, got \(4,\)"),
        ((4, 0), 2, "images must have shape"),
    ],
)
def test_bad_sizes(shape: tuple[int, ...], size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resize(np.zeros(shape, np.float32), size)


def test_fit_image_converts_channels_and_size() -> None:
    colour = np.stack([np.full((2, 4), value, np.float32) for value in (1.0, 0.5, 0.25)])
    grey = FitImage(channels=1)(colour)
    np.testing.assert_allclose(grey, np.full((1, 2, 4), 0.299 + 0.587 / 2 + 0.114 / 4), rtol=1e-6)
    assert FitImage(size=8, channels=3)(grey).shape == (3, 8, 8)
    assert FitImage()(colour) is colour
    with pytest.raises(
        ValueError, match=r"image must have 1 or 3 channels to be converted, got shape \(2, 2, 4\)"
    ):
        FitImage(channels=3)(colour[:2])
    with pytest.raises(ValueError, match="channels must be 1 or 3, got 2"):
        FitImage(channels=2)
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        FitImage(size=0)
