"""R-CNN's fine-tuning: the network that was trained on ImageNet learns to classify warped regions.

Paper: Girshick, Donahue, Darrell, Malik, "Rich feature hierarchies for accurate object detection and semantic
segmentation", arXiv:1311.2524 (CVPR 2014), section 2.3: a proposal that overlaps an object by an IoU of 0.5
or more is one of its class, all others are background; every step sees 32 of the former and 96 of the latter,
drawn evenly, for objects are rare. The last layer is a new one of N + 1 classes. It is dropped afterwards:
the machines that `RCNN.fit` learns take its place (appendix B says why).

Deviations:
- The objects' own boxes are among the regions, as in the authors' program, which also gives the number of
  steps, the momentum, the weight decay and the new layer's initial values. Its learning rate falls by ten
  every 20,000 steps, this one stays: call it again with a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kernels.array import Array, check_integer
from minidnn.data import Dataset
from minidnn.detection import box_iou
from minidnn.detection.warping import warp_regions
from minidnn.functional import cross_entropy
from minidnn.nn import Linear
from minidnn.optim import SGD
from minidnn.random import generator
from minidnn.tensor import Tensor, as_tensor
from models.blocks import initialize_normal
from models.rcnn import RCNN, Scene, normalised, scenes


@dataclass(frozen=True)
class FineTuning:
    """The numbers of the fine-tuning; the defaults are the paper's and its program's.

    Attributes:
        steps: how many to take.
        lr, momentum, weight_decay: see `optim.SGD`.
        objects, background: how many regions of either kind a step sees; all, where there are less.
        object_iou: from this IoU with an object on a region is one of its class.
    """

    steps: int = 50_000
    lr: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 0.0005
    objects: int = 32
    background: int = 96
    object_iou: float = 0.5

    def __post_init__(self) -> None:
        for name in ("steps", "objects", "background"):
            check_integer(name, getattr(self, name), minimum=1)


class LabelledRegions(NamedTuple):
    """Regions of all images.

    Attributes:
        images: which image each is in, int64 (K,).
        boxes: (K, 4) in its pixels.
        labels: the class, 0 for background, int64 (K,).
    """

    images: Array
    boxes: Array
    labels: Array

    def at(self, places: Array) -> LabelledRegions:
        """Return some of them."""
        return LabelledRegions(*(column[places] for column in self))


def fine_tune_rcnn(
    detector: RCNN,
    dataset: Dataset,
    proposals: Sequence[Array] | None = None,
    settings: FineTuning | None = None,
) -> list[float]:
    """Train a detector's features to classify regions; return the loss of each step.

    Which regions a step sees, and what dropout drops, is drawn from the engine's generator:
    `minidnn.manual_seed` repeats it. Objects that are "difficult" or "iscrowd" are left out, and so is what
    overlaps them as much as an object of a class would be.

    Args:
        detector: of which `features` learn; it is in evaluation mode afterwards, ready for `fit`.
        dataset, proposals: as for `RCNN.fit`.
        settings: the paper's if None.

    Raises:
        ValueError: as `RCNN.fit`, or no region overlaps an object, or every one does.
        TypeError, ImportError: as `RCNN.fit`.
    """
    settings = settings or FineTuning()
    found = detector.regions_of(dataset, proposals)
    regions = labelled_regions(scenes(dataset, found, detector.num_labels), settings.object_iou)
    classifier = Linear(detector.svm_weight.shape[1], detector.num_labels)
    initialize_normal([classifier], std=0.01, bias=0.0)
    parameters = [*detector.features.parameters(), *classifier.parameters()]
    optimizer = SGD(parameters, settings.lr, settings.momentum, weight_decay=settings.weight_decay)
    detector.features.train()
    losses = []
    for chosen in _draws(regions, settings):
        squares = _squares(detector, dataset, chosen)  # (K, 3, size, size)
        optimizer.zero_grad()
        _, connected = detector.features(Tensor(squares))
        loss = cross_entropy(classifier(connected), chosen.labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.item()))
    detector.eval()
    return losses


def labelled_regions(pictures: Iterator[Scene], object_iou: float) -> LabelledRegions:
    """Return the proposals and objects of all images with the classes that they are to be given."""
    rows: list[tuple[Array, Array, Array]] = []
    for index, scene in enumerate(pictures):
        boxes = np.concatenate((scene.boxes, scene.proposals))
        overlaps = box_iou(scene.boxes, boxes)  # (L, L + P)
        is_object = overlaps.max(axis=0, initial=0.0) >= object_iou
        nearest = overlaps.argmax(axis=0) if len(scene.boxes) else np.zeros(len(boxes), np.int64)
        labels = np.zeros(len(boxes), np.int64)
        labels[is_object] = scene.labels[nearest[is_object]]
        kept = ~is_object
        kept[is_object] = scene.proper[nearest[is_object]]
        rows.append((np.full(int(kept.sum()), index), boxes[kept], labels[kept]))
    images, boxes, labels = (np.concatenate(column) for column in zip(*rows, strict=True))
    return LabelledRegions(images, boxes, labels)


def _draws(regions: LabelledRegions, settings: FineTuning) -> Iterator[LabelledRegions]:
    """The regions of each step."""
    objects, background = np.flatnonzero(regions.labels), np.flatnonzero(regions.labels == 0)
    for places, kind in ((objects, "objects"), (background, "background")):
        if len(places) == 0:
            raise ValueError(f"dataset must have regions of objects and of background, got none of {kind}")
    for _ in range(settings.steps):
        yield regions.at(
            np.concatenate(
                (
                    generator().permutation(objects)[: settings.objects],
                    generator().permutation(background)[: settings.background],
                )
            )
        )


def _squares(detector: RCNN, dataset: Dataset, chosen: LabelledRegions) -> Array:
    """The regions warped (K, 3, size, size); each image is fetched once."""
    size, padding = detector.settings.size, detector.settings.padding
    squares = np.empty((len(chosen.images), 3, size, size), chosen.boxes.dtype)
    for index in np.unique(chosen.images):
        mine = chosen.images == index
        image = normalised(as_tensor(dataset[int(index)][0]).data)
        squares[mine] = warp_regions(image, chosen.boxes[mine], size, padding)
    return squares
