"""The losses of two-stage detectors: of proposals, of detections and of masks.

Each is a sum over boxes that were drawn, divided by how many were drawn; where none were, it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.array import Array, check_shape
from kernels.regions import rois_from_boxes
from minidnn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    roi_align,
    smooth_l1_loss,
)
from minidnn.tensor import Tensor

# Where smooth L1 turns from a parabola into a line. Fast R-CNN has 1; Faster R-CNN's authors' code has 1/9
# (sigma = 3), which torchvision follows and so do we.
BETA = 1 / 9


def rpn_loss(
    objectness: Tensor, pred_bbox_deltas: Tensor, regression_targets: Array, positive: Array, negative: Array
) -> tuple[Tensor, Tensor]:
    """Return the loss of objectness and the loss of boxes of the anchors that were drawn.

        loss_objectness = sum over drawn anchors of BCE(objectness, 1 if positive else 0) / drawn
        loss_box        = sum over drawn positive anchors of smooth_l1(deltas - targets) / drawn

    Args:
        objectness: logits (A,).
        pred_bbox_deltas: the regressor's codes (A, 4).
        regression_targets: what they ought to be (A, 4), of their dtype.
        positive: mask (A,) of the anchors drawn as objects.
        negative: mask (A,) of those drawn as background.

    Raises:
        ValueError: a shape other than above.
        TypeError: mixed dtypes.

    Source: Ren et al., "Faster R-CNN", 2015, equation 1 (both terms divided by the number drawn).
    """
    anchors = objectness.shape[0]
    for name, mask in (("positive", positive), ("negative", negative)):
        check_shape(name, mask, (anchors,))
    objects, background = np.flatnonzero(positive), np.flatnonzero(negative)
    drawn = np.concatenate((objects, background))
    wanted = positive[drawn].astype(objectness.dtype)
    count = max(len(drawn), 1)
    box_loss = smooth_l1_loss(
        pred_bbox_deltas[objects], regression_targets[objects], beta=BETA, reduction="sum"
    )
    objectness_loss = binary_cross_entropy_with_logits(objectness[drawn], wanted, reduction="sum")
    return objectness_loss / count, box_loss / count


def fastrcnn_loss(
    class_logits: Tensor, box_regression: Tensor, labels: Array, regression_targets: Array
) -> tuple[Tensor, Tensor]:
    """Return the loss of classes and the loss of boxes.

        loss_classifier = sum over boxes of CE(logits, label) / K
        loss_box        = sum over boxes with label > 0 of smooth_l1(codes of the label's class - targets) / K

    Args:
        class_logits: (K, C), class 0 the background.
        box_regression: codes (K, 4 C), four for each class.
        labels: (K,) int64 in [0, C).
        regression_targets: (K, 4), of the logits' dtype.

    Raises:
        ValueError: a shape other than above, or a label out of range.
        TypeError: another dtype, or mixed dtypes.

    Source: Girshick, "Fast R-CNN", 2015, section 2.3, equations 1 to 3.
    """
    count, classes = class_logits.shape
    check_shape("box_regression", box_regression.data, (count, 4 * classes))
    classification = cross_entropy(class_logits, labels, reduction="sum")
    objects = np.flatnonzero(labels > 0)
    codes = box_regression.reshape(count, classes, 4)[objects, labels[objects]]
    box_loss = smooth_l1_loss(codes, regression_targets[objects], beta=BETA, reduction="sum")
    return classification / max(count, 1), box_loss / max(count, 1)


def maskrcnn_loss(
    mask_logits: Tensor,
    proposals: Sequence[Array],
    gt_masks: Sequence[Array],
    gt_labels: Sequence[Array],
    mask_matched_idxs: Sequence[Array],
) -> Tensor:
    """Return the mean binary cross-entropy of each box's mask of its class against the true mask within it.

    Only the label's mask is looked at, so classes do not compete. The true mask is cut out and brought
    to M x M by ROI align over the proposal.

    Args:
        mask_logits: (K, C, M, M), K the proposals of all images.
        proposals: each image's boxes (K_i, 4).
        gt_masks: each image's masks (L_i, H, W) of 0 and 1.
        gt_labels: each image's labels (L_i,).
        mask_matched_idxs: for each proposal the index (K_i,) of its object.

    Raises:
        ValueError: a shape other than above, or a label out of range.

    Source: He et al., "Mask R-CNN", 2017, section 3 ("Mask Representation").
    """
    per_image = zip(gt_masks, proposals, mask_matched_idxs, strict=True)
    side = mask_logits.shape[-1]
    wanted = np.concatenate([project_masks_on_boxes(*image, side) for image in per_image])
    labels = np.concatenate([label[i] for label, i in zip(gt_labels, mask_matched_idxs, strict=True)])
    check_shape("mask_logits", mask_logits.data, (len(labels), mask_logits.shape[1], side, side))
    logits = mask_logits[np.arange(len(labels)), labels]  # (K, M, M)
    loss = binary_cross_entropy_with_logits(logits, wanted.astype(logits.dtype), reduction="sum")
    return loss / max(wanted.size, 1)


def project_masks_on_boxes(gt_masks: Array, boxes: Array, matched_idxs: Array, side: int) -> Array:
    """Return for each of boxes (K, 4) its object's mask within it, (K, M, M), M = side.

    Args:
        gt_masks: (L, H, W) of 0 and 1.
        boxes: in the masks' pixels.
        matched_idxs: (K,): which mask is each box's.
        side: rows and columns of the result.
    """
    if len(boxes) == 0:
        return np.zeros((0, side, side), boxes.dtype)
    rois = rois_from_boxes([boxes])
    rois[:, 0] = matched_idxs
    return roi_align(gt_masks[:, None].astype(boxes.dtype), rois, side).numpy()[:, 0]
