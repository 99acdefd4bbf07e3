"""Boxes: by hand, what they refuse, and what holds for all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidnn.detection.boxes import (
    box_area,
    box_convert,
    box_iou,
    clip_boxes_to_image,
    generalized_box_iou,
    remove_small_boxes,
)

BOXES = np.array([[0.0, 0, 4, 2], [2, 1, 6, 5], [7, 7, 7, 9]])
quarters = st.integers(0, 40).map(lambda number: number / 4)


@st.composite
def some_boxes(draw: st.DrawFn) -> np.ndarray:
    """Up to five boxes, also without area."""
    rows = draw(st.lists(st.tuples(quarters, quarters, quarters, quarters), max_size=5))
    return np.array([[x, y, x + w, y + h] for x, y, w, h in rows], float).reshape(-1, 4)


def test_forms_by_hand() -> None:
    assert box_convert(BOXES, "xyxy", "xywh").tolist() == [[0, 0, 4, 2], [2, 1, 4, 4], [7, 7, 0, 2]]
    assert box_convert(BOXES, "xyxy", "cxcywh").tolist() == [[2, 1, 4, 2], [4, 3, 4, 4], [7, 8, 0, 2]]
    assert box_convert(np.array([[2.0, 1, 4, 4]]), "xywh", "cxcywh").tolist() == [[4, 3, 4, 4]]
    assert box_area(BOXES).tolist() == [8, 16, 0]


def test_overlaps_by_hand() -> None:
    """The first two share 2 x 1 of 8 + 16 - 2; their hull is 6 x 5."""
    assert box_iou(BOXES, BOXES)[0].tolist() == [1, 2 / 22, 0]
    assert generalized_box_iou(BOXES[:1], BOXES[1:2]).item() == pytest.approx(2 / 22 - (30 - 22) / 30)
    assert generalized_box_iou(BOXES[:1], BOXES[:1]).item() == 1


def test_boxes_without_area_overlap_nothing() -> None:
    flat = np.array([[3.0, 3, 3, 3], [7, 7, 7, 9]])
    assert box_iou(flat, flat).tolist() == [[0, 0], [0, 0]]


def test_clipping_and_removing_by_hand() -> None:
    outside = np.array([[-3.0, 2, 20, 30], [11, 12, 15, 16]])
    assert clip_boxes_to_image(outside, (9, 10)).tolist() == [[0, 2, 10, 9], [10, 9, 10, 9]]
    assert clip_boxes_to_image(outside[None], (9, 10)).shape == (1, 2, 4)
    assert remove_small_boxes(BOXES, 2.0).tolist() == [0, 1]
    assert remove_small_boxes(BOXES, 0.0).tolist() == [0, 1, 2]
    assert remove_small_boxes(BOXES[:0], 1.0).tolist() == []


@settings(max_examples=50)
@given(some_boxes(), some_boxes())
def test_overlap_is_symmetric_and_within_bounds(a: np.ndarray, b: np.ndarray) -> None:
    overlaps, general = box_iou(a, b), generalized_box_iou(a, b)
    assert overlaps.shape == (len(a), len(b))
    np.testing.assert_array_equal(overlaps, box_iou(b, a).T)
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    assert (general <= overlaps).all()
    assert (general > -1 - 1e-12).all()


@settings(max_examples=50)
@given(some_boxes(), st.sampled_from(["xyxy", "xywh", "cxcywh"]), st.sampled_from(["xyxy", "xywh", "cxcywh"]))
def test_forms_lead_back(boxes: np.ndarray, first: str, second: str) -> None:
    there = box_convert(box_convert(boxes, "xyxy", first), first, second)
    np.testing.assert_allclose(box_convert(there, second, "xyxy"), boxes, rtol=0, atol=1e-12)


def test_float32_stays() -> None:
    boxes = BOXES.astype(np.float32)
    results = [box_convert(boxes, "xyxy", "cxcywh"), box_area(boxes), box_iou(boxes, boxes)]
    results += [generalized_box_iou(boxes, boxes), clip_boxes_to_image(boxes, (5, 5))]
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: box_area(BOXES[0]), ValueError, "boxes must have shape (K, 4), got (4,)"),
        (lambda: box_area(BOXES.astype(int)), TypeError, "boxes must have dtype"),
        (lambda: box_convert(BOXES, "xyxy", "yxyx"), ValueError, "out_fmt must be one of xyxy, xywh, cxcywh"),
        (lambda: box_convert(BOXES, "corners", "xyxy"), ValueError, "in_fmt must be one of"),
        (lambda: box_iou(BOXES, BOXES[:, :3]), ValueError, "boxes2 must have shape (K, 4), got (3, 3)"),
        (lambda: box_iou(BOXES, BOXES.astype(np.float32)), TypeError, "boxes2 has dtype float32"),
        (lambda: clip_boxes_to_image(BOXES[:, :3], (5, 5)), ValueError, "boxes must have shape (..., 4)"),
        (lambda: clip_boxes_to_image(BOXES, (0, 5)), ValueError, "size must be at least 1"),
        (lambda: remove_small_boxes(BOXES, -1.0), ValueError, "min_size must be at least 0"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
