"""What takes evidence away or mixes examples: erasing a rectangle, blending a batch with itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array, check_floating, check_indices, check_integer, check_number
from minidnn.data.transforms.item import recolored
from minidnn.data.transforms.pixels import Fill, filled


def erase(picture: Any, top: int, left: int, height: int, width: int, fill: Fill = 0) -> Any:
    """Return the picture with a rectangle of pixels replaced by the fill; boxes and masks stay.

    Args:
        picture: an image (C, H, W) or Pillow image, an `Item`, or a data set's tuple.
        top, left: of the rectangle, which may lie partly or wholly outside the image.
        height, width: at least 0.
        fill: one number or one per channel, in the image's range.

    Raises:
        TypeError, ValueError: what is given is no picture, a negative size, or a fill outside the range.
    """
    top, left = check_integer("top", top), check_integer("left", left)
    bottom = top + check_integer("height", height, minimum=0)
    right = left + check_integer("width", width, minimum=0)

    def erased(image: Array) -> Array:
        result = image.copy()
        result[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = filled(image, 1, 1, fill)
        return result

    return recolored(picture, erased)


def mixup(images: Array, targets: Array, order: Array, share: float) -> tuple[Array, Array]:
    """Return every example blended with another one of the batch, inputs and targets alike.

        mixed[n] = share x[n] + (1 - share) x[order[n]]

    Shapes: images (N, ...), targets (N, classes), order (N,).
    Dtypes: images and targets float32 or float64 each; order int64.

    Args:
        images: the inputs.
        targets: probabilities of the classes; `one_hot` makes them of labels.
        order: a permutation of 0 .. N - 1: with whom each example is blended.
        share: in [0, 1].

    Raises:
        ValueError: different numbers of examples, or a share outside [0, 1].
        TypeError: another dtype.

    Source: Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018, section 2.
    """
    check_floating(images=images)
    check_floating(targets=targets)
    if not len(images) == len(targets) == len(order):
        raise ValueError(
            "images, targets and order must be equally many, "
            f"got {len(images)}, {len(targets)} and {len(order)}"
        )
    if check_number("share", share, minimum=0) > 1:
        raise ValueError(f"share must be in [0, 1], got {share}")
    return _mixed(images, order, share), _mixed(targets, order, share)


def _mixed(values: Array, order: Array, share: float) -> Array:
    number = values.dtype.type
    result: Array = values * number(share) + values[order] * number(1 - share)
    return result


def one_hot(labels: Array, num_classes: int) -> Array:
    """Return float32 (N, num_classes) with 1 at each label (N,) and 0 elsewhere.

    Raises:
        ValueError: a label outside [0, num_classes), or another rank.
        TypeError: labels that are no integers.
    """
    check_indices("labels", labels)
    if labels.ndim != 1 or (labels.size and not 0 <= labels.min() <= labels.max() < num_classes):
        raise ValueError(f"labels must have shape (N,) with values in [0, {num_classes})")
    result = np.zeros((len(labels), num_classes), np.float32)
    result[np.arange(len(labels)), labels] = 1
    return result
