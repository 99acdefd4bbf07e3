"""Detectors small enough to be trained in minutes on a processor, for scenes of digits (`data.DigitScenes`).

`faster_rcnn_digits`, `mask_rcnn_digits` and `yolo_digits` are put together from the parts of `faster_rcnn`,
`mask_rcnn` and `yolo_v1`; only the numbers are others, and what these papers took from networks that had been
trained to classify ImageNet: nothing here is pretrained, so batch norms learn, and stand where YOLO had none.

Papers: Ren et al., "Faster R-CNN", arXiv:1506.01497; He et al., "Mask R-CNN", arXiv:1703.06870; Redmon et
al., "You only look once", arXiv:1506.02640.

Deviations:
- Backbone: a stem that makes the image four times smaller, and residual blocks (`models.resnet`).
- The R-CNNs take ROI align from one map, a quarter of the image in height and width, and anchors of three
  sizes and the two shapes that upright digits have.
- YOLO's fully connected layers, of which each cell has its own, are 1x1 convolutions, which all cells share:
  a digit learnt in one place is known in all, without a pretrained network and with thousands of scenes
  instead of millions.
"""

from __future__ import annotations

from minidnn.detection import (
    AnchorGenerator,
    FastRCNNPredictor,
    MaskRCNNHeads,
    MaskRCNNPredictor,
    MultiScaleRoIAlign,
    TwoMLPHead,
)
from minidnn.detection.grid import Grid
from minidnn.nn import BatchNorm2d, Conv2d, Module, ReLU, Sequential
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions, initialize_normal
from models.generalized_rcnn import GeneralizedRCNN, RCNNSettings
from models.grid_detector import GridDetector
from models.registry import register
from models.resnet import BasicBlock

SIDE = 96  # of the scenes that the numbers below are for
CHANNELS = 48  # of the maps that are a quarter of the image
DEEP_CHANNELS = 96  # of the smaller ones
REPRESENTATION = 128
LABELS = 11  # ten digits and the background

# Digits are 15 to 43 pixels high and one to four times as high as wide, most of them between 1.3 and 2.
ANCHORS = ((14.0, 20.0, 28.0),)
RATIOS = ((1.4, 2.2),)

# Scenes have at most five digits; the papers' numbers are for dozens of objects.
SETTINGS = RCNNSettings(
    min_size=SIDE,
    max_size=2 * SIDE,
    rpn_pre_nms_top_n_train=200,
    rpn_pre_nms_top_n_test=200,
    rpn_post_nms_top_n_train=50,
    rpn_post_nms_top_n_test=30,
    rpn_batch_size_per_image=64,
    box_detections_per_img=20,
    box_batch_size_per_image=32,
)


def quarter_maps() -> Sequential:
    """Return the layers (N, 3, H, W) -> (N, 48, H / 4, W / 4) that all three look through."""
    return Sequential(
        Conv2d(3, CHANNELS // 2, 5, 2, padding=2, bias=False),
        BatchNorm2d(CHANNELS // 2),
        ReLU(),
        Conv2d(CHANNELS // 2, CHANNELS, 3, 2, padding=1, bias=False),
        BatchNorm2d(CHANNELS),
        ReLU(),
        BasicBlock(CHANNELS, CHANNELS),
        BasicBlock(CHANNELS, CHANNELS),
    )


def halving_block(in_channels: int, out_channels: int) -> BasicBlock:
    """Return a residual block (N, in, H, W) -> (N, out, H / 2, W / 2)."""
    shortcut = Sequential(Conv2d(in_channels, out_channels, 1, 2, bias=False), BatchNorm2d(out_channels))
    return BasicBlock(in_channels, out_channels, 2, shortcut)


class QuarterBackbone(Sequential):
    """`quarter_maps` as the two-stage detectors ask for them.

    Shapes: x (N, 3, H, W); result {"0": (N, 48, H / 4, W / 4)}.
    """

    out_channels = CHANNELS

    def __init__(self) -> None:
        super().__init__(*quarter_maps())
        initialize_convolutions(self)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the maps."""
        return {"0": super().forward(x)}


def two_stage(num_classes: int, settings: RCNNSettings, **mask_branch: Module) -> GeneralizedRCNN:
    """Return a two-stage detector on `QuarterBackbone`; see `RoIHeads` for the mask branch."""
    backbone = QuarterBackbone()
    heads = settings.roi_heads(
        MultiScaleRoIAlign(["0"], 7, 2),
        TwoMLPHead(CHANNELS * 7**2, REPRESENTATION),
        FastRCNNPredictor(REPRESENTATION, num_classes),
        **mask_branch,
    )
    proposals = settings.region_proposals(CHANNELS, AnchorGenerator(ANCHORS, RATIOS))
    return GeneralizedRCNN(settings.transform(), backbone, proposals, heads)


@register(input_shape=(3, SIDE, SIDE), kind="detection")
def faster_rcnn_digits(num_classes: int = LABELS, settings: RCNNSettings | None = None) -> GeneralizedRCNN:
    """Faster R-CNN for scenes of digits: 442,685 parameters.

    Args:
        num_classes: of objects, and the background, which is class 0.
        settings: sizes and thresholds, those for scenes of digits if None.
    """
    return two_stage(num_classes, settings or SETTINGS)


@register(input_shape=(3, SIDE, SIDE), kind="detection")
def mask_rcnn_digits(num_classes: int = LABELS, settings: RCNNSettings | None = None) -> GeneralizedRCNN:
    """Mask R-CNN for scenes of digits: 494,056 parameters.

    Args:
        num_classes: of objects, and the background, which is class 0.
        settings: sizes and thresholds, those for scenes of digits if None.
    """
    return two_stage(
        num_classes,
        settings or SETTINGS,
        mask_roi_pool=MultiScaleRoIAlign(["0"], 14, 2),
        mask_head=MaskRCNNHeads(CHANNELS, (CHANNELS,) * 2, dilation=1),
        mask_predictor=MaskRCNNPredictor(CHANNELS, CHANNELS, num_classes),
    )


class YOLODigits(GridDetector):
    """Residual blocks down to one pixel a cell, and 1x1 convolutions that fill the cells in.

    Args:
        grid: the sizes of the prediction; images are resized to 16 times its cells.
        score_thresh, nms_thresh: see `GridDetector`.

    Raises:
        ValueError: a threshold that is not a number in [0, 1].
    """

    def __init__(self, grid: Grid, score_thresh: float, nms_thresh: float) -> None:
        super().__init__(grid, 16, score_thresh, nms_thresh)
        self.features = Sequential(
            *quarter_maps(),
            halving_block(CHANNELS, DEEP_CHANNELS),
            halving_block(DEEP_CHANNELS, DEEP_CHANNELS),
        )
        self.connected = Sequential(
            Conv2d(DEEP_CHANNELS, REPRESENTATION, 1), ReLU(), Conv2d(REPRESENTATION, grid.channels, 1)
        )
        initialize_convolutions(self, mode="fan_in")
        # It begins with near zero everywhere: most cells are empty, and sums of squares begin small.
        initialize_normal(self.connected[-1:], std=0.01, bias=0.0)

    def predict(self, x: Tensor) -> Tensor:
        """Return the grid (N, S, S, 5 B + C) for images (N, 3, 16 S, 16 S); see `minidnn.detection.grid`."""
        numbers: Tensor = self.connected(self.features(x))  # (N, 5 B + C, S, S)
        return numbers.permute(0, 2, 3, 1)


@register(input_shape=(3, SIDE, SIDE), kind="detection")
def yolo_digits(num_classes: int = 10, score_thresh: float = 0.05, nms_thresh: float = 0.5) -> YOLODigits:
    """YOLO v1's grid, 6x6 cells, for scenes of digits: 415,916 parameters.

    Args:
        num_classes: of objects; there is no background.
        score_thresh: a detection's least score.
        nms_thresh: the IoU above which a better detection of the same class suppresses.
    """
    return YOLODigits(Grid(SIDE // 16, 2, num_classes), score_thresh, nms_thresh)
