"""The second stage with parts that say what the test wants."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn
from minidnn.detection import FastRCNNPredictor, MaskRCNNHeads, MaskRCNNPredictor, RoIHeads, TwoMLPHead


class Centres(nn.Module):
    """Pools nothing: a region's feature is its box (K, 4)."""

    def forward(self, features: Any, boxes: Sequence[np.ndarray], shapes: Any) -> Tensor:
        return Tensor(np.concatenate(list(boxes)))


class Says(nn.Module):
    """A predictor that gives the first rows of what it was given, with unchanged boxes."""

    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = Tensor(np.array(logits, float), requires_grad=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        classes = self.logits.shape[1]
        return self.logits[: len(x)], Tensor(np.zeros((len(x), 4 * classes)), requires_grad=True)


class Masks(nn.Module):
    """Three classes' masks of 2 x 2: class c has logits c everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return Tensor(np.broadcast_to(np.arange(3.0)[:, None, None], (len(x), 3, 2, 2)).copy())


def heads(logits: Any, masks: bool = False, **changes: Any) -> RoIHeads:
    options: dict[str, Any] = {
        "fg_iou_thresh": 0.5,
        "bg_iou_thresh": 0.5,
        "batch_size_per_image": 8,
        "positive_fraction": 0.25,
        "bbox_reg_weights": None,
        "score_thresh": 0.2,
        "nms_thresh": 0.5,
        "detections_per_img": 3,
        **changes,
    }
    branch = (Centres(), nn.Identity(), Masks()) if masks else ()
    return RoIHeads(Centres(), nn.Identity(), Says(logits), *options.values(), *branch)


LIKELY = math.log(8)  # against two of 0: 0.8, 0.1, 0.1
PROPOSALS = [np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [30, 30, 60, 60]]), np.array([[5.0, 5, 5.001, 9]])]
SHAPES = [(40, 50), (20, 20)]


def test_detections_by_hand() -> None:
    """The second box gives way to the first, of the same class; the third is cut to the image; the fourth,
    of the second image, is too narrow.
    """
    logits = [[0, LIKELY, 0], [0, LIKELY - 0.5, 0], [0, 0, LIKELY], [0, LIKELY, 0]]
    (first, second), losses = heads(logits, masks=True).eval()({}, PROPOSALS, SHAPES)
    assert losses == {}
    np.testing.assert_allclose(first["boxes"], [[0, 0, 10, 10], [30, 30, 50, 40]], atol=1e-12)
    assert first["labels"].tolist() == [1, 2]
    np.testing.assert_allclose(first["scores"], [0.8, 0.8])
    sigmoid = [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-2))]
    np.testing.assert_allclose(
        first["masks"], np.broadcast_to(np.reshape(sigmoid, (2, 1, 1, 1)), (2, 1, 2, 2))
    )
    assert {name: len(value) for name, value in second.items()} == dict.fromkeys(second, 0)


def test_other_classes_do_not_suppress_and_the_background_is_no_detection() -> None:
    logits = [[0, LIKELY, 0], [0, 0, LIKELY], [LIKELY, 0, 0]]
    (image,), _ = heads(logits).eval()({}, PROPOSALS[:1], SHAPES[:1])
    assert image["labels"].tolist() == [1, 2]
    (image,), _ = heads(logits, detections_per_img=1).eval()({}, PROPOSALS[:1], SHAPES[:1])
    assert image["labels"].tolist() == [1]
    (image,), _ = heads(logits, score_thresh=0.9).eval()({}, PROPOSALS[:1], SHAPES[:1])
    assert image["labels"].tolist() == []


TARGET = {
    "boxes": np.array([[0.0, 0, 10, 10]]),
    "labels": np.array([2]),
    "masks": np.ones((1, 40, 50), np.uint8),
}


def test_samples_by_hand() -> None:
    """Two proposals and the object itself overlap it by half or more; of them a quarter of eight is drawn."""
    minidnn.manual_seed(1)
    samples = heads(np.zeros((9, 3))).select_training_samples(PROPOSALS[:1], [TARGET])
    (boxes,), (labels,) = samples.proposals, samples.labels
    assert sorted(labels.tolist()) == [0, 2, 2]
    assert boxes[labels == 0].tolist() == [[30, 30, 60, 60]]
    assert samples.matched_idxs[0].tolist() == [0, 0, 0]
    found = boxes[labels == 2]
    codes = samples.regression_targets[0][labels == 2]
    for box, code in zip(found.tolist(), codes.tolist(), strict=True):
        height = box[3]
        assert code == pytest.approx([0, 10 * (5 - height / 2) / height, 0, 5 * math.log(10 / height)])


def test_proposals_between_the_thresholds_are_left_out() -> None:
    """The second proposal overlaps the object by 0.9."""
    samples = heads(np.zeros((9, 3)), fg_iou_thresh=0.95, bg_iou_thresh=0.5).select_training_samples(
        PROPOSALS[:1], [TARGET]
    )
    assert [0, 0, 10, 9] not in samples.proposals[0].tolist()
    assert len(samples.proposals[0]) == 3


def test_losses_by_hand() -> None:
    """All logits equal: log 3 for every proposal; the mask of class 2 is to be 1 everywhere."""
    model = heads(np.zeros((9, 3)), masks=True, positive_fraction=1.0)
    detections, losses = model({}, [PROPOSALS[0][:1]], SHAPES[:1], [TARGET])
    assert detections == []
    assert losses["loss_classifier"].item() == pytest.approx(math.log(3))
    assert losses["loss_box_reg"].item() == 0
    assert losses["loss_mask"].item() == pytest.approx(math.log1p(math.exp(-2)))


def test_an_image_without_objects_teaches_background() -> None:
    empty = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, np.int64), "masks": np.zeros((0, 40, 50))}
    model = heads(np.zeros((9, 3)), masks=True)
    _, losses = model({}, PROPOSALS[:1], SHAPES[:1], [empty])
    assert losses["loss_classifier"].item() == pytest.approx(math.log(3))
    assert losses["loss_box_reg"].item() == losses["loss_mask"].item() == 0


def test_parts_have_torchvisions_names_and_shapes() -> None:
    x = Tensor(np.ones((2, 3, 4, 4), np.float32))
    head, predictor = TwoMLPHead(48, 7), FastRCNNPredictor(7, 5)
    logits, codes = predictor(head(x))
    assert (logits.shape, codes.shape) == ((2, 5), (2, 20))
    assert list(head.state_dict()) == ["fc6.weight", "fc6.bias", "fc7.weight", "fc7.bias"]
    mask_head, mask_predictor = MaskRCNNHeads(3, (4, 6), 2), MaskRCNNPredictor(6, 5, 9)
    assert mask_predictor(mask_head(x)).shape == (2, 9, 8, 8)
    assert list(mask_head.state_dict()) == ["0.0.weight", "0.0.bias", "1.0.weight", "1.0.bias"]
    assert "conv5_mask.weight" in mask_predictor.state_dict()
    assert "mask_fcn_logits.bias" in mask_predictor.state_dict()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": np.array([1.0])}, TypeError, "targets[0]['labels'] must be an int64 array"),
        ({"labels": np.array([1, 2])}, ValueError, "targets[0]['labels'] must have shape (1,), got (2,)"),
        ({"masks": np.ones((2, 4, 4))}, ValueError, "targets[0]['masks'] must have shape (1, H, W)"),
    ],
)
def test_bad_targets(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        heads(np.zeros((9, 3)), masks=True)({}, PROPOSALS[:1], SHAPES[:1], [{**TARGET, **change}])


def test_a_mask_branch_is_whole_or_absent() -> None:
    with pytest.raises(
        ValueError, match="mask_roi_pool, mask_head and mask_predictor must be given together"
    ):
        RoIHeads(
            Centres(), nn.Identity(), Says([[0, 0]]), 0.5, 0.5, 8, 0.25, None, 0.1, 0.5, 3, mask_head=Masks()
        )
