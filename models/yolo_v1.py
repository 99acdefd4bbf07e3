"""YOLO (2015): one network looks at the whole image once and fills in a grid of boxes and classes.

Paper: Redmon, Divvala, Girshick, Farhadi, "You only look once: unified, real-time object detection",
arXiv:1506.02640 (CVPR 2016): figure 3 is `yolo_v1`; section 2.2 `yolo_v1_classifier`, which is trained on
ImageNet at 224x224 first; Fast YOLO of section 2, with nine convolutions, is `yolo_v1_tiny`.

The detector's `features` are the classifier's, for images twice as large:

    detector.features.load_state_dict(classifier.features.state_dict())

Deviations:
- The paper does not give Fast YOLO's widths; they, and its three fully connected layers, are those of the
  authors' program.
- The loss is divided by the number of images. Detections below a score are dropped and the others thinned out
  class by class, as the authors' program does; the paper only names the suppression (section 2.3).
- In targets and detections the classes are numbered from 1, as those of the other detectors.
"""

from __future__ import annotations

from collections.abc import Sequence

from minidnn.detection.grid import Grid
from minidnn.nn import AdaptiveAvgPool2d, Conv2d, Dropout, LeakyReLU, Linear, MaxPool2d, Module, Sequential
from minidnn.tensor import Tensor
from models.blocks import initialize_convolutions
from models.grid_detector import GridDetector
from models.registry import register

# Figure 3. "3x3-192" is a convolution with 192 filters, "/2" its stride.
FEATURES = (
    "7x7-64/2 pool  3x3-192 pool  1x1-128 3x3-256 1x1-256 3x3-512 pool  "
    + 4 * "1x1-256 3x3-512 "
    + "1x1-512 3x3-1024 pool  "
    + 2 * "1x1-512 3x3-1024 "
)
DETECTION = "3x3-1024 3x3-1024/2 3x3-1024 3x3-1024"
TINY_FEATURES = "3x3-16 pool  3x3-32 pool  3x3-64 pool  3x3-128 pool  3x3-256 pool  3x3-512 pool  3x3-1024"
TINY_DETECTION = "3x3-1024 3x3-1024"
CHANNELS = 1024  # of the last maps, each pixel of which is
CELL = 64  # pixels wide and high in the image: 448 pixels are 7 cells
SLOPE = 0.1


def stacked(layers: str, in_channels: int) -> Sequential:
    """Return the layers of a line of the table, a leaky ReLU behind every convolution."""
    result = Sequential()
    for word in layers.split():
        if word == "pool":
            result.append(MaxPool2d(2))
            continue
        kernel, _, rest = word.partition("x")
        channels, _, stride = rest.partition("-")[2].partition("/")
        size = int(kernel)
        result.append(Conv2d(in_channels, int(channels), size, int(stride or 1), padding=size // 2))
        result.append(LeakyReLU(SLOPE))
        in_channels = int(channels)
    return result


class YOLOv1Classifier(Module):
    """The first twenty convolutions, averaged over the map, and one fully connected layer.

    Args:
        num_classes: how many outputs.
        in_channels: channels of the images.

    Shapes: x (N, in_channels, H, W), 224x224 in the paper; result (N, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.features = stacked(FEATURES, in_channels)
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(CHANNELS, num_classes)
        initialize_convolutions(self, mode="fan_in")

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class."""
        x = self.avgpool(self.features(x))  # (N, 1024, 1, 1)
        scores: Tensor = self.fc(x.flatten(1))
        return scores


class YOLOv1(GridDetector):
    """Convolutions, and fully connected layers that fill in the grid.

    Args:
        features: the pretrained convolutions' line of the table.
        detection: the others'; together they make the image 64 times smaller.
        hidden: outputs of the fully connected layers before the last.
        grid: the sizes of the prediction; images are resized to 64 times its cells.
        score_thresh, nms_thresh: see `GridDetector`.

    Raises:
        ValueError: a threshold that is not a number in [0, 1].
    """

    def __init__(
        self,
        features: str,
        detection: str,
        hidden: Sequence[int],
        grid: Grid,
        score_thresh: float = 0.2,
        nms_thresh: float = 0.5,
    ) -> None:
        super().__init__(grid, CELL, score_thresh, nms_thresh)
        self.features = stacked(features, in_channels=3)
        self.detection = stacked(detection, in_channels=CHANNELS)
        self.connected = Sequential()
        inputs = CHANNELS * grid.cells**2
        for index, outputs in enumerate(hidden):
            self.connected.append(Linear(inputs, outputs))
            self.connected.append(LeakyReLU(SLOPE))
            if index == 0:
                self.connected.append(Dropout(0.5))
            inputs = outputs
        self.connected.append(Linear(inputs, grid.cells**2 * grid.channels))
        initialize_convolutions(self, mode="fan_in")

    def predict(self, x: Tensor) -> Tensor:
        """Return the grid (N, S, S, 5 B + C) for images (N, 3, 64 S, 64 S); see `minidnn.detection.grid`."""
        maps = self.detection(self.features(x))  # (N, 1024, S, S)
        numbers: Tensor = self.connected(maps.flatten(1))
        return numbers.reshape(-1, self.grid.cells, self.grid.cells, self.grid.channels)


@register(input_shape=(3, 448, 448), kind="detection")
def yolo_v1(num_classes: int = 20, score_thresh: float = 0.2, nms_thresh: float = 0.5) -> YOLOv1:
    """YOLO (2015), 24 convolutions and 2 fully connected layers: 271,703,550 parameters.

    Args:
        num_classes: of objects; there is no background.
        score_thresh: a detection's least score.
        nms_thresh: the IoU above which a better detection of the same class suppresses.
    """
    return YOLOv1(FEATURES, DETECTION, (4096,), Grid(classes=num_classes), score_thresh, nms_thresh)


@register(input_shape=(3, 448, 448), kind="detection")
def yolo_v1_tiny(num_classes: int = 20, score_thresh: float = 0.2, nms_thresh: float = 0.5) -> YOLOv1:
    """Fast YOLO (2015), 9 convolutions: 45,089,374 parameters.

    Args:
        num_classes: of objects; there is no background.
        score_thresh: a detection's least score.
        nms_thresh: the IoU above which a better detection of the same class suppresses.
    """
    grid = Grid(classes=num_classes)
    return YOLOv1(TINY_FEATURES, TINY_DETECTION, (256, 4096), grid, score_thresh, nms_thresh)


@register(input_shape=(3, 224, 224))
def yolo_v1_classifier(num_classes: int = 1000, in_channels: int = 3) -> YOLOv1Classifier:
    """What YOLO learns first (2015), to classify by 20 convolutions: 23,428,136 parameters."""
    return YOLOv1Classifier(num_classes, in_channels)
