"""The second stage: what each proposal is, where exactly, and which of its pixels belong to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernels.array import Array
from kernels.window import Pair
from minidnn import init, nn
from minidnn.detection.box_coder import BoxCoder
from minidnn.detection.boxes import box_iou
from minidnn.detection.losses import fastrcnn_loss, maskrcnn_loss
from minidnn.detection.masks import masks_of_labels
from minidnn.detection.matching import BalancedPositiveNegativeSampler, Matcher
from minidnn.detection.selection import select_detections
from minidnn.detection.targets import Target, check_targets, matched_boxes
from minidnn.functional import relu, sigmoid, softmax
from minidnn.tensor import Tensor


class TwoMLPHead(nn.Module):
    """Two fully connected layers on a region's flattened bins, a ReLU after each.

    Args:
        in_channels: C OH OW.
        representation_size: outputs of both layers.
        dropout: probability that an output of either layer is dropped in training.

    Shapes: (K, C, OH, OW) -> (K, representation_size).

    Source: Lin et al., "Feature pyramid networks for object detection", 2017, section 4.2; with dropout
    VGG-16's layers of these names, Girshick, "Fast R-CNN", 2015, section 2.2.
    """

    def __init__(self, in_channels: int, representation_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_channels, representation_size)
        self.fc7 = nn.Linear(representation_size, representation_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the regions' features."""
        hidden = self.dropout(relu(self.fc6(x.flatten(1))))
        features: Tensor = self.dropout(relu(self.fc7(hidden)))
        return features


class FastRCNNPredictor(nn.Module):
    """Two linear layers: logits of C classes (0 is background), and four codes for each.

    Args:
        in_channels: features of a region.
        num_classes: C.

    Shapes: (K, in_channels) -> (K, C) and (K, 4 C).

    Source: Girshick, "Fast R-CNN", 2015, section 2.1.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes)
        self.bbox_pred = nn.Linear(in_channels, 4 * num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and codes."""
        features = x.flatten(1)
        return self.cls_score(features), self.bbox_pred(features)


class MaskRCNNHeads(nn.Sequential):
    """A row of 3x3 convolutions that keep the size, a ReLU after each.

    Args:
        in_channels: the regions' channels.
        layers: each convolution's output channels.
        dilation: of all of them.

    Source: He et al., "Mask R-CNN", 2017, figure 4 (right).
    """

    def __init__(self, in_channels: int, layers: Sequence[int], dilation: int) -> None:
        channels = [in_channels, *layers]
        super().__init__(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation), nn.ReLU())
                for before, after in zip(channels, layers, strict=False)
            )
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                init.zeros_(module.bias)


class MaskRCNNPredictor(nn.Sequential):
    """Twice as many rows and columns by a transposed convolution, then a 1x1: a mask for each class.

    Args:
        in_channels: the mask head's channels.
        dim_reduced: channels between the two.
        num_classes: C.

    Shapes: (K, in_channels, M / 2, M / 2) -> (K, C, M, M).

    Source: He et al., "Mask R-CNN", 2017, figure 4 (right).
    """

    def __init__(self, in_channels: int, dim_reduced: int, num_classes: int) -> None:
        super().__init__(
            OrderedDict(
                conv5_mask=nn.ConvTranspose2d(in_channels, dim_reduced, 2, 2),
                relu=nn.ReLU(),
                mask_fcn_logits=nn.Conv2d(dim_reduced, num_classes, 1),
            )
        )
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")


class Samples(NamedTuple):
    """The proposals a step learns from, image by image.

    Attributes:
        proposals: boxes (K, 4).
        matched_idxs: each one's object (K,); 0 where it has none.
        labels: each one's class (K,), 0 for background.
        regression_targets: the codes (K, 4) of the object's box relative to the proposal.
    """

    proposals: list[Array]
    matched_idxs: list[Array]
    labels: list[Array]
    regression_targets: list[Array]


class RoIHeads(nn.Module):
    """Pools every proposal, classifies and corrects it, and draws its mask where a mask branch is given.

    In training the proposals (and the objects themselves) are matched with the objects and drawn; the
    losses are returned. In evaluation detections are: the codes of every class but the background
    decoded, cut to the image, those below `score_thresh` dropped, thinned out class by class, the best
    `detections_per_img` kept. The sampling draws from the engine's generator.

    Args:
        box_roi_pool: pools proposals from the levels, such as `MultiScaleRoIAlign`.
        box_head: features of the pooled regions, such as `TwoMLPHead`.
        box_predictor: logits and codes, such as `FastRCNNPredictor`.
        fg_iou_thresh: a proposal is its object's from this IoU on.
        bg_iou_thresh: a proposal is background below this IoU with every object.
        batch_size_per_image: how many proposals of an image a step learns from.
        positive_fraction: the objects' largest share of them.
        bbox_reg_weights: the box coder's weights, (10, 10, 5, 5) if None.
        score_thresh: a detection's least probability.
        nms_thresh: the IoU above which a better detection of the same class suppresses.
        detections_per_img: how many an image keeps.
        mask_roi_pool, mask_head, mask_predictor: the mask branch; all three or none.

    Raises:
        ValueError: a part of the mask branch without the others.

    Source: Girshick, "Fast R-CNN", 2015, sections 2 and 3; He et al., "Mask R-CNN", 2017, section 3.
    """

    def __init__(
        self,
        box_roi_pool: nn.Module,
        box_head: nn.Module,
        box_predictor: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        bbox_reg_weights: Sequence[float] | None,
        score_thresh: float,
        nms_thresh: float,
        detections_per_img: int,
        mask_roi_pool: nn.Module | None = None,
        mask_head: nn.Module | None = None,
        mask_predictor: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self.box_coder = BoxCoder((10.0, 10.0, 5.0, 5.0) if bbox_reg_weights is None else bbox_reg_weights)
        self.box_roi_pool = box_roi_pool
        self.box_head = box_head
        self.box_predictor = box_predictor
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        branch = [part is not None for part in (mask_roi_pool, mask_head, mask_predictor)]
        if any(branch) != all(branch):
            raise ValueError("mask_roi_pool, mask_head and mask_predictor must be given together")
        self.has_mask = all(branch)
        self.mask_roi_pool = mask_roi_pool
        self.mask_head = mask_head
        self.mask_predictor = mask_predictor

    def forward(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Array],
        image_shapes: Sequence[Pair],
        targets: Sequence[Target] | None = None,
    ) -> tuple[list[dict[str, Array]], dict[str, Tensor]]:
        """Return each image's detections (in evaluation), and the losses by name (in training).

        A detection dictionary has "boxes" (D, 4), "labels" (D,), "scores" (D,), best first, and "masks"
        (D, 1, M, M), probabilities within the box, where there is a mask branch.

        Args:
            features: the levels (N, C, H, W).
            proposals: each image's boxes (P, 4).
            image_shapes: (height, width) of each image.
            targets: in training each image's "boxes", "labels", and "masks" for the mask branch.

        Raises:
            ValueError: in training, targets that are missing or of a wrong shape.
            TypeError: targets of a wrong dtype.
        """
        if not self.training:
            return self._detect(features, proposals, image_shapes), {}
        names = ("boxes", "labels", "masks") if self.has_mask else ("boxes", "labels")
        checked = check_targets(targets, len(proposals), names)
        samples = self.select_training_samples(proposals, checked)
        logits, codes = self._classify(features, samples.proposals, image_shapes)
        labels, wanted = np.concatenate(samples.labels), np.concatenate(samples.regression_targets)
        class_loss, box_loss = fastrcnn_loss(logits, codes, labels, wanted)
        losses = {"loss_classifier": class_loss, "loss_box_reg": box_loss}
        if self.has_mask:
            losses["loss_mask"] = self._mask_loss(features, samples, image_shapes, checked)
        return [], losses

    def _classify(
        self, features: Mapping[str, Tensor], boxes: Sequence[Array], image_shapes: Sequence[Pair]
    ) -> tuple[Tensor, Tensor]:
        pooled = self.box_roi_pool(features, boxes, image_shapes)  # (K, C, OH, OW)
        logits, codes = self.box_predictor(self.box_head(pooled))
        return logits, codes

    def _mask_logits(
        self, features: Mapping[str, Tensor], boxes: Sequence[Array], image_shapes: Sequence[Pair]
    ) -> Tensor:
        assert self.mask_roi_pool is not None
        assert self.mask_head is not None
        assert self.mask_predictor is not None
        pooled = self.mask_roi_pool(features, boxes, image_shapes)
        logits: Tensor = self.mask_predictor(self.mask_head(pooled))  # (K, C, M, M)
        return logits

    # ---- training ----------------------------------------------------------------------------------

    def select_training_samples(self, proposals: Sequence[Array], targets: Sequence[Target]) -> Samples:
        """Return the proposals drawn, the objects among them, with what each is to become."""
        objects = [
            target["boxes"].astype(boxes.dtype) for target, boxes in zip(targets, proposals, strict=True)
        ]
        candidates = [np.concatenate(boxes) for boxes in zip(proposals, objects, strict=True)]
        matches = [
            self.proposal_matcher(box_iou(image_objects, boxes))
            for image_objects, boxes in zip(objects, candidates, strict=True)
        ]
        labels = [
            _labels_of(target["labels"], image_matches)
            for target, image_matches in zip(targets, matches, strict=True)
        ]
        drawn = [positive | negative for positive, negative in zip(*self.fg_bg_sampler(labels), strict=True)]
        kept = [boxes[mask] for boxes, mask in zip(candidates, drawn, strict=True)]
        matched = [np.maximum(indices[mask], 0) for indices, mask in zip(matches, drawn, strict=True)]
        wanted = [matched_boxes(boxes, indices) for boxes, indices in zip(objects, matched, strict=True)]
        return Samples(
            kept,
            matched,
            [image[mask] for image, mask in zip(labels, drawn, strict=True)],
            self.box_coder.encode(wanted, kept),
        )

    def _mask_loss(
        self,
        features: Mapping[str, Tensor],
        samples: Samples,
        image_shapes: Sequence[Pair],
        targets: Sequence[Target],
    ) -> Tensor:
        """Only proposals of objects have a mask to learn."""
        positive = [labels > 0 for labels in samples.labels]
        boxes = [image[mask] for image, mask in zip(samples.proposals, positive, strict=True)]
        matched = [image[mask] for image, mask in zip(samples.matched_idxs, positive, strict=True)]
        logits = self._mask_logits(features, boxes, image_shapes)
        masks, labels = ([target[name] for target in targets] for name in ("masks", "labels"))
        return maskrcnn_loss(logits, boxes, masks, labels, matched)

    # ---- evaluation --------------------------------------------------------------------------------

    def _detect(
        self, features: Mapping[str, Tensor], proposals: Sequence[Array], image_shapes: Sequence[Pair]
    ) -> list[dict[str, Array]]:
        logits, codes = self._classify(features, proposals, image_shapes)
        detections = self.postprocess_detections(logits, codes, proposals, image_shapes)
        if self.has_mask:
            boxes = [image["boxes"] for image in detections]
            probabilities = sigmoid(self._mask_logits(features, boxes, image_shapes).detach()).numpy()
            ends = np.cumsum([len(image) for image in boxes])
            for image, masks in zip(detections, np.split(probabilities, ends[:-1]), strict=True):
                image["masks"] = masks_of_labels(masks, image["labels"])
        return detections

    def postprocess_detections(
        self,
        class_logits: Tensor,
        box_regression: Tensor,
        proposals: Sequence[Array],
        image_shapes: Sequence[Pair],
    ) -> list[dict[str, Array]]:
        """Return each image's detections: see the class.

        Shapes: class_logits (K, C), box_regression (K, 4 C), proposals (P, 4) for each image.
        """
        probabilities = softmax(class_logits.detach(), 1).numpy()  # (K, C)
        decoded = self.box_coder.decode(box_regression.detach().numpy(), proposals)  # (K, C, 4)
        ends = np.cumsum([len(boxes) for boxes in proposals])[:-1]
        images = zip(np.split(decoded, ends), np.split(probabilities, ends), image_shapes, strict=True)
        # Without the background.
        return [
            select_detections(
                boxes[:, 1:],
                scores[:, 1:],
                image_shape,
                self.score_thresh,
                self.nms_thresh,
                self.detections_per_img,
            )
            for boxes, scores, image_shape in images
        ]


def _labels_of(labels: Array, matches: Array) -> Array:
    """The class (K,) of each match (K,): 0 for background, -1 for what is between the thresholds."""
    found = np.where(matches == Matcher.BETWEEN_THRESHOLDS, -1, 0)
    if len(labels) == 0:
        return found
    return np.where(matches >= 0, labels[np.maximum(matches, 0)], found)
