"""The parts that detectors are made of; names, arguments and parameter names as in torchvision.

Boxes, masks and targets are arrays; feature maps, logits, codes and losses are Tensors. The detectors
themselves stand in models/.
"""

from kernels.nms import batched_nms, nms
from minidnn.detection.anchors import AnchorGenerator, ImageList
from minidnn.detection.average_precision import coco_average_precision, voc_mean_average_precision
from minidnn.detection.box_coder import BoxCoder
from minidnn.detection.boxes import (
    box_area,
    box_convert,
    box_iou,
    clip_boxes_to_image,
    generalized_box_iou,
    remove_small_boxes,
)
from minidnn.detection.error_breakdown import ErrorBreakdown, error_breakdown
from minidnn.detection.feature_pyramid import FeaturePyramidNetwork, LastLevelMaxPool
from minidnn.detection.frozen_batch_norm import FrozenBatchNorm2d, freeze_batch_norms
from minidnn.detection.image_transform import GeneralizedRCNNTransform
from minidnn.detection.losses import fastrcnn_loss, maskrcnn_loss, rpn_loss
from minidnn.detection.masks import paste_masks_in_image
from minidnn.detection.matching import BalancedPositiveNegativeSampler, Matcher
from minidnn.detection.multi_scale_roi import MultiScaleRoIAlign, multi_scale_roi_align
from minidnn.detection.region_proposal import RegionProposalNetwork, RPNHead
from minidnn.detection.roi_heads import (
    FastRCNNPredictor,
    MaskRCNNHeads,
    MaskRCNNPredictor,
    RoIHeads,
    TwoMLPHead,
)
from minidnn.detection.selective_search import selective_search
from minidnn.detection.single_level_roi import SingleLevelRoIPool

__all__ = [
    "AnchorGenerator",
    "BalancedPositiveNegativeSampler",
    "BoxCoder",
    "ErrorBreakdown",
    "FastRCNNPredictor",
    "FeaturePyramidNetwork",
    "FrozenBatchNorm2d",
    "GeneralizedRCNNTransform",
    "ImageList",
    "LastLevelMaxPool",
    "MaskRCNNHeads",
    "MaskRCNNPredictor",
    "Matcher",
    "MultiScaleRoIAlign",
    "RPNHead",
    "RegionProposalNetwork",
    "RoIHeads",
    "SingleLevelRoIPool",
    "TwoMLPHead",
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "coco_average_precision",
    "error_breakdown",
    "fastrcnn_loss",
    "freeze_batch_norms",
    "generalized_box_iou",
    "maskrcnn_loss",
    "multi_scale_roi_align",
    "nms",
    "paste_masks_in_image",
    "remove_small_boxes",
    "rpn_loss",
    "selective_search",
    "voc_mean_average_precision",
]
