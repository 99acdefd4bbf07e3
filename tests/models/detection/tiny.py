"""A Mask R-CNN of few channels, and settings for small images."""

from __future__ import annotations

from typing import Any

from minidnn import detection, nn
from minidnn.functional import relu
from models.generalized_rcnn import GeneralizedRCNN, RCNNSettings

CLASSES = 6
NARROW = 16
SMALL = {
    "min_size": 96,
    "max_size": 128,
    "rpn_pre_nms_top_n_train": 60,
    "rpn_pre_nms_top_n_test": 60,
    "rpn_post_nms_top_n_train": 30,
    "rpn_post_nms_top_n_test": 20,
    "rpn_batch_size_per_image": 32,
    "box_batch_size_per_image": 16,
    "box_detections_per_img": 30,
}
SETTINGS = RCNNSettings(**SMALL)
ANCHOR_SIZES, RATIOS, LEVELS = ((16,), (40,)), ((0.5, 1.0, 2.0),) * 2, ["0", "1"]


class TinyBackbone(nn.Module):
    """Two levels, 1/8 and 1/16 of the image, of four channels."""

    out_channels = 4

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 4, 9, 8, padding=4)
        self.coarse = nn.Conv2d(4, 4, 3, 2, padding=1)

    def forward(self, x: Any) -> dict[str, Any]:
        fine = relu(self.fine(x))
        return {"0": fine, "1": relu(self.coarse(fine))}


def tiny_mask_rcnn() -> GeneralizedRCNN:
    return GeneralizedRCNN(
        SETTINGS.transform(),
        TinyBackbone(),
        SETTINGS.region_proposals(4, detection.AnchorGenerator(ANCHOR_SIZES, RATIOS)),
        SETTINGS.roi_heads(
            detection.MultiScaleRoIAlign(LEVELS, 3, 2),
            detection.TwoMLPHead(36, 8),
            detection.FastRCNNPredictor(8, CLASSES),
            mask_roi_pool=detection.MultiScaleRoIAlign(LEVELS, 4, 2),
            mask_head=detection.MaskRCNNHeads(4, (5,), 1),
            mask_predictor=detection.MaskRCNNPredictor(5, 4, CLASSES),
        ),
    )
