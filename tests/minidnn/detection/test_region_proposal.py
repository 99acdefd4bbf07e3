"""The region proposal network with a head that says what the test wants."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn
from minidnn.detection import AnchorGenerator, ImageList, RegionProposalNetwork, RPNHead
from minidnn.detection.region_proposal import flatten_levels

IMAGES = ImageList(Tensor(np.zeros((1, 3, 16, 32))), [(16, 30)])
# Two levels: places 8 apart (2 x 4), anchors of 8 pixels; places 16 apart (1 x 2), anchors of 16 pixels.
FEATURES = {"fine": Tensor(np.zeros((1, 1, 2, 4))), "deep": Tensor(np.zeros((1, 1, 1, 2)))}


class Says(nn.Module):
    """A head whose logits and codes are given."""

    def __init__(self, logits: Sequence[Any], codes: Sequence[Any]) -> None:
        super().__init__()
        self.answer = [Tensor(np.array(level, float), requires_grad=True) for level in logits]
        self.codes = [Tensor(np.array(level, float), requires_grad=True) for level in codes]

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        return self.answer, self.codes


def network(head: nn.Module, **changes: Any) -> RegionProposalNetwork:
    options: dict[str, Any] = {
        "fg_iou_thresh": 0.7,
        "bg_iou_thresh": 0.3,
        "batch_size_per_image": 6,
        "positive_fraction": 0.5,
        "pre_nms_top_n": {"training": 3, "testing": 3},
        "post_nms_top_n": {"training": 4, "testing": 4},
        "nms_thresh": 0.5,
        **changes,
    }
    return RegionProposalNetwork(AnchorGenerator(((8,), (16,)), ((1.0,), (1.0,))), head, **options)


LOGITS = [[[[[1, 2, 9, -1], [0, 0, 8, 0]]]], [[[[3, 7]]]]]
CODES = [np.zeros((1, 4, 2, 4)), np.zeros((1, 4, 1, 2))]


def says() -> Says:
    return Says(LOGITS, CODES)


def test_proposals_by_hand() -> None:
    """The best three of the first level and both of the second, best first, cut to 30 x 16, four kept."""
    (proposals,), losses = network(says()).eval()(IMAGES, FEATURES)
    assert losses == {}
    assert proposals.tolist() == [[12, 0, 20, 4], [12, 4, 20, 12], [8, 0, 24, 8], [0, 0, 8, 8]]


def test_suppression_is_by_level() -> None:
    """The first level's second best and the second level's best are moved onto the first level's best."""
    codes = [level.copy() for level in CODES]
    codes[0][0, :, 1, 2] = [0, -1, 0, 0]
    codes[1][0, :, 0, 1] = [0, 0, -math.log(2), -math.log(2)]
    (proposals,), _ = network(Says(LOGITS, codes)).eval()(IMAGES, FEATURES)
    np.testing.assert_allclose(
        proposals, [[12, 0, 20, 4], [12, 0, 20, 4], [0, 0, 8, 8], [4, 0, 12, 4]], atol=1e-12
    )


def test_small_and_unlikely_proposals_are_dropped() -> None:
    codes = [level.copy() for level in CODES]
    codes[0][0, :, 0, 2] = [100, 0, 0, 0]  # far outside: nothing is left within the image
    model = network(Says(LOGITS, codes), score_thresh=0.99)
    (proposals,), _ = model.eval()(IMAGES, FEATURES)
    assert proposals.tolist() == [[12, 4, 20, 12], [8, 0, 24, 8]]


def test_losses_by_hand() -> None:
    """The object is the deep level's second anchor; all others lie below 0.3 and three are drawn."""
    model = network(says(), batch_size_per_image=100)
    target = {"boxes": np.array([[8.0, -8, 24, 8]])}
    _, losses = model(IMAGES, FEATURES, [target])
    labels, _ = model.assign_targets_to_anchors(
        model.anchor_generator(IMAGES, list(FEATURES.values())), [target]
    )
    assert labels[0].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    background = [1, 2, 9, -1, 0, 0, 8, 0, 3]
    want = math.log1p(math.exp(-7)) + sum(math.log1p(math.exp(x)) for x in background)
    assert losses["loss_objectness"].item() == pytest.approx(want / 10)
    assert losses["loss_rpn_box_reg"].item() == 0
    sum(losses.values()).backward()
    gradient = model.head.answer[1].grad.numpy()
    np.testing.assert_allclose(gradient[0, 0, 0, 1], -1 / (1 + math.exp(7)) / 10)


def test_an_image_without_objects_is_background() -> None:
    model = network(says())
    _, losses = model(IMAGES, FEATURES, [{"boxes": np.zeros((0, 4))}])
    assert losses["loss_objectness"].item() > 0
    assert losses["loss_rpn_box_reg"].item() == 0


def test_levels_are_flattened_in_the_order_of_the_anchors() -> None:
    """Row by row, place by place, anchor by anchor."""
    logits = np.arange(12.0).reshape(1, 2, 2, 3)  # two anchors on 2 x 3 places
    codes = np.arange(48.0).reshape(1, 8, 2, 3)
    flat, boxes = flatten_levels([Tensor(logits)], [Tensor(codes)])
    assert flat.numpy()[0, :4].tolist() == [0, 6, 1, 7]
    assert boxes.numpy()[0, 1].tolist() == codes[0, 4:, 0, 0].tolist()
    assert boxes.shape == (1, 12, 4)


def test_head() -> None:
    minidnn.manual_seed(3)
    head = RPNHead(4, 3, conv_depth=2)
    assert list(head.state_dict()) == [
        f"{name}.{kind}"
        for name in ("conv.0.0", "conv.1.0", "cls_logits", "bbox_pred")
        for kind in ("weight", "bias")
    ]
    assert not head.bbox_pred.bias.numpy().any()
    assert head.conv[0][0].weight.numpy().std() == pytest.approx(0.01, rel=0.2)
    logits, codes = head([Tensor(np.ones((2, 4, 5, 6), np.float32))])
    assert logits[0].shape == (2, 3, 5, 6)
    assert codes[0].shape == (2, 12, 5, 6)


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (None, ValueError, "targets must be one for each of 1 images in training, got none"),
        ([], ValueError, "targets must be one for each of 1 images in training, got 0"),
        ([{"labels": np.zeros(1)}], ValueError, "targets[0] must have 'boxes', got ['labels']"),
        ([{"boxes": np.zeros((1, 5))}], ValueError, "targets[0]['boxes'] must have shape (K, 4)"),
        ([{"boxes": np.zeros((1, 4), int)}], TypeError, "targets[0]['boxes'] must have dtype"),
    ],
)
def test_bad_targets(targets: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        network(says())(IMAGES, FEATURES, targets)
