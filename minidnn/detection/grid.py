"""YOLO's grid: every cell of an image says which boxes are centred in it, and what they are.

The prediction for an image is an array (S, S, 5 B + C). In cell (row, column) it holds for each of B boxes

    x, y                the centre within the cell, 0 to 1 from its left and upper edge
    sqrt(w), sqrt(h)    the roots of the box's width and height as parts of the image's
    confidence          Pr(object) IoU

and then Pr(class | object) for C classes. All are plain numbers, without a sigmoid or softmax.

Source: Redmon, Divvala, Girshick, Farhadi, "You only look once: unified, real-time object detection",
arXiv:1506.02640 (CVPR 2016), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels.array import Array, check_shape
from minidnn.detection.boxes import box_convert, box_iou
from minidnn.detection.targets import Target
from minidnn.functional import mse_loss
from minidnn.tensor import Tensor

NUMBERS = 5  # of a box: x, y, sqrt(w), sqrt(h), confidence


class Grid(NamedTuple):
    """The sizes of a prediction; the defaults are the paper's for Pascal VOC.

    Attributes:
        cells: S, down and across.
        boxes: B, of each cell.
        classes: C, of objects; there is no background.
    """

    cells: int = 7
    boxes: int = 2
    classes: int = 20

    @property
    def channels(self) -> int:
        """The numbers of a cell, 5 B + C."""
        return NUMBERS * self.boxes + self.classes


class Objects(NamedTuple):
    """The objects that cells are to find, K in all, at most one a cell.

    Attributes:
        places: image, row and column of each one's cell, three arrays (K,).
        boxes: (K, 4), x1, y1, x2, y2 as parts of the image.
        classes: (K,), from 0 on.
    """

    places: tuple[Array, Array, Array]
    boxes: Array
    classes: Array


def decode_grid(prediction: Array, grid: Grid) -> tuple[Array, Array]:
    """Return all boxes, and their scores Pr(class | object) * confidence.

    Shapes: prediction (N, S, S, 5 B + C) -> boxes (N, S S B, 4), x1, y1, x2, y2 as parts of the image, and
        scores (N, S S B, C).

    Raises:
        ValueError: another shape.

    Source: the paper's section 2, equation 1.
    """
    check_shape("prediction", prediction, (len(prediction), grid.cells, grid.cells, grid.channels))
    numbers, classes = _split(prediction, grid)  # (N, S, S, B, 5), (N, S, S, C)
    rows, columns = np.indices((grid.cells, grid.cells))[..., None]  # (S, S, 1) each
    boxes = _corners(numbers, rows, columns, grid)
    scores = numbers[..., 4:] * classes[..., None, :]  # (N, S, S, B, C)
    return boxes.reshape(len(prediction), -1, 4), scores.reshape(len(prediction), -1, grid.classes)


def _split(prediction: Array, grid: Grid) -> tuple[Array, Array]:
    end = NUMBERS * grid.boxes
    numbers = prediction[..., :end].reshape(*prediction.shape[:-1], grid.boxes, NUMBERS)
    return numbers, prediction[..., end:]


def _corners(numbers: Array, rows: Array, columns: Array, grid: Grid) -> Array:
    """The corners (..., B, 4) of the boxes (..., B, 5) of cells at rows and columns (..., 1)."""
    cells = np.stack((columns, rows), axis=-1).astype(numbers.dtype)  # (..., 1, 2)
    centre = (cells + numbers[..., :2]) / np.array(grid.cells, numbers.dtype)  # (..., B, 2)
    half = numbers[..., 2:4] ** 2 / 2
    return np.concatenate((centre - half, centre + half), axis=-1)


def objects_of(targets: Sequence[Target], grid: Grid, dtype: np.dtype) -> Objects:
    """Return each object in the cell that its centre falls into; the first of several in a cell.

    Args:
        targets: for each image "boxes" (L, 4) as parts of the image, and "labels" (L,) in [1, C].
        grid: the sizes.
        dtype: of the result's boxes.

    Raises:
        ValueError: a label out of range.
    """
    counts = [len(target["boxes"]) for target in targets]
    images = np.repeat(np.arange(len(targets)), counts)
    boxes = np.concatenate([target["boxes"] for target in targets]).astype(dtype)  # (K, 4)
    classes = np.concatenate([target["labels"] for target in targets]).astype(np.int64) - 1
    if ((classes < 0) | (classes >= grid.classes)).any():
        wrong = classes[(classes < 0) | (classes >= grid.classes)][0] + 1
        raise ValueError(f"targets' labels must be in [1, {grid.classes}], got {wrong}")
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    columns, rows = np.clip(centre * grid.cells, 0, grid.cells - 1).astype(np.int64).T
    cells = np.ravel_multi_index((images, rows, columns), (len(targets), grid.cells, grid.cells))
    first = np.sort(np.unique(cells, return_index=True)[1])
    return Objects((images[first], rows[first], columns[first]), boxes[first], classes[first])


def responsible_boxes(numbers: Array, objects: Objects, grid: Grid) -> tuple[Array, Array]:
    """Return which of its cell's boxes is to find each object, and their IoU with it, both (K,).

    It is the one that overlaps the object most. Where none overlaps it (the paper leaves that open), it is
    as in the authors' program the one whose centre and size are nearest, or a box that never was
    responsible could never become so.

    Args:
        numbers: the predicted boxes (K, B, 5) of the objects' cells.
        objects: the objects.
        grid: the sizes.
    """
    _, rows, columns = objects.places
    predicted = _corners(numbers, rows[:, None], columns[:, None], grid)  # (K, B, 4)
    overlap = np.zeros(numbers.shape[:2], numbers.dtype)  # (K, B)
    distance = np.zeros_like(overlap)
    for k, (boxes, truth) in enumerate(zip(predicted, objects.boxes[:, None], strict=True)):
        overlap[k] = box_iou(boxes, truth)[:, 0]
        far = box_convert(boxes, "xyxy", "cxcywh") - box_convert(truth, "xyxy", "cxcywh")
        distance[k] = (far**2).sum(axis=1)
    nearest = np.where(overlap.max(axis=1) > 0, overlap.argmax(axis=1), distance.argmin(axis=1))
    return nearest, overlap[np.arange(len(nearest)), nearest]


def grid_loss(
    prediction: Tensor,
    targets: Sequence[Target],
    grid: Grid,
    lambda_coord: float = 5.0,
    lambda_noobj: float = 0.5,
) -> dict[str, Tensor]:
    """Return the five sums of the paper's equation 3, each divided by the number of images.

        loss_centre     lambda_coord sum over objects of (x - x')^2 + (y - y')^2
        loss_size       lambda_coord sum over objects of (sqrt(w) - sqrt(w'))^2 + (sqrt(h) - sqrt(h'))^2
        loss_object     sum over objects of (confidence - IoU)^2
        loss_no_object  lambda_noobj sum over all boxes that find no object of confidence^2
        loss_class      sum over objects and classes of (p(c) - [c is the object's class])^2

    An object speaks to the one box that is responsible for it (`responsible_boxes`); the IoU is a number,
    through which no gradient flows.

    Args:
        prediction: (N, S, S, 5 B + C).
        targets: for each image "boxes" (L, 4) as parts of the image, and "labels" (L,) in [1, C].
        grid: the sizes.
        lambda_coord: weight of the first two.
        lambda_noobj: weight of the fourth.

    Raises:
        ValueError: another shape, or a label out of range.

    Source: the paper's section 2.2.
    """
    images = len(targets)
    check_shape("prediction", prediction.data, (images, grid.cells, grid.cells, grid.channels))
    objects = objects_of(targets, grid, prediction.dtype)
    _, rows, columns = objects.places
    found = prediction[objects.places]  # (K, 5 B + C)
    boxes = found[:, : NUMBERS * grid.boxes].reshape(-1, grid.boxes, NUMBERS)  # (K, B, 5)
    chosen, overlap = responsible_boxes(boxes.data, objects, grid)
    mine = boxes[np.arange(len(chosen)), chosen]  # (K, 5)
    wanted = box_convert(objects.boxes, "xyxy", "cxcywh")  # (K, 4)
    centre = wanted[:, :2] * grid.cells - np.stack((columns, rows), axis=1)
    classes = np.eye(grid.classes, dtype=prediction.dtype)[objects.classes]  # (K, C)
    confidence = prediction[..., : NUMBERS * grid.boxes].reshape(
        images, grid.cells, grid.cells, grid.boxes, NUMBERS
    )[..., 4]
    idle = np.ones(confidence.shape, prediction.dtype)  # (N, S, S, B)
    idle[(*objects.places, chosen)] = 0
    return {
        "loss_centre": _squares(mine[:, :2], centre) * (lambda_coord / images),
        "loss_size": _squares(mine[:, 2:4], np.sqrt(wanted[:, 2:])) * (lambda_coord / images),
        "loss_object": _squares(mine[:, 4], overlap) / images,
        "loss_no_object": _squares(confidence * idle, np.zeros_like(idle)) * (lambda_noobj / images),
        "loss_class": _squares(found[:, NUMBERS * grid.boxes :], classes) / images,
    }


def _squares(got: Tensor, wanted: Array) -> Tensor:
    return mse_loss(got, wanted.astype(got.dtype), reduction="sum")
