"""Faster R-CNN (2015): a network proposes the regions that a second stage classifies and corrects.

Papers: Ren, He, Girshick, Sun, "Faster R-CNN: towards real-time object detection with region proposal
networks", arXiv:1506.01497 (NIPS 2015): `faster_rcnn_vgg16`; Lin et al., "Feature pyramid networks for object
detection", arXiv:1612.03144 (CVPR 2017): `faster_rcnn_resnet50_fpn`.

Deviations:
- `faster_rcnn_resnet50_fpn` is torchvision's `fasterrcnn_resnet50_fpn` with frozen batch norms: ROI align
  with two samples a bin instead of the paper's ROI pooling, one size of anchors a level and three ratios,
  smooth L1 that turns at 1/9.
- `faster_rcnn_vgg16` follows the 2015 paper's numbers, but is trained end to end with the losses of all
  stages in one sum (the paper's section 3.2, "approximate joint training"), takes RGB images normalised by
  ImageNet's mean and deviation, and trains all convolutions.
"""

from __future__ import annotations

from minidnn.detection import (
    AnchorGenerator,
    FastRCNNPredictor,
    MultiScaleRoIAlign,
    SingleLevelRoIPool,
    TwoMLPHead,
)
from models.detection_backbones import CONV5_BINS, CONV5_SCALE, ResNet50FPN, VGG16Conv5, vgg16_head
from models.generalized_rcnn import GeneralizedRCNN, RCNNSettings
from models.registry import register

# The levels that regions are pooled from; "pool" serves the proposals only.
PYRAMID = ("0", "1", "2", "3")
REPRESENTATION = 1024
RATIOS = (0.5, 1.0, 2.0)

# Ren et al., 2015, sections 3.1.3 and 3.3: 300 proposals, a minibatch of 256 anchors and of 128 regions.
VGG16_SETTINGS = RCNNSettings(
    min_size=600,
    max_size=1000,
    rpn_pre_nms_top_n_train=12_000,
    rpn_pre_nms_top_n_test=6000,
    rpn_post_nms_top_n_test=300,
    box_nms_thresh=0.3,
    box_batch_size_per_image=128,
)


def pyramid_anchors() -> AnchorGenerator:
    """Return the anchors of a pyramid of five levels: one size a level, three ratios."""
    return AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), (RATIOS,) * 5)


@register(input_shape=(3, 800, 800), kind="detection")
def faster_rcnn_resnet50_fpn(
    num_classes: int = 91, eps: float = 0.0, settings: RCNNSettings | None = None
) -> GeneralizedRCNN:
    """Faster R-CNN on ResNet-50 with a feature pyramid (2017): 41,755,286 parameters.

    Args:
        num_classes: of objects, and the background, which is class 0.
        eps: of the frozen batch norms: 0 as the published COCO weights have it; 1e-5 belongs to ResNets
            that were trained to classify.
        settings: sizes and thresholds, torchvision's if None.
    """
    settings = settings or RCNNSettings()
    backbone = ResNet50FPN(eps)
    pool = MultiScaleRoIAlign(PYRAMID, 7, 2)
    return GeneralizedRCNN(
        settings.transform(),
        backbone,
        settings.region_proposals(backbone.out_channels, pyramid_anchors()),
        settings.roi_heads(
            pool,
            TwoMLPHead(backbone.out_channels * 7**2, REPRESENTATION),
            FastRCNNPredictor(REPRESENTATION, num_classes),
        ),
    )


@register(input_shape=(3, 600, 600), kind="detection")
def faster_rcnn_vgg16(
    num_classes: int = 21, dropout: float = 0.5, settings: RCNNSettings | None = None
) -> GeneralizedRCNN:
    """Faster R-CNN on VGG-16 (2015): 137,073,622 parameters.

    Args:
        num_classes: of objects, and the background, which is class 0.
        dropout: of the two fully connected layers.
        settings: sizes and thresholds, the paper's if None.
    """
    settings = settings or VGG16_SETTINGS
    backbone = VGG16Conv5()
    anchors = AnchorGenerator(((128, 256, 512),), (RATIOS,))
    return GeneralizedRCNN(
        settings.transform(),
        backbone,
        settings.region_proposals(backbone.out_channels, anchors),
        settings.roi_heads(
            SingleLevelRoIPool("0", CONV5_BINS, CONV5_SCALE),
            vgg16_head(dropout),
            FastRCNNPredictor(4096, num_classes),
        ),
    )
