"""Saliency: which pixels a small change of would change a class's score the most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.device import to_host
from minidnn.nn import Module
from minidnn.visualisation.observing import as_batch, chosen_classes, class_scores, frozen, total_score


def saliency(model: Module, images: Any, classes: int | Sequence[int] | None = None) -> Array:
    """Return the size of the gradient of a class's score at every pixel.

        map[n, h, w] = max over c of |d score[n, class] / d images[n, c, h, w]|

    The score is the model's output, before the softmax. The model runs in inference mode and is left as it
    is, the parameters' gradients included.

    Args:
        model: gives scores (N, K) for images.
        images: (N, C, H, W), or one of them (C, H, W); float32 or float64, as the model's weights.
        classes: whose score, one for all or one per image; the predicted ones if not given.

    Returns:
        (N, H, W) or (H, W), at least 0, in host memory, of the images' dtype.

    Raises:
        ValueError: images of another shape, a class that the model does not have, a model without scores.
        TypeError: not a Module, another dtype, or classes that are no integers.

    Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks: visualising image
    classification models and saliency maps", ICLR 2014 workshop, section 3.1.
    """
    batch, single = as_batch(images)
    batch.requires_grad_()
    with frozen(model):
        scores = class_scores(model, batch)
        total_score(scores, chosen_classes(classes, scores)).backward()
    assert batch.grad is not None
    gradient = to_host(batch.grad.data)  # (N, C, H, W)
    maps: Array = np.abs(gradient).max(axis=1)  # (N, H, W)
    return maps[0] if single else maps
