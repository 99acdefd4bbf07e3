"""The losses by hand, their gradients, and what they are where nothing was drawn."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import minidnn
from minidnn import Tensor
from minidnn.detection import fastrcnn_loss, maskrcnn_loss, rpn_loss
from minidnn.detection.losses import project_masks_on_boxes
from tests.kernels.sample import Draw

POSITIVE, NEGATIVE = np.array([True, False, False, False]), np.array([False, True, False, True])


def test_rpn_loss_by_hand() -> None:
    """Three of four anchors are drawn; the first is off by 2 (on the line) and 1/18 (on the parabola)."""
    objectness = Tensor(np.array([0.0, 0.0, 50.0, math.log(3)]))
    deltas = np.zeros((4, 4))
    deltas[0] = [2, 1 / 18, 0, 0]
    deltas[1] = 7  # background has no box to learn
    losses = rpn_loss(objectness, Tensor(deltas), np.zeros((4, 4)), POSITIVE, NEGATIVE)
    assert losses[0].item() == pytest.approx((math.log(2) + math.log(2) + math.log(4)) / 3)
    assert losses[1].item() == pytest.approx((2 - 1 / 18 + (1 / 18) ** 2 / 2 * 9) / 3)


def test_fastrcnn_loss_by_hand() -> None:
    """Only the codes of the label's class count, and only those of objects."""
    logits = Tensor(np.array([[0.0, 0, 0], [0, math.log(2), 0]]))
    codes = np.full((2, 12), 5.0)
    codes[1, 4:8] = [1, 0, 0, 0]
    losses = fastrcnn_loss(logits, Tensor(codes), np.array([0, 1]), np.zeros((2, 4)))
    assert losses[0].item() == pytest.approx((math.log(3) + math.log(2)) / 2)
    assert losses[1].item() == pytest.approx((1 - 1 / 18) / 2)


def test_mask_loss_by_hand() -> None:
    """The left half of the box is the object's; the logits of other classes do not count."""
    mask = np.zeros((1, 4, 8), np.uint8)
    mask[:, :, :4] = 1
    logits = np.full((1, 3, 2, 2), 9.0)
    logits[0, 2] = [[math.log(3), math.log(3)], [0, 0]]
    loss = maskrcnn_loss(
        Tensor(logits), [np.array([[0.0, 0, 8, 4]])], [mask], [np.array([2])], [np.array([0])]
    )
    # ROI align samples a bin at x = 0.5, 1.5, 2.5, 3.5, pixels lie at whole numbers: the last sample is
    # half of the object's last column and half of the one beside it.
    wanted = project_masks_on_boxes(mask, np.array([[0.0, 0, 8, 4]]), np.array([0]), 2)
    assert wanted.tolist() == [[[0.875, 0], [0.875, 0]]]
    first = [0.875 * math.log(4 / 3) + 0.125 * math.log(4), math.log(4)]
    assert loss.item() == pytest.approx((sum(first) + 2 * math.log(2)) / 4)


def test_losses_of_nothing_are_zero_and_have_gradients() -> None:
    none, objectness = np.zeros(4, bool), Tensor(np.ones(4), requires_grad=True)
    deltas, logits = Tensor(np.ones((4, 4)), requires_grad=True), Tensor(np.ones((0, 3)), requires_grad=True)
    codes = Tensor(np.ones((0, 12)), requires_grad=True)
    masks = Tensor(np.ones((0, 3, 2, 2)), requires_grad=True)
    empty = np.zeros((0, 4))
    losses = [
        *rpn_loss(objectness, deltas, np.zeros((4, 4)), none, none),
        *fastrcnn_loss(logits, codes, np.zeros(0, np.int64), empty),
        maskrcnn_loss(
            masks, [empty], [np.zeros((0, 5, 5))], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        ),
    ]
    for loss in losses:
        assert loss.item() == 0
        loss.backward()
    assert not objectness.grad.numpy().any()
    assert masks.grad.shape == masks.shape


def test_gradients() -> None:
    draw = Draw(3)
    objectness, deltas = (
        Tensor(draw.normal(4), requires_grad=True),
        Tensor(draw.normal(4, 4), requires_grad=True),
    )
    targets = draw.normal(4, 4)
    assert minidnn.gradcheck(lambda x, t: rpn_loss(x, t, targets, POSITIVE, NEGATIVE), (objectness, deltas))
    logits, codes = (
        Tensor(draw.normal(4, 3), requires_grad=True),
        Tensor(draw.normal(4, 12), requires_grad=True),
    )
    labels = np.array([2, 0, 1, 0])
    assert minidnn.gradcheck(lambda x, t: fastrcnn_loss(x, t, labels, targets), (logits, codes))
    masks, boxes = draw.integers(0, 2, 2, 9, 9), np.array([[1.0, 2, 7, 8], [0, 0, 4.5, 3]])
    assert minidnn.gradcheck(
        lambda x: maskrcnn_loss(x, [boxes], [masks], [np.array([1, 2])], [np.array([1, 0])]),
        (Tensor(draw.normal(2, 3, 3, 3), requires_grad=True),),
    )


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=re.escape("positive must have shape (4,), got (3,)")):
        rpn_loss(Tensor(np.ones(4)), Tensor(np.ones((4, 4))), np.ones((4, 4)), POSITIVE[:3], NEGATIVE)
    with pytest.raises(ValueError, match=re.escape("box_regression must have shape (2, 12), got (2, 8)")):
        fastrcnn_loss(Tensor(np.ones((2, 3))), Tensor(np.ones((2, 8))), np.array([0, 1]), np.ones((2, 4)))
    box, mask, index = np.array([[0.0, 0, 2, 2]]), np.ones((1, 3, 3)), np.array([0])
    with pytest.raises(ValueError, match=re.escape("mask_logits must have shape (1, 3, 2, 2)")):
        maskrcnn_loss(Tensor(np.ones((2, 3, 2, 2))), [box], [mask], [index], [index])
