"""The region proposal network: which anchors hold an object, whatever its class, and where exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from kernels.array import Array
from kernels.nms import batched_nms
from kernels.nms.order import descending
from kernels.window import Pair
from minidnn import init, nn
from minidnn.detection.anchors import AnchorGenerator, ImageList
from minidnn.detection.box_coder import BoxCoder
from minidnn.detection.boxes import box_iou, clip_boxes_to_image, remove_small_boxes
from minidnn.detection.losses import rpn_loss
from minidnn.detection.matching import BalancedPositiveNegativeSampler, Matcher
from minidnn.detection.targets import Target, check_targets, matched_boxes
from minidnn.functional import cat, sigmoid
from minidnn.tensor import Tensor

# Proposals with a side below this many pixels hold nothing.
SMALLEST_SIDE = 1e-3


class RPNHead(nn.Module):
    """A small network that slides over every level: for each of A anchors a logit and four codes.

        t = relu(conv3x3(x)),   objectness = conv1x1(t),   codes = conv1x1(t)

    Args:
        in_channels: the feature maps' channels.
        num_anchors: A, the anchors at each place.
        conv_depth: how many 3x3 convolutions.

    Shapes: a list of maps (N, C, H, W) -> lists of (N, A, H, W) and (N, 4 A, H, W).

    Source: Ren et al., "Faster R-CNN", 2015, section 3.1.
    """

    def __init__(self, in_channels: int, num_anchors: int, conv_depth: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU())
                for _ in range(conv_depth)
            )
        )
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, 1)
        self.bbox_pred = nn.Conv2d(in_channels, 4 * num_anchors, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                init.normal_(module.weight, std=0.01)
                init.zeros_(module.bias)

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return each level's logits and codes."""
        hidden = [self.conv(maps) for maps in x]
        return [self.cls_logits(t) for t in hidden], [self.bbox_pred(t) for t in hidden]


def flatten_levels(objectness: Sequence[Tensor], codes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return all levels' logits (N, K) and codes (N, K, 4) in the order of the anchors.

    Shapes: for each level (N, A, H, W) and (N, 4 A, H, W); K is the sum of H W A.
    """
    logits, boxes = [], []
    for level, level_codes in zip(objectness, codes, strict=True):
        batch, anchors, height, width = level.shape
        logits.append(level.permute(0, 2, 3, 1).reshape(batch, -1))  # (N, H, W, A) -> (N, H W A)
        by_anchor = level_codes.reshape(batch, anchors, 4, height, width)
        boxes.append(by_anchor.permute(0, 3, 4, 1, 2).reshape(batch, -1, 4))  # (N, H, W, A, 4)
    return cat(logits, dim=1), cat(boxes, dim=1)


class RegionProposalNetwork(nn.Module):
    """Anchors, judged and corrected by a head, thinned out by non-maximum suppression: the proposals.

    In evaluation it returns the proposals; in training also its two losses, of anchors that are matched
    with the objects (each object keeps its best anchors) and drawn half and half. No gradient flows through
    the proposals. The sampling draws from the engine's generator.

    Args:
        anchor_generator: the anchors.
        head: the network, `RPNHead` or one of its shapes.
        fg_iou_thresh: an anchor is positive from this IoU with an object on.
        bg_iou_thresh: an anchor is negative below this IoU with every object.
        batch_size_per_image: how many anchors of an image a step learns from.
        positive_fraction: the positives' largest share of them.
        pre_nms_top_n: {"training": n, "testing": n}: the best of each level that are looked at.
        post_nms_top_n: {"training": n, "testing": n}: how many proposals an image keeps.
        nms_thresh: the IoU above which a better proposal of the same level suppresses.
        score_thresh: proposals below this probability are dropped.

    Source: Ren et al., "Faster R-CNN", 2015, section 3.
    """

    def __init__(
        self,
        anchor_generator: AnchorGenerator,
        head: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        pre_nms_top_n: Mapping[str, int],
        post_nms_top_n: Mapping[str, int],
        nms_thresh: float,
        score_thresh: float = 0.0,
    ) -> None:
        super().__init__()
        self.anchor_generator = anchor_generator
        self.head = head
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.proposal_matcher = Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.fg_bg_sampler = BalancedPositiveNegativeSampler(batch_size_per_image, positive_fraction)
        self.pre_nms_top_n = dict(pre_nms_top_n)
        self.post_nms_top_n = dict(post_nms_top_n)
        self.nms_thresh = nms_thresh
        self.score_thresh = score_thresh

    def forward(
        self, images: ImageList, features: Mapping[str, Tensor], targets: Sequence[Target] | None = None
    ) -> tuple[list[Array], dict[str, Tensor]]:
        """Return each image's proposals (P, 4), best first, and in training the losses by name.

        Args:
            images: the batch.
            features: the levels (N, C, H, W), finest first.
            targets: in training each image's "boxes" (L, 4).

        Raises:
            ValueError: in training, targets that are missing or of a wrong shape.
            TypeError: targets of a wrong dtype.
        """
        maps = list(features.values())
        logits, codes = self.head(maps)
        anchors = self.anchor_generator(images, maps)
        sizes = [level[0].numel() for level in logits]
        objectness, deltas = flatten_levels(logits, codes)  # (N, K), (N, K, 4)
        decoded = self.box_coder.decode(deltas.detach().numpy().reshape(-1, 4), anchors).reshape(deltas.shape)
        proposals = self.filter_proposals(decoded, objectness.detach(), images.image_sizes, sizes)
        if not self.training:
            return proposals, {}
        checked = check_targets(targets, len(anchors), ("boxes",))
        return proposals, self._losses(objectness, deltas, anchors, checked)

    def filter_proposals(
        self, boxes: Array, objectness: Tensor, image_sizes: Sequence[Pair], level_sizes: Sequence[int]
    ) -> list[Array]:
        """Return each image's proposals (P, 4): the best of every level, cut to the image, thinned out.

        Args:
            boxes: decoded anchors (N, K, 4).
            objectness: logits (N, K).
            image_sizes: (height, width) of each image.
            level_sizes: how many of the K anchors each level has.
        """
        mode = "training" if self.training else "testing"
        starts = np.cumsum([0, *level_sizes])  # (L + 1,)
        levels = np.repeat(np.arange(len(level_sizes)), level_sizes)  # (K,)
        proposals = []
        for image_boxes, logits, size in zip(boxes, objectness.numpy(), image_sizes, strict=True):
            best = [
                start + descending(logits[start:end])[: self.pre_nms_top_n[mode]]
                for start, end in pairwise(starts)
            ]
            chosen = np.concatenate(best)
            scores = sigmoid(logits[chosen]).numpy()
            clipped = clip_boxes_to_image(image_boxes[chosen], size)
            keep = remove_small_boxes(clipped, SMALLEST_SIDE)
            keep = keep[scores[keep] >= self.score_thresh]
            kept = batched_nms(clipped[keep], scores[keep], levels[chosen][keep], self.nms_thresh)
            proposals.append(clipped[keep][kept[: self.post_nms_top_n[mode]]])
        return proposals

    def _losses(
        self, objectness: Tensor, deltas: Tensor, anchors: Sequence[Array], targets: Sequence[Target]
    ) -> dict[str, Tensor]:
        labels, wanted = self.assign_targets_to_anchors(anchors, targets)
        regression_targets = np.concatenate(self.box_coder.encode(wanted, anchors))  # (N K, 4)
        positive, negative = (np.concatenate(masks) for masks in self.fg_bg_sampler(labels))
        objectness_loss, box_loss = rpn_loss(
            objectness.reshape(-1), deltas.reshape(-1, 4), regression_targets, positive, negative
        )
        return {"loss_objectness": objectness_loss, "loss_rpn_box_reg": box_loss}

    def assign_targets_to_anchors(
        self, anchors: Sequence[Array], targets: Sequence[Target]
    ) -> tuple[list[Array], list[Array]]:
        """Return each image's labels (K,), 1 object, 0 background, -1 neither, and objects' boxes (K, 4)."""
        labels, boxes = [], []
        for image_anchors, target in zip(anchors, targets, strict=True):
            objects = target["boxes"].astype(image_anchors.dtype)
            matches = self.proposal_matcher(box_iou(objects, image_anchors))
            found = np.where(matches == Matcher.BETWEEN_THRESHOLDS, -1, 0)
            labels.append(np.where(matches >= 0, 1, found))
            boxes.append(matched_boxes(objects, matches))
        return labels, boxes
