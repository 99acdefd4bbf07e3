"""Fast R-CNN (2015): the regions are given, by selective search for example; one pass classifies them all.

Paper: Girshick, "Fast R-CNN", arXiv:1504.08083 (ICCV 2015), sections 2 and 3.

Deviations, most of them those of torchvision's parts, which later papers settled on:
- Regions with an IoU below 0.5 are background down to 0; the paper takes those from 0.1 up. The objects
  themselves are among the regions of a training step.
- Smooth L1 turns from a parabola into a line at 1/9, in the paper at 1.
- Images are RGB, normalised by ImageNet's mean and deviation; all convolutions are trained, in the paper
  those from conv3_1 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from minidnn.detection import FastRCNNPredictor, GeneralizedRCNNTransform, RoIHeads, SingleLevelRoIPool
from minidnn.detection.boxes import check_boxes
from minidnn.detection.image_transform import resize_boxes
from minidnn.detection.targets import Target
from minidnn.nn import Module
from models.detection_backbones import CONV5_BINS, CONV5_SCALE, VGG16Conv5, vgg16_head
from models.generalized_rcnn import Detections, Losses, RCNNSettings, check_training_targets
from models.registry import register

# Sections 2.3 and 4.1: single scale 600, at most 1000; 64 regions of each of two images, a quarter objects.
FAST_SETTINGS = RCNNSettings(min_size=600, max_size=1000, box_nms_thresh=0.3, box_batch_size_per_image=64)


class FastRCNN(Module):
    """A detector whose regions come from outside: transform, backbone, heads.

    Args:
        transform: makes a batch of the images, and brings detections back.
        backbone: (N, 3, H, W) -> a mapping of feature maps.
        roi_heads: pools, classifies and corrects the regions.
    """

    def __init__(self, transform: GeneralizedRCNNTransform, backbone: Module, roi_heads: RoIHeads) -> None:
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.roi_heads = roi_heads

    def forward(
        self, images: Sequence[Any], proposals: Sequence[Array], targets: Sequence[Target] | None = None
    ) -> Detections | Losses:
        """Return detections (in evaluation) or losses (in training), as `GeneralizedRCNN` does.

        Args:
            images: (3, H, W) each, of any sizes, values in [0, 1], of the weights' dtype.
            proposals: the regions (P, 4) of each image, of the weights' dtype, in the image's pixels.
            targets: in training for each image {"boxes" (L, 4), "labels" (L,)}.

        Raises:
            ValueError: images, proposals or targets of a wrong shape or number, or a box without area.
            TypeError: images, proposals or targets of a wrong dtype.
        """
        if len(proposals) != len(images):
            raise ValueError(
                f"proposals must be one array for each of {len(images)} images, got {len(proposals)}"
            )
        for i, boxes in enumerate(proposals):
            check_boxes(f"proposals[{i}]", boxes)
        if self.training:
            targets = check_training_targets(targets, len(images))
        originals = [tuple(np.shape(image)[1:]) for image in images]
        batch, resized = self.transform(images, targets if self.training else None)
        sizes = zip(proposals, originals, batch.image_sizes, strict=True)
        regions = [resize_boxes(*image) for image in sizes]
        features = self.backbone(batch.tensors)
        detections, losses = self.roi_heads(features, regions, batch.image_sizes, resized)
        if self.training:
            return dict(losses)
        return self.transform.postprocess(detections, batch.image_sizes, originals)


@register(input_shape=(3, 600, 600), kind="detection")
def fast_rcnn_vgg16(
    num_classes: int = 21, dropout: float = 0.5, settings: RCNNSettings | None = None
) -> FastRCNN:
    """Fast R-CNN on VGG-16 (2015), ROI pooling to 7x7 bins of conv5_3: 134,690,729 parameters.

    Args:
        num_classes: of objects, and the background, which is class 0.
        dropout: of the two fully connected layers.
        settings: sizes and thresholds, the paper's if None; its numbers of proposals are not used.
    """
    settings = settings or FAST_SETTINGS
    heads = settings.roi_heads(
        SingleLevelRoIPool("0", CONV5_BINS, CONV5_SCALE),
        vgg16_head(dropout),
        FastRCNNPredictor(4096, num_classes),
    )
    return FastRCNN(settings.transform(), VGG16Conv5(), heads)
