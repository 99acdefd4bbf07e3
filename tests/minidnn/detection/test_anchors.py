"""Anchors by hand, against the figures of the paper, and what the generator refuses."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor
from minidnn.detection import AnchorGenerator, ImageList
from minidnn.detection.anchors import cell_anchors, shifted_over_grid


def test_cells_by_hand() -> None:
    """Ratio 1/4 is twice as wide and half as high; sizes vary fastest."""
    assert cell_anchors([8, 16], [1.0, 0.25]).tolist() == [
        [-4, -4, 4, 4],
        [-8, -8, 8, 8],
        [-8, -2, 8, 2],
        [-16, -4, 16, 4],
    ]


def test_cells_keep_their_area_and_ratio_up_to_rounding() -> None:
    sizes, ratios = (128, 256, 512), (0.5, 1.0, 2.0)
    anchors = cell_anchors(sizes, ratios).reshape(3, 3, 4)
    width, height = anchors[..., 2] - anchors[..., 0], anchors[..., 3] - anchors[..., 1]
    np.testing.assert_allclose(height / width, np.repeat(ratios, 3).reshape(3, 3), rtol=0.02)
    np.testing.assert_allclose(np.sqrt(width * height), [sizes] * 3, rtol=0.01)


def test_grid_by_hand() -> None:
    """Two rows of three places, 10 apart down and 20 across, two anchors each."""
    cells = np.array([[-1.0, -2, 1, 2], [0, 0, 5, 5]])
    grid = shifted_over_grid(cells, (2, 3), (10, 20))
    assert grid.shape == (12, 4)
    assert grid[2:4].tolist() == [[19, -2, 21, 2], [20, 0, 25, 5]]
    assert grid[6:8].tolist() == [[-1, 8, 1, 12], [0, 10, 5, 15]]


def test_levels_follow_each_other_and_images_are_alike() -> None:
    generator = AnchorGenerator((32, 64), (0.5, 1.0, 2.0))  # one size a level, the same ratios
    images = ImageList(Tensor(np.zeros((2, 3, 40, 64), np.float32)), [(40, 64), (30, 50)])
    maps = [Tensor(np.zeros((2, 8, 10, 16), np.float32)), Tensor(np.zeros((2, 8, 5, 8), np.float32))]
    first, second = generator(images, maps)
    assert generator.num_anchors_per_location() == [3, 3]
    assert first.shape == (3 * (160 + 40), 4)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    middle = (first[:, :2] + first[:, 2:]) / 2
    assert middle[3].tolist() == [4, 0]  # stride 64 / 16
    assert middle[480 + 3].tolist() == [8, 0]  # stride 64 / 8 on the second level


def test_a_sliding_position_of_the_paper_has_nine_anchors() -> None:
    """A map of 60 x 40 has about 20000 anchors, as the paper counts (section 3.1.1 and 3.3)."""
    generator = AnchorGenerator()
    assert generator.num_anchors_per_location() == [9]
    assert len(generator.grid_anchors([(40, 60)], [(16, 16)])[0]) == 21600


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="aspect_ratios must have one list for each of the 2 levels"):
        AnchorGenerator(((32,), (64,)), ((1.0,),))
    with pytest.raises(ValueError, match="sizes and aspect_ratios must be positive"):
        AnchorGenerator(((32,),), ((0.0,),))
    with pytest.raises(ValueError, match="feature maps must be 1, one for each level of sizes, got 2"):
        AnchorGenerator().grid_anchors([(2, 2)] * 2, [(1, 1)] * 2)
