"""The multi-class hinge loss in NumPy: one sample after the other, and all samples at once."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.loss import class_weights, from_samples, loss_gradient, reduce_loss, to_samples
from kernels.multi_margin_loss import multi_margin_loss_backward, multi_margin_loss_forward
from kernels.registry import implements


@implements(multi_margin_loss_forward, "loops", "the definition, one sample after the other")
def multi_margin_loss_forward_loops(
    x: Array, target: Array, p: int, margin: float, weight: Array | None, reduction: str
) -> Array:
    """Every class that comes within the margin of the label's score costs; NaN is not below 0."""
    rows = to_samples(x)
    classes = rows.shape[1]
    weights = class_weights(weight, classes)
    losses = np.zeros(len(rows))
    for n, label in enumerate(target.reshape(-1)):
        for c in range(classes):
            z = margin - rows[n, label] + rows[n, c]
            if c != label and not z < 0:
                losses[n] += z**p / classes
        losses[n] *= weights[label]
    return reduce_loss(losses.reshape(target.shape), reduction, len(rows), x.dtype)


@implements(multi_margin_loss_backward, "loops", "the definition, one sample after the other")
def multi_margin_loss_backward_loops(
    grad_output: Array,
    x: Array,
    target: Array,
    p: int,
    margin: float,
    weight: Array | None,
    reduction: str,
) -> Array:
    """Every class within the margin is pushed down, the label up by as much."""
    rows = to_samples(x)
    classes = rows.shape[1]
    weights = class_weights(weight, classes)
    grad_losses = loss_gradient(grad_output, reduction, target.shape, len(rows)).reshape(-1)
    grad_rows = np.zeros_like(rows)
    for n, label in enumerate(target.reshape(-1)):
        for c in range(classes):
            z = margin - rows[n, label] + rows[n, c]
            if c != label and z > 0:
                push = grad_losses[n] * weights[label] * p * z ** (p - 1) / classes
                grad_rows[n, c] += push
                grad_rows[n, label] -= push
    return from_samples(grad_rows, target.shape, x.dtype)


@implements(multi_margin_loss_forward, "vectorized", "all samples at once")
def multi_margin_loss_forward_vectorized(
    x: Array, target: Array, p: int, margin: float, weight: Array | None, reduction: str
) -> Array:
    """The sum over the classes along an axis."""
    z, share = _violations(x, target, margin, weight)
    losses = (z**p).sum(axis=1) * share
    return reduce_loss(losses.reshape(target.shape), reduction, len(z), x.dtype)


@implements(multi_margin_loss_backward, "vectorized", "all samples at once")
def multi_margin_loss_backward_vectorized(
    grad_output: Array,
    x: Array,
    target: Array,
    p: int,
    margin: float,
    weight: Array | None,
    reduction: str,
) -> Array:
    """The label's gradient is minus the sum of the others."""
    z, share = _violations(x, target, margin, weight)
    scale = loss_gradient(grad_output, reduction, target.shape, len(z)).reshape(-1) * share
    grad_rows = np.where(z > 0, p * z ** (p - 1), 0) * scale[:, None]  # (N, C)
    grad_rows[np.arange(len(z)), target.reshape(-1)] = -grad_rows.sum(axis=1)
    return from_samples(grad_rows, target.shape, x.dtype)


def _violations(x: Array, target: Array, margin: float, weight: Array | None) -> tuple[Array, Array]:
    """max(0, margin - x[t] + x[c]), 0 at the label, (N, C); and w[t] / C, (N,)."""
    rows, labels = to_samples(x), target.reshape(-1)
    samples = np.arange(len(rows))
    z = np.maximum(margin - rows[samples, labels][:, None] + rows, 0)
    z[samples, labels] = 0
    return z, class_weights(weight, rows.shape[1])[labels] / rows.shape[1]
