"""The ROI layers' text and the forms of regions they take."""

from __future__ import annotations

import numpy as np

from minidnn import nn
from tests.kernels.sample import Draw


def test_repr() -> None:
    assert repr(nn.RoIPool((7, 7), 1 / 16)) == "RoIPool(output_size=(7, 7), spatial_scale=0.0625)"
    assert repr(nn.RoIAlign(7, 0.25, 2, aligned=True)) == (
        "RoIAlign(output_size=7, spatial_scale=0.25, sampling_ratio=2, aligned=True)"
    )


def test_boxes_of_each_image_are_regions_with_their_index() -> None:
    x = Draw(1).normal(2, 3, 7, 9)
    boxes = [np.array([[1.0, 1, 6, 5]]), np.array([[0.0, 0, 8, 6], [2, 1, 5, 4]])]
    rois = np.array([[0.0, 1, 1, 6, 5], [1, 0, 0, 8, 6], [1, 2, 1, 5, 4]])
    for layer in (nn.RoIPool(2, 1.0), nn.RoIAlign(2, 1.0, -1)):
        assert np.array_equal(layer(x, boxes).numpy(), layer(x, rois).numpy())
