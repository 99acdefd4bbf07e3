"""Pasting masks: by hand, at the image's edge, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minidnn.detection import paste_masks_in_image
from minidnn.detection.masks import enlarge_boxes, masks_of_labels


def test_without_a_border_a_mask_fills_its_box() -> None:
    """Both corners' pixels belong to the box, so from 2 to 5 it is four wide."""
    pasted = paste_masks_in_image(np.ones((1, 1, 2, 2)), np.array([[2.0, 1, 5.9, 3.2]]), (6, 8), padding=0)
    want = np.zeros((6, 8))
    want[1:4, 2:6] = 1
    np.testing.assert_array_equal(pasted[0, 0], want)


def test_a_border_fades_out() -> None:
    """Two of four columns are the mask's, over a box twice as wide; bilinear between them and the zeros."""
    pasted = paste_masks_in_image(np.ones((1, 1, 2, 2)), np.array([[4.0, 4, 7, 7]]), (12, 12))
    # Grown to 2.5 .. 8.5, cut to 2 .. 8: seven pixels over four samples 0, 1, 1, 0.
    places = np.clip((np.arange(7) + 0.5) * 4 / 7 - 0.5, 0, None)
    row = np.interp(places, [0, 1, 2, 3], [0, 1, 1, 0])
    np.testing.assert_allclose(pasted[0, 0, 2:9, 2:9], np.outer(row, row), rtol=1e-12)
    assert pasted[0, 0].sum() == pytest.approx(row.sum() ** 2)


def test_what_is_outside_the_image_is_lost() -> None:
    boxes = np.array([[-2.0, -2, 1, 1], [20, 20, 30, 30], [-9, 3, -5, 6], [6, 4, 9, 9]])
    pasted = paste_masks_in_image(np.ones((4, 1, 3, 3)), boxes, (6, 8), padding=0)
    assert pasted[0, 0].sum() == 4
    assert not pasted[1:3].any()
    assert pasted[3, 0, 4:, 6:].all()
    assert pasted[3].sum() == 4


def test_no_masks_and_one_label() -> None:
    assert paste_masks_in_image(np.ones((0, 1, 3, 3)), np.zeros((0, 4)), (6, 8)).shape == (0, 1, 6, 8)
    chosen = masks_of_labels(np.arange(24.0).reshape(2, 3, 2, 2), np.array([2, 0]))
    assert chosen.tolist() == [[[[8, 9], [10, 11]]], [[[12, 13], [14, 15]]]]


def test_enlarging_by_hand() -> None:
    assert enlarge_boxes(np.array([[2.0, 4, 6, 12]]), 1.5).tolist() == [[1, 2, 7, 14]]


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=re.escape("masks must have shape (1, 1, M, M), got (1, 1, 3, 2)")):
        paste_masks_in_image(np.ones((1, 1, 3, 2)), np.zeros((1, 4)), (6, 8))
    with pytest.raises(ValueError, match="boxes must have finite corners"):
        paste_masks_in_image(np.ones((1, 1, 3, 3)), np.full((1, 4), np.nan), (6, 8))
