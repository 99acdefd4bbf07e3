"""R-CNN (2014): regions from selective search, each warped to a square and described by a network that was
trained to classify; support vector machines tell the classes apart, and a regression corrects the boxes.

Paper: Girshick, Donahue, Darrell, Malik, "Rich feature hierarchies for accurate object detection and semantic
segmentation", arXiv:1311.2524 (CVPR 2014), sections 2 and 3.5, appendices A to C.

What `fit` learns is not learnt by gradient steps. The network comes trained on ImageNet, and is fine-tuned on
warped regions of the detector's own classes first (`models.rcnn_fine_tuning`, section 2.3).

    detector = models.rcnn(num_classes=21)
    detector.features.load_state_dict(minidnn.load("alexnet_paper.safetensors"))
    dataset = VocFolder("VOC2007", "trainval", classes=VOC)
    models.fine_tune_rcnn(detector, dataset)
    detector.fit(dataset)

Deviations:
- A detection's score is 1 / (1 + exp(-margin)), which orders as the margin does and lies in (0, 1).
- Images are RGB, normalised by ImageNet's mean and deviation, and are not resized before the search.
- The numbers that the paper leaves open (the machines' constants, features scaled so that their mean length
  is 20, proposals with sides below 20 pixels left out) are those of the authors' program. It takes the mean
  length over regions of many images, this one over the objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, check_floating
from kernels.threads import matrix_product
from minidnn.data import Dataset
from minidnn.data.annotations import flagged
from minidnn.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from minidnn.detection import BoxCoder, box_iou, remove_small_boxes
from minidnn.detection.boxes import check_boxes
from minidnn.detection.hard_negatives import HardNegativeMiner, MiningSettings
from minidnn.detection.linear_svm import LinearSVM
from minidnn.detection.ridge import ridge_regression
from minidnn.detection.selection import select_detections
from minidnn.detection.selective_search import FAST, Strategies, selective_search
from minidnn.detection.warping import warp_regions
from minidnn.modes import no_grad
from minidnn.nn import Module
from minidnn.tensor import Tensor, as_tensor
from models.alexnet import AlexNetPaper
from models.generalized_rcnn import Detections, check_training_targets
from models.registry import register

CODER = BoxCoder((1.0, 1.0, 1.0, 1.0))  # appendix C
POOL5, FC7 = 256 * 6 * 6, 4096


@dataclass(frozen=True)
class RegionSettings:
    """The numbers of R-CNN; the defaults are the paper's.

    Attributes:
        size, padding: of the warped squares, see `warp_regions`.
        strategies: of the search.
        min_side: proposals with a shorter side are left out.
        batch_size: squares that the network sees at once.
        negative_iou: a proposal that overlaps every object of a class less is its background (section 2.3).
        mining: how the machines learn.
        feature_length: the mean length that features are scaled to.
        regression_iou: a proposal that overlaps an object more learns its box (appendix C).
        penalty: of the regression.
        score_thresh, nms_thresh, detections_per_img: a detection's least score, the IoU above which a better
            one of its class suppresses it, and how many an image has at most.
    """

    size: int = 227
    padding: int = 16
    strategies: Strategies = FAST
    min_side: float = 20.0
    batch_size: int = 64
    negative_iou: float = 0.3
    mining: MiningSettings = field(default_factory=MiningSettings)
    feature_length: float = 20.0
    regression_iou: float = 0.6
    penalty: float = 1000.0
    score_thresh: float = 0.25
    nms_thresh: float = 0.3
    detections_per_img: int = 100


class RegionFeatures(AlexNetPaper):
    """AlexNet up to its last layer but one; its parameters are AlexNet's.

    Shapes: x (N, 3, 227, 227); result pool5 (N, 9216) and fc7 (N, 4096).
    """

    def forward(self, x: Tensor) -> Any:
        """Return what boxes are corrected by, and what classes are told by."""
        pooled = self.pooled_features(x)
        return pooled, self.connected_features(pooled)


class Described(NamedTuple):
    """Regions as the network sees them.

    Attributes:
        pooled: (P, D5), what boxes are corrected by.
        connected: (P, D7), what classes are told by.
    """

    pooled: Array
    connected: Array


class Scene(NamedTuple):
    """An image to learn from.

    Attributes:
        image: (3, H, W), normalised.
        proposals: (P, 4).
        boxes, labels: of all objects, (L, 4) and (L,).
        proper: which of them are to be found, bool (L,).
    """

    image: Array
    proposals: Array
    boxes: Array
    labels: Array
    proper: Array

    def background_of(self, label: int, most: float) -> Array:
        """Return which proposals (P,) overlap every object of a class by an IoU below `most`."""
        overlaps = box_iou(self.boxes[self.labels == label], self.proposals)  # (L, P)
        background: Array = overlaps.max(axis=0, initial=0.0) < most
        return background


class RCNN(Module):
    """A detector of described regions: `fit` learns, calling it detects.

    For each image it returns {"boxes" (D, 4), "labels" (D,), "scores" (D,)}, best first, in the image's
    pixels.

    Args:
        features: squares (N, 3, size, size) -> (pool5 (N, D5), fc7 (N, D7)).
        pooled_size, connected_size: D5 and D7.
        num_classes: with the background, which is class 0; its place in the state is not used.
        settings: see there.
    """

    def __init__(
        self,
        features: Module,
        pooled_size: int,
        connected_size: int,
        num_classes: int,
        settings: RegionSettings,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, the background being one, got {num_classes}")
        self.features = features
        self.settings = settings
        self.svm_weight: Tensor
        self.svm_bias: Tensor
        self.box_weight: Tensor
        self.register_buffer("svm_weight", Tensor(np.zeros((num_classes, connected_size), np.float32)))
        self.register_buffer("svm_bias", Tensor(np.zeros(num_classes, np.float32)))
        self.register_buffer("box_weight", Tensor(np.zeros((num_classes, 4, pooled_size), np.float32)))

    @property
    def num_labels(self) -> int:
        """How many labels there are, the background's 0 among them."""
        return self.svm_bias.shape[0]

    def forward(self, images: Sequence[Any], proposals: Sequence[Array] | None = None) -> Detections:
        """Return the detections of each image.

        Args:
            images: (3, H, W) each, of any sizes, values in [0, 1], of the weights' dtype.
            proposals: the regions (P, 4) of each image, in its pixels; None searches for them.

        Raises:
            ValueError: training mode, images or proposals of a wrong shape, values outside [0, 1], a
                proposal without area.
            TypeError: images or proposals of a wrong dtype.
            ImportError: scikit-image is needed for the search and is not installed.
        """
        if self.training:
            raise ValueError("R-CNN learns by fit(dataset), not by losses: call eval() before it detects")
        return [
            self._detect(as_tensor(image).data, boxes)
            for image, boxes in zip(images, _one_each(proposals, len(images)), strict=True)
        ]

    def propose(self, image: Array) -> Array:
        """Return the regions (P, 4) that the search finds in an image (3, H, W)."""
        boxes = selective_search(image, self.settings.strategies)
        return boxes[remove_small_boxes(boxes, self.settings.min_side)]

    def describe(self, image: Array, boxes: Array) -> Described:
        """Return what the network says of the regions (P, 4) of a normalised image (3, H, W)."""
        settings = self.settings
        pooled = np.empty((len(boxes), self.box_weight.shape[2]), image.dtype)
        connected = np.empty((len(boxes), self.svm_weight.shape[1]), image.dtype)
        with no_grad():
            for start in range(0, len(boxes), settings.batch_size):
                some = slice(start, start + settings.batch_size)
                squares = warp_regions(image, boxes[some], settings.size, settings.padding)
                first, second = self.features(Tensor(squares))
                pooled[some], connected[some] = first.numpy(), second.numpy()
        return Described(pooled, connected)

    def _detect(self, image: Array, proposals: Array | None) -> dict[str, Array]:
        boxes = self._regions(image, proposals)
        seen = self.describe(normalised(image), boxes)
        margins = matrix_product(seen.connected, self.svm_weight.data[1:].T) + self.svm_bias.data[1:]
        steps = self.box_weight.data[1:].reshape(-1, seen.pooled.shape[1])  # (4 (C - 1), D5)
        decoded = CODER.decode_single(matrix_product(seen.pooled, steps.T), boxes)  # (P, C - 1, 4)
        settings = self.settings
        return select_detections(
            decoded,
            np.exp(-np.logaddexp(0, -margins)),
            image.shape[1:],
            settings.score_thresh,
            settings.nms_thresh,
            settings.detections_per_img,
        )

    def regions_of(self, dataset: Dataset, proposals: Sequence[Array] | None = None) -> list[Array]:
        """Return the given proposals of each of a data set's images, checked, or those that are found.

        Raises:
            ValueError, TypeError, ImportError: as `forward`.
        """
        return [
            self._regions(as_tensor(dataset[index][0]).data, given)
            for index, given in enumerate(_one_each(proposals, len(dataset)))
        ]

    def _regions(self, image: Array, proposals: Array | None) -> Array:
        """The given or found proposals of an image, both checked."""
        if image.ndim != 3 or image.shape[0] != 3:
            raise ValueError(f"images must have shape (3, H, W) each, got {tuple(image.shape)}")
        check_floating(images=image, weights=self.svm_weight.data)
        if proposals is None:
            return self.propose(image)
        check_floating(images=image, proposals=proposals)
        check_boxes("proposals", proposals)
        return proposals

    # ---- learning ----------------------------------------------------------------------------------

    def fit(self, dataset: Dataset, proposals: Sequence[Array] | None = None) -> RCNN:
        """Learn the machines and the regression from images with their objects; return the detector.

        Every image is fetched three times: for its proposals, for its objects with the proposals near them,
        and for its background. Features are kept of the objects, of the proposals near them, and of the hard
        background. Objects that are "difficult" or "iscrowd" are not learnt from, nor are they background.

        Args:
            dataset: items (image, target), for example `VocFolder`: images (3, H, W) with values in [0, 1],
                targets {"boxes" (L, 4), "labels" (L,)}, labels from 1 on.
            proposals: the regions (P, 4) of each image; None searches for them.

        Raises:
            ValueError: images, targets or proposals of a wrong shape, labels that are not in [1, C), a class
                without objects or without background.
            TypeError: images, targets or proposals of a wrong dtype.
            ImportError: as `forward`.
        """
        self.eval()
        regions = self.regions_of(dataset, proposals)
        objects, pairs = self._look_at_objects(scenes(dataset, regions, self.num_labels))
        self.box_weight = Tensor(self._learn_boxes(pairs))
        lengths = np.concatenate([np.linalg.norm(features, axis=1) for features in objects])
        scale = self.settings.feature_length / (float(lengths.mean()) or 1.0)
        machines = self._learn_classes(
            [features * scale for features in objects], scenes(dataset, regions, self.num_labels), scale
        )
        weight, bias = np.zeros_like(self.svm_weight.data), np.zeros_like(self.svm_bias.data)
        for label, machine in enumerate(machines, start=1):
            weight[label], bias[label] = scale * machine.weight, machine.bias
        self.svm_weight, self.svm_bias = Tensor(weight), Tensor(bias)
        return self

    def _look_at_objects(self, scenes: Iterator[Scene]) -> tuple[list[Array], list[tuple[Array, Array]]]:
        """Of each class the objects' features, and features of proposals with the codes of their boxes."""
        objects: list[list[Array]] = [[] for _ in range(self.num_labels)]
        pairs: list[list[tuple[Array, Array]]] = [[] for _ in range(self.num_labels)]
        for scene in scenes:
            boxes, labels = scene.boxes[scene.proper], scene.labels[scene.proper]
            for label, features in zip(labels, self.describe(scene.image, boxes).connected, strict=True):
                objects[label].append(features)
            overlaps = box_iou(boxes, scene.proposals)  # (L, P)
            near = np.flatnonzero(overlaps.max(axis=0, initial=0.0) > self.settings.regression_iou)
            if len(near) == 0:
                continue
            nearest = overlaps[:, near].argmax(axis=0)
            codes = CODER.encode_single(boxes[nearest], scene.proposals[near])
            pooled = self.describe(scene.image, scene.proposals[near]).pooled
            for place, label in enumerate(labels[nearest]):
                pairs[label].append((pooled[place], codes[place]))
        missing = [label for label in range(1, self.num_labels) if not objects[label]]
        if missing:
            raise ValueError(f"dataset must have an object of every class, got none of class {missing[0]}")
        return [np.stack(features) for features in objects[1:]], [_columns(each) for each in pairs[1:]]

    def _learn_boxes(self, pairs: Sequence[tuple[Array, Array]]) -> Array:
        """The regression's weights (C, 4, D5); a class without pairs leaves its boxes as they are."""
        weights = np.zeros_like(self.box_weight.data)
        for label, (pooled, codes) in enumerate(pairs, start=1):
            if len(pooled):
                weights[label] = ridge_regression(pooled, codes, self.settings.penalty).T
        return weights

    def _learn_classes(
        self, objects: Sequence[Array], scenes: Iterator[Scene], scale: float
    ) -> list[LinearSVM]:
        """The machine of each class, from its objects' features (P, D7) and what is not the class."""
        miners = [HardNegativeMiner(features, self.settings.mining) for features in objects]
        for scene in scenes:
            connected = self.describe(scene.image, scene.proposals).connected * scale
            for label, miner in enumerate(miners, start=1):
                miner.look_at(connected[scene.background_of(label, self.settings.negative_iou)])
        return [miner.finish() for miner in miners]


def normalised(image: Array) -> Array:
    """Return an image (3, H, W) of values in [0, 1] as the network takes it."""
    mean, std = (np.array(numbers, image.dtype)[:, None, None] for numbers in (IMAGENET_MEAN, IMAGENET_STD))
    centred: Array = (image - mean) / std
    return centred


def _one_each(proposals: Sequence[Array] | None, count: int) -> Sequence[Array | None]:
    """The proposals of each image, None where they are to be searched for."""
    if proposals is None:
        return [None] * count
    if len(proposals) != count:
        raise ValueError(f"proposals must be one array for each of {count} images, got {len(proposals)}")
    return proposals


def scenes(dataset: Dataset, regions: Sequence[Array], classes: int) -> Iterator[Scene]:
    """Yield the images with their proposals and objects, one after the other.

    Raises:
        ValueError: boxes without area, labels that are not in [1, classes).
        TypeError: boxes that are not floating.
    """
    for index, proposals in enumerate(regions):
        image, target = dataset[index]
        (target,) = check_training_targets([target], 1)
        labels = target["labels"]
        if ((labels < 1) | (labels >= classes)).any():
            raise ValueError(f"labels must be in [1, {classes}), got {labels.tolist()} in item {index}")
        boxes = target["boxes"].astype(proposals.dtype)
        yield Scene(normalised(as_tensor(image).data), proposals, boxes, labels, ~flagged(target))


def _columns(pairs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Pairs (N) as two arrays of N rows."""
    if not pairs:
        return np.zeros((0, 0)), np.zeros((0, 4))
    features, codes = zip(*pairs, strict=True)
    return np.stack(features), np.stack(codes)


@register(input_shape=(3, 375, 500), kind="detection")
def rcnn(num_classes: int = 21, settings: RegionSettings | None = None) -> RCNN:
    """R-CNN on AlexNet (2014): 60,965,224 parameters, and what it learns by `fit`.

    Args:
        num_classes: of objects, and the background, which is class 0.
        settings: sizes and thresholds, the paper's if None.
    """
    return RCNN(RegionFeatures(), POOL5, FC7, num_classes, settings or RegionSettings())
