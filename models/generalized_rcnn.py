"""What Faster and Mask R-CNN share: images in, proposals, detections out; and the numbers that steer them.

Source: Ren, He, Girshick, Sun, "Faster R-CNN: towards real-time object detection with region proposal
networks", arXiv:1506.01497 (NIPS 2015), figure 2. Names, arguments and parameter names are torchvision's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import Array
from minidnn.detection import (
    AnchorGenerator,
    GeneralizedRCNNTransform,
    RegionProposalNetwork,
    RoIHeads,
    RPNHead,
)
from minidnn.detection.targets import Target, check_targets
from minidnn.nn import Module
from minidnn.tensor import Tensor

Detections = list[dict[str, Array]]
Losses = dict[str, Tensor]


@dataclass(frozen=True)
class RCNNSettings:
    """The numbers of a two-stage detector; the defaults are torchvision's for pyramids.

    Attributes:
        min_size, max_size: see `GeneralizedRCNNTransform`.
        rpn_pre_nms_top_n_train, rpn_pre_nms_top_n_test, rpn_post_nms_top_n_train, rpn_post_nms_top_n_test,
        rpn_nms_thresh, rpn_fg_iou_thresh, rpn_bg_iou_thresh, rpn_batch_size_per_image, rpn_positive_fraction,
        rpn_score_thresh: see `RegionProposalNetwork`.
        box_score_thresh, box_nms_thresh, box_detections_per_img, box_fg_iou_thresh, box_bg_iou_thresh,
        box_batch_size_per_image, box_positive_fraction: see `RoIHeads`.
    """

    min_size: int = 800
    max_size: int = 1333
    rpn_pre_nms_top_n_train: int = 2000
    rpn_pre_nms_top_n_test: int = 1000
    rpn_post_nms_top_n_train: int = 2000
    rpn_post_nms_top_n_test: int = 1000
    rpn_nms_thresh: float = 0.7
    rpn_fg_iou_thresh: float = 0.7
    rpn_bg_iou_thresh: float = 0.3
    rpn_batch_size_per_image: int = 256
    rpn_positive_fraction: float = 0.5
    rpn_score_thresh: float = 0.0
    box_score_thresh: float = 0.05
    box_nms_thresh: float = 0.5
    box_detections_per_img: int = 100
    box_fg_iou_thresh: float = 0.5
    box_bg_iou_thresh: float = 0.5
    box_batch_size_per_image: int = 512
    box_positive_fraction: float = 0.25

    def transform(self) -> GeneralizedRCNNTransform:
        """Return what makes a batch of images."""
        return GeneralizedRCNNTransform(self.min_size, self.max_size)

    def region_proposals(self, channels: int, anchors: AnchorGenerator) -> RegionProposalNetwork:
        """Return the first stage for maps of `channels` channels; every level has as many anchors a place."""
        return RegionProposalNetwork(
            anchors,
            RPNHead(channels, anchors.num_anchors_per_location()[0]),
            fg_iou_thresh=self.rpn_fg_iou_thresh,
            bg_iou_thresh=self.rpn_bg_iou_thresh,
            batch_size_per_image=self.rpn_batch_size_per_image,
            positive_fraction=self.rpn_positive_fraction,
            pre_nms_top_n={"training": self.rpn_pre_nms_top_n_train, "testing": self.rpn_pre_nms_top_n_test},
            post_nms_top_n={
                "training": self.rpn_post_nms_top_n_train,
                "testing": self.rpn_post_nms_top_n_test,
            },
            nms_thresh=self.rpn_nms_thresh,
            score_thresh=self.rpn_score_thresh,
        )

    def roi_heads(self, pool: Module, head: Module, predictor: Module, **mask_branch: Module) -> RoIHeads:
        """Return the second stage of these parts; see `RoIHeads` for the mask branch."""
        return RoIHeads(
            pool,
            head,
            predictor,
            fg_iou_thresh=self.box_fg_iou_thresh,
            bg_iou_thresh=self.box_bg_iou_thresh,
            batch_size_per_image=self.box_batch_size_per_image,
            positive_fraction=self.box_positive_fraction,
            bbox_reg_weights=None,
            score_thresh=self.box_score_thresh,
            nms_thresh=self.box_nms_thresh,
            detections_per_img=self.box_detections_per_img,
            **mask_branch,
        )


class GeneralizedRCNN(Module):
    """A two-stage detector: transform, backbone, proposals, heads.

    In evaluation it returns for each image {"boxes" (D, 4), "labels" (D,), "scores" (D,)}, best first, in
    the pixels of the image as it was given; with a mask branch "masks" (D, 1, H, W) too, probabilities. In
    training it returns the losses by name, of which the sum is to be minimised.

    Args:
        transform: makes a batch of the images, and brings detections back.
        backbone: (N, 3, H, W) -> a mapping of feature maps, finest first.
        rpn: the first stage.
        roi_heads: the second stage.
    """

    def __init__(
        self,
        transform: GeneralizedRCNNTransform,
        backbone: Module,
        rpn: RegionProposalNetwork,
        roi_heads: RoIHeads,
    ) -> None:
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.rpn = rpn
        self.roi_heads = roi_heads

    @property
    def num_labels(self) -> int:
        """How many labels there are, the background's 0 among them."""
        return int(self.roi_heads.box_predictor.cls_score.out_features)

    def forward(self, images: Sequence[Any], targets: Sequence[Target] | None = None) -> Detections | Losses:
        """Return detections (in evaluation) or losses (in training).

        Args:
            images: (3, H, W) each, of any sizes, values in [0, 1], of the weights' dtype.
            targets: in training for each image {"boxes" (L, 4), "labels" (L,)} and, for a mask branch,
                "masks" (L, H, W): arrays, in the image's pixels.

        Raises:
            ValueError: images or targets of a wrong shape, in training no targets, or a box without area.
            TypeError: images or targets of a wrong dtype.
        """
        if self.training:
            targets = check_training_targets(targets, len(images))
        originals = [tuple(np.shape(image)[1:]) for image in images]
        batch, resized = self.transform(images, targets if self.training else None)
        features: Mapping[str, Tensor] = self.backbone(batch.tensors)
        proposals, proposal_losses = self.rpn(batch, features, resized)
        detections, losses = self.roi_heads(features, proposals, batch.image_sizes, resized)
        if self.training:
            return {**losses, **proposal_losses}
        return self.transform.postprocess(detections, batch.image_sizes, originals)


def check_training_targets(targets: Sequence[Target] | None, images: int) -> Sequence[Target]:
    """Return the targets, having required one per image, of which every box has an area.

    Raises:
        ValueError: none, another number, or a box without area.
        TypeError: boxes that are not floating.
    """
    checked = check_targets(targets, images, ("boxes", "labels"))
    for i, target in enumerate(checked):
        empty = (target["boxes"][:, 2:] <= target["boxes"][:, :2]).any(axis=1)
        if empty.any():
            box = target["boxes"][empty.argmax()].tolist()
            raise ValueError(f"targets[{i}]['boxes'] must have x1 < x2 and y1 < y2, got {box}")
    return checked


def current_key(name: str) -> str:
    """Return the present name of a parameter that torchvision's published files call by an older one."""
    name = re.sub(r"(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2", name)
    name = re.sub(r"(fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", name)
    return re.sub(r"mask_fcn([1-4])\.", lambda match: f"{int(match[1]) - 1}.0.", name)
