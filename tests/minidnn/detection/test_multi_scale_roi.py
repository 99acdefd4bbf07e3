"""ROI align over a pyramid: which level, that each region is that level's, gradients, refusals."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minidnn
from minidnn import Tensor
from minidnn.detection import MultiScaleRoIAlign, multi_scale_roi_align
from minidnn.detection.multi_scale_roi import pyramid_levels
from minidnn.functional import roi_align
from tests.kernels.sample import Draw


def test_levels_by_hand() -> None:
    """The paper's example: 224 pixels belong to level 4, 112 to level 3; the ends hold the rest."""
    sides = np.array([224.0, 112, 111, 447, 448, 3, 5000, 0])
    boxes = np.stack((sides * 0, sides * 0, sides, sides), axis=1)
    assert pyramid_levels(boxes, 2, 5).tolist() == [4, 3, 2, 4, 5, 2, 5, 2]
    wide = np.array([[0.0, 0, 448, 112]])  # the area decides
    assert pyramid_levels(wide, 2, 5).tolist() == [4]


def test_each_region_is_pooled_from_its_level() -> None:
    draw = Draw(1)
    maps = {
        name: draw.normal(2, 3, *size) for name, size in (("a", (16, 20)), ("unused", (1, 1)), ("b", (8, 10)))
    }
    boxes = [np.array([[0.0, 0, 60, 50], [3, 4, 12, 15]]), np.array([[30.0, 20, 45, 41]])]
    layer = MultiScaleRoIAlign(["a", "b"], (2, 3), 2, canonical_scale=32, canonical_level=3)
    got = layer(maps, boxes, [(64, 80), (50, 60)]).numpy()
    assert got.shape == (3, 3, 2, 3)
    large, small, middle = (
        roi_align(maps[name], np.array([[image, *box]]), (2, 3), scale, 2).numpy()[0]
        for name, scale, image, box in (
            ("b", 1 / 8, 0, boxes[0][0]),
            ("a", 1 / 4, 0, boxes[0][1]),
            ("a", 1 / 4, 1, boxes[1][0]),
        )
    )
    np.testing.assert_array_equal(got, [large, small, middle])


def test_no_regions() -> None:
    layer = MultiScaleRoIAlign(["a"], 2, 2)
    assert layer({"a": np.ones((1, 3, 4, 4))}, [np.zeros((0, 4))], [(16, 16)]).shape == (0, 3, 2, 2)


def test_gradients() -> None:
    draw = Draw(4)
    maps = [
        Tensor(draw.normal(1, 2, 8, 6), requires_grad=True),
        Tensor(draw.normal(1, 2, 4, 3), requires_grad=True),
    ]
    boxes = [np.array([[0.0, 0, 20, 30], [2, 3, 9, 8], [1, 5, 8, 12]])]
    assert minidnn.gradcheck(lambda *x: multi_scale_roi_align(x, boxes, 2, (1 / 4, 1 / 8), 2, 16, 3), maps)


def test_repr_and_bad_arguments() -> None:
    layer = MultiScaleRoIAlign(["a", "b"], 7, 2)
    text = "MultiScaleRoIAlign(featmap_names=['a', 'b'], output_size=7, sampling_ratio=2)"
    assert repr(layer) == text
    maps = {"a": np.ones((1, 3, 4, 4))}
    with pytest.raises(ValueError, match=re.escape("x must have the feature maps ['a', 'b'], got ['a']")):
        layer(maps, [np.zeros((0, 4))], [(16, 16)])
    with pytest.raises(ValueError, match="image_shapes must hold one size per image, got none"):
        MultiScaleRoIAlign(["a"], 7, 2)(maps, [np.zeros((0, 4))], [])
    with pytest.raises(ValueError, match="scales must be one for each of x's levels"):
        multi_scale_roi_align([maps["a"]], [np.zeros((0, 4))], 2, (0.5, 0.25))
