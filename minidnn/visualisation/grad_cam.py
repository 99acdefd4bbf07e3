"""Grad-CAM: where in its last maps a network sees a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.device import to_host
from minidnn.nn import Module
from minidnn.tensor import Tensor
from minidnn.visualisation.observing import (
    as_batch,
    check_maps,
    chosen_classes,
    class_scores,
    frozen,
    total_score,
    watched,
)


def grad_cam(model: Module, images: Any, layer: str, classes: int | Sequence[int] | None = None) -> Array:
    """Return the gradient-weighted class activation map of a layer.

        map[n] = max(sum over k of a[n, k] A[n, k], 0)
        a[n, k] = mean over positions of d score[n, class] / d A[n, k]

    with A the layer's maps. It is as large as they are; `resize` of `minidnn.data` brings it to the image's
    size, and `plot(..., heat=...)` does so by itself.

    Args:
        model: gives scores (N, K) for images; runs in inference mode and is left as it is.
        images: (N, C, H, W), or one of them (C, H, W); float32 or float64, as the model's weights.
        layer: dotted name of a module that gives maps (N, maps, h, w), as a rule the last one that does.
        classes: whose score, one for all or one per image; the predicted ones if not given.

    Returns:
        (N, h, w) or (h, w), at least 0, in host memory, of the images' dtype.

    Raises:
        ValueError: images of another shape, an unknown layer (the nearest names are offered) or one that
            gives no maps, is not called exactly once or does not reach the scores, a class that the model
            does not have.
        TypeError: not a Module, another dtype, or classes that are no integers.

    Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
    localization", ICCV 2017, equations 1 and 2.
    """
    batch, single = as_batch(images)
    leaves: list[Tensor] = []

    def cut(name: str, output: Tensor) -> Tensor:
        """Let the graph begin here, at a leaf; the model goes on with a copy that it may write over."""
        leaves.append(check_maps(name, output).detach().clone().requires_grad_())
        return leaves[-1].clone()

    with frozen(model):
        with watched(model, [layer], cut):
            scores = class_scores(model, batch)
        if not scores.requires_grad:
            raise ValueError(f"layer must reach the scores, {layer!r} does not")
        total_score(scores, chosen_classes(classes, scores)).backward()
    (leaf,) = leaves
    assert leaf.grad is not None
    weights = to_host(leaf.grad.data).mean(axis=(2, 3), keepdims=True)  # (N, maps, 1, 1)
    maps: Array = np.maximum((weights * to_host(leaf.data)).sum(axis=1), 0)  # (N, h, w)
    return maps[0] if single else maps
