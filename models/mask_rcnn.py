"""Mask R-CNN (2017): Faster R-CNN that also says which pixels of each box belong to the object.

Paper: He, Gkioxari, Dollar, Girshick, "Mask R-CNN", arXiv:1703.06870 (ICCV 2017), figure 4 (right).

Deviations: those of torchvision's `maskrcnn_resnet50_fpn`, whose parameter names the model carries; with
frozen batch norms. In evaluation masks are drawn for the boxes that are kept, as in the paper.
"""

from __future__ import annotations

from minidnn.detection import (
    FastRCNNPredictor,
    MaskRCNNHeads,
    MaskRCNNPredictor,
    MultiScaleRoIAlign,
    TwoMLPHead,
)
from models.detection_backbones import ResNet50FPN
from models.faster_rcnn import PYRAMID, REPRESENTATION, pyramid_anchors
from models.generalized_rcnn import GeneralizedRCNN, RCNNSettings
from models.registry import register

MASK_CHANNELS = 256


@register(input_shape=(3, 800, 800), kind="detection")
def mask_rcnn_resnet50_fpn(
    num_classes: int = 91, eps: float = 0.0, settings: RCNNSettings | None = None
) -> GeneralizedRCNN:
    """Mask R-CNN on ResNet-50 with a feature pyramid (2017): 44,401,393 parameters.

    Args:
        num_classes: of objects, and the background, which is class 0.
        eps: of the frozen batch norms: 0 as the published COCO weights have it; 1e-5 belongs to ResNets
            that were trained to classify.
        settings: sizes and thresholds, torchvision's if None.
    """
    settings = settings or RCNNSettings()
    backbone = ResNet50FPN(eps)
    channels = backbone.out_channels
    heads = settings.roi_heads(
        MultiScaleRoIAlign(PYRAMID, 7, 2),
        TwoMLPHead(channels * 7**2, REPRESENTATION),
        FastRCNNPredictor(REPRESENTATION, num_classes),
        mask_roi_pool=MultiScaleRoIAlign(PYRAMID, 14, 2),
        mask_head=MaskRCNNHeads(channels, (MASK_CHANNELS,) * 4, dilation=1),
        mask_predictor=MaskRCNNPredictor(MASK_CHANNELS, MASK_CHANNELS, num_classes),
    )
    proposals = settings.region_proposals(channels, pyramid_anchors())
    return GeneralizedRCNN(settings.transform(), backbone, proposals, heads)
