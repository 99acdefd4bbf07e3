"""YOLO v1's equation 3 and decoding in plain PyTorch, written from the paper: cell by cell."""

from __future__ import annotations

import math
from typing import Any


def corners(box: Any, row: int, column: int, cells: int) -> list[Any]:
    """A predicted box as x1, y1, x2, y2 in parts of the image."""
    x, y, root_w, root_h = box[:4]
    cx, cy, w, h = (column + x) / cells, (row + y) / cells, root_w**2, root_h**2
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def overlap(a: Any, b: Any) -> float:
    a, b = ([float(number) for number in box] for box in (a, b))
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union


def loss(prediction: Any, targets: Any, boxes: int) -> Any:
    """Equation 3, one cell and one box after the other, divided by the images."""
    total, cells = 0, prediction.shape[1]
    for image, target in zip(prediction, targets, strict=True):
        objects = {}
        for truth, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            cx, cy = (truth[0] + truth[2]) / 2, (truth[1] + truth[3]) / 2
            place = (min(int(cy * cells), cells - 1), min(int(cx * cells), cells - 1))
            objects.setdefault(place, (truth, label))
        for row in range(cells):
            for column in range(cells):
                total = total + cell_loss(
                    image[row, column], objects.get((row, column)), row, column, cells, boxes
                )
    return total / len(targets)


def cell_loss(cell: Any, found: Any, row: int, column: int, cells: int, boxes: int) -> Any:
    predicted = [cell[5 * i : 5 * i + 5] for i in range(boxes)]
    responsible, best, total = None, 0.0, 0
    if found is not None:
        truth, label = found
        overlaps = [overlap(corners(box.detach(), row, column, cells), truth) for box in predicted]
        best = max(overlaps)
        assert best > 0  # where nothing overlaps the paper says nothing
        responsible = overlaps.index(best)
        x, y, root_w, root_h, confidence = predicted[responsible]
        cx, cy = (truth[0] + truth[2]) / 2, (truth[1] + truth[3]) / 2
        total = total + 5 * ((x - (cx * cells - column)) ** 2 + (y - (cy * cells - row)) ** 2)
        total = total + 5 * (root_w - math.sqrt(truth[2] - truth[0])) ** 2
        total = total + 5 * (root_h - math.sqrt(truth[3] - truth[1])) ** 2
        total = total + (confidence - best) ** 2
        for index, probability in enumerate(cell[5 * boxes :]):
            total = total + (probability - (1 if index == label - 1 else 0)) ** 2
    for index, box in enumerate(predicted):
        if index != responsible:
            total = total + 0.5 * box[4] ** 2
    return total


def decode(
    cell_grid: Any, boxes: int, threshold: float, scale: Any = (1, 1, 1, 1)
) -> list[tuple[Any, int, float]]:
    """All (corners, label, score) above the threshold of one image, cut to the image, before suppression."""
    found, cells = [], cell_grid.shape[0]
    for row in range(cells):
        for column in range(cells):
            cell = cell_grid[row, column].tolist()
            for i in range(boxes):
                box = cell[5 * i : 5 * i + 5]
                whole = zip(corners(box, row, column, cells), scale, strict=True)
                cut = [min(max(number, 0), 1) * side for number, side in whole]
                for index, probability in enumerate(cell[5 * boxes :]):
                    if probability * box[4] > threshold:
                        found.append((cut, index + 1, probability * box[4]))
    return found


def suppressed(found: list[tuple[Any, int, float]], threshold: float) -> list[tuple[Any, int, float]]:
    """Greedy non-maximum suppression class by class, best first."""
    kept: list[tuple[Any, int, float]] = []
    for entry in sorted(found, key=lambda entry: -entry[2]):
        rivals = [other for other in kept if other[1] == entry[1]]
        if all(overlap(other[0], entry[0]) <= threshold for other in rivals):
            kept.append(entry)
    return kept
