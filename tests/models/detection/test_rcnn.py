"""Faster, Mask and Fast R-CNN against torchvision, with the same weights and the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import models
from minidnn import detection
from tests.kernels.regions import operators
from tests.minidnn.detection.scenes import random_boxes
from tests.models.detection.tiny import (
    ANCHOR_SIZES,
    CLASSES,
    LEVELS,
    NARROW,
    RATIOS,
    SETTINGS,
    SMALL,
    tiny_mask_rcnn,
)
from tests.models.detection.twins import SIZES, Twins, torch

pytestmark = pytest.mark.reference


@pytest.fixture
def room() -> Any:
    operators()
    import torchvision.models.detection

    return torchvision.models.detection


class TinyBackboneInTorch(torch.nn.Module):
    out_channels = 4

    def __init__(self) -> None:
        super().__init__()
        self.fine = torch.nn.Conv2d(3, 4, 9, 8, padding=4)
        self.coarse = torch.nn.Conv2d(4, 4, 3, 2, padding=1)

    def forward(self, x: Any) -> dict[str, Any]:
        fine = torch.relu(self.fine(x))
        return {"0": fine, "1": torch.relu(self.coarse(fine))}


def tiny(room: Any) -> Twins:
    """A Mask R-CNN of few channels."""
    from torchvision.ops import MultiScaleRoIAlign

    theirs = room.MaskRCNN(
        TinyBackboneInTorch(),
        rpn_anchor_generator=room.anchor_utils.AnchorGenerator(ANCHOR_SIZES, RATIOS),
        box_roi_pool=MultiScaleRoIAlign(LEVELS, 3, 2),
        box_head=room.faster_rcnn.TwoMLPHead(36, 8),
        box_predictor=room.faster_rcnn.FastRCNNPredictor(8, CLASSES),
        mask_roi_pool=MultiScaleRoIAlign(LEVELS, 4, 2),
        mask_head=room.mask_rcnn.MaskRCNNHeads(4, (5,), 1),
        mask_predictor=room.mask_rcnn.MaskRCNNPredictor(5, 4, CLASSES),
        **SMALL,
    )
    return Twins(tiny_mask_rcnn(), theirs)


def resnet50_fpn(room: Any, mask: bool) -> Twins:
    """The published networks: torchvision's constructors freeze batch norms only beside weights."""
    from torchvision.models import resnet50
    from torchvision.ops.misc import FrozenBatchNorm2d

    backbone = room.backbone_utils._resnet_fpn_extractor(resnet50(norm_layer=FrozenBatchNorm2d), 5)
    theirs = (room.MaskRCNN if mask else room.FasterRCNN)(backbone, CLASSES, **SMALL)
    room._utils.overwrite_eps(theirs, 0.0)
    name = f"{'mask' if mask else 'faster'}_rcnn_resnet50_fpn"
    return Twins(models.create(name, num_classes=CLASSES, settings=SETTINGS), theirs)


def vgg16_parts(room: Any) -> tuple[Any, Any]:
    """Torchvision's VGG-16 without its last pooling, and its ROI heads with ROI pooling."""
    from torchvision.models.vgg import cfgs, make_layers
    from torchvision.ops import RoIPool

    class Pool(torch.nn.Module):
        def forward(self, features: Any, boxes: Any, image_shapes: Any) -> Any:
            return RoIPool(7, 1 / 16)(features["0"], boxes)

    class Backbone(torch.nn.Sequential):
        def forward(self, x: Any) -> Any:
            return {"0": super().forward(x)}

    heads = room.roi_heads.RoIHeads(
        Pool(),
        room.faster_rcnn.TwoMLPHead(512 * 49, NARROW),
        room.faster_rcnn.FastRCNNPredictor(NARROW, CLASSES),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=16,
        positive_fraction=0.25,
        bbox_reg_weights=None,
        score_thresh=0.05,
        nms_thresh=0.5,
        detections_per_img=30,
    )
    return Backbone(*list(make_layers(cfgs["D"]))[:-1]), heads


def narrowed(model: Any) -> Any:
    """The model with 16 instead of 4096 outputs of VGG's fully connected layers, a gigabyte in float64."""
    assert model.roi_heads.box_head.fc7.weight.shape == (4096, 4096)
    model.roi_heads.box_head = detection.TwoMLPHead(512 * 49, NARROW)
    model.roi_heads.box_predictor = detection.FastRCNNPredictor(NARROW, CLASSES)
    return model


def transform_of(room: Any) -> Any:
    return room.transform.GeneralizedRCNNTransform(96, 128, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def faster_vgg16(room: Any) -> Twins:
    backbone, heads = vgg16_parts(room)
    proposals = room.rpn.RegionProposalNetwork(
        room.anchor_utils.AnchorGenerator(((128, 256, 512),), ((0.5, 1.0, 2.0),)),
        room.rpn.RPNHead(512, 9),
        0.7,
        0.3,
        32,
        0.5,
        {"training": 60, "testing": 60},
        {"training": 30, "testing": 20},
        0.7,
    )
    theirs = room.generalized_rcnn.GeneralizedRCNN(backbone, proposals, heads, transform_of(room))
    return Twins(narrowed(models.faster_rcnn_vgg16(settings=SETTINGS)), theirs)


class FastRCNNInTorch(torch.nn.Module):
    """Torchvision's parts around given regions."""

    def __init__(self, room: Any) -> None:
        super().__init__()
        self.transform = transform_of(room)
        self.backbone, self.roi_heads = vgg16_parts(room)

    def forward(self, images: Any, proposals: Any, targets: Any = None) -> Any:
        # The transform moves a target's boxes; the regions travel as boxes of a second call.
        batch, regions = self.transform(images, [{"boxes": boxes} for boxes in proposals])
        if targets is not None:
            _, targets = self.transform(images, targets)
        detections, losses = self.roi_heads(
            self.backbone(batch.tensors), [region["boxes"] for region in regions], batch.image_sizes, targets
        )
        sizes = [tuple(image.shape[1:]) for image in images]
        return losses if self.training else self.transform.postprocess(detections, batch.image_sizes, sizes)


def assert_something_was_found(detections: list[dict[str, np.ndarray]]) -> None:
    assert len({label for image in detections for label in image["labels"].tolist()}) > 1
    for image, (height, width) in zip(detections, SIZES, strict=True):
        assert len(image["boxes"]) >= 3
        assert (np.diff(image["scores"]) <= 0).all()
        assert (image["boxes"] <= np.array([width, height, width, height]) + 1e-4).all()
        if "masks" in image:
            assert image["masks"].shape == (len(image["boxes"]), 1, height, width)
            assert image["masks"].max() > 0.5


def test_tiny_mask_rcnn_in_evaluation(room: Any) -> None:
    assert_something_was_found(tiny(room).compare_evaluation())


def test_tiny_mask_rcnn_in_training(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(room).compare_training(monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("mask", [False, True], ids=["faster", "mask"])
def test_resnet50_fpn_in_evaluation(room: Any, mask: bool) -> None:
    assert_something_was_found(resnet50_fpn(room, mask).compare_evaluation())


@pytest.mark.slow
@pytest.mark.parametrize("mask", [False, True], ids=["faster", "mask"])
def test_resnet50_fpn_in_training(room: Any, mask: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    resnet50_fpn(room, mask).compare_training(monkeypatch)


@pytest.mark.slow
def test_faster_rcnn_vgg16(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    twins = faster_vgg16(room)
    assert_something_was_found(twins.compare_evaluation())
    twins.compare_training(monkeypatch)


@pytest.mark.slow
def test_fast_rcnn_vgg16(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    twins = Twins(narrowed(models.fast_rcnn_vgg16(settings=SETTINGS)), FastRCNNInTorch(room))
    regions = [np.minimum(random_boxes(seed, 12, 35.0), [w, h, w, h]) for seed, (h, w) in enumerate(SIZES)]
    assert_something_was_found(twins.compare_evaluation(regions))
    twins.compare_training(monkeypatch, regions)
