"""What the detectors that fill in a grid share: images in, YOLO's grid, detections out.

Source: Redmon, Divvala, Girshick, Farhadi, "You only look once: unified, real-time object detection",
arXiv:1506.02640 (CVPR 2016), sections 2 and 2.2; `minidnn.detection.grid` has its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, check_number
from kernels.nms import batched_nms
from minidnn.detection import clip_boxes_to_image
from minidnn.detection.grid import Grid, decode_grid, grid_loss
from minidnn.detection.targets import Target
from minidnn.functional import cat, interpolate
from minidnn.nn import Module
from minidnn.tensor import Tensor, as_tensor
from models.generalized_rcnn import Detections, Losses, check_training_targets


class GridDetector(Module):
    """A detector that fills in a grid of boxes and classes; `predict` is each model's own.

    In evaluation it returns for each image {"boxes" (D, 4), "labels" (D,), "scores" (D,)}, best first, in
    the image's pixels. In training it returns the losses by name, of which the sum is to be minimised.

    Args:
        grid: the sizes of the prediction.
        cell: pixels wide and high that a cell has; images are resized to this times the grid's cells.
        score_thresh: a detection's least score.
        nms_thresh: the IoU above which a better detection of the same class suppresses.

    Raises:
        ValueError: a threshold that is not a number in [0, 1].
    """

    def __init__(self, grid: Grid, cell: int, score_thresh: float, nms_thresh: float) -> None:
        super().__init__()
        self.grid = grid
        self.cell = cell
        for name, value in (("score_thresh", score_thresh), ("nms_thresh", nms_thresh)):
            if check_number(name, value, minimum=0) > 1:
                raise ValueError(f"{name} must be at most 1, got {value}")
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh

    @property
    def num_labels(self) -> int:
        """How many labels there are, with the 0 that stands for nothing."""
        return self.grid.classes + 1

    def forward(self, images: Sequence[Any], targets: Sequence[Target] | None = None) -> Detections | Losses:
        """Return detections (in evaluation) or losses (in training).

        Args:
            images: (3, H, W) each, of any sizes, values in [0, 1], of the weights' dtype.
            targets: in training for each image {"boxes" (L, 4), "labels" (L,) in [1, C]}: arrays, in the
                image's pixels.

        Raises:
            ValueError: images or targets of a wrong shape, in training no targets, a box without area, or a
                label out of range.
            TypeError: images or targets of a wrong dtype.
        """
        checked = check_training_targets(targets, len(images)) if self.training else ()
        prediction = self.predict(self.batch(images))
        sizes = [np.shape(image)[1:] for image in images]
        if not self.training:
            boxes, scores = decode_grid(prediction.detach().numpy(), self.grid)
            return [self._detections(*image) for image in zip(boxes, scores, sizes, strict=True)]
        parts = [
            {**target, "boxes": target["boxes"] / np.array([width, height, width, height])}
            for target, (height, width) in zip(checked, sizes, strict=True)
        ]
        return grid_loss(prediction, parts, self.grid)

    def batch(self, images: Sequence[Any]) -> Tensor:
        """Return the images (N, 3, cell S, cell S), each resized to the square, whatever its shape.

        Raises:
            ValueError: no images, or one of another shape than (3, H, W).
        """
        tensors = [as_tensor(image) for image in images]
        if not tensors or any(image.ndim != 3 or image.shape[0] != 3 for image in tensors):
            raise ValueError(
                f"images must have shape (3, H, W) each, got {[image.shape for image in tensors]}"
            )
        side = self.cell * self.grid.cells
        return cat([interpolate(image[None], size=(side, side), mode="bilinear") for image in tensors])

    def predict(self, x: Tensor) -> Tensor:
        """Return the grid (N, S, S, 5 B + C) for images (N, 3, cell S, cell S)."""
        raise NotImplementedError

    def _detections(self, boxes: Array, scores: Array, size: tuple[int, int]) -> dict[str, Array]:
        """What is left of an image's boxes (S S B, 4) and scores (S S B, C)."""
        height, width = size
        corners = clip_boxes_to_image(boxes * np.array([width, height, width, height], boxes.dtype), size)
        place, label = np.nonzero(scores > self.score_thresh)
        likely = scores[place, label]
        kept = batched_nms(corners[place], likely, label, self.nms_thresh)
        return {"boxes": corners[place[kept]], "labels": label[kept] + 1, "scores": likely[kept]}
