"""Negative log-likelihood in NumPy: one sample after the other, and picked by index."""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.loss import class_weights, from_samples, loss_gradient, reduce_loss, to_samples
from kernels.nll_loss import nll_loss_backward, nll_loss_forward
from kernels.registry import implements


@implements(nll_loss_forward, "loops", "the definition, one sample after the other")
def nll_loss_forward_loops(
    x: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Array:
    """l = -w[t] x[t]."""
    rows = to_samples(x)
    weights = class_weights(weight, rows.shape[1])
    losses, total = np.zeros(len(rows), rows.dtype), rows.dtype.type(0)
    for n, label in enumerate(target.reshape(-1)):
        if label != ignore_index:
            losses[n] = -weights[label] * rows[n, label]
            total += weights[label]
    return reduce_loss(losses.reshape(target.shape), reduction, total, x.dtype)


@implements(nll_loss_forward, "vectorized", "all samples picked by index")
def nll_loss_forward_vectorized(
    x: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Array:
    """The same for all labels that are not ignored."""
    rows, labels = to_samples(x), target.reshape(-1)
    kept = labels != ignore_index
    label_weights = class_weights(weight, rows.shape[1])[labels[kept]]
    losses = np.zeros(len(rows), rows.dtype)
    losses[kept] = -label_weights * rows[kept, labels[kept]]
    return reduce_loss(losses.reshape(target.shape), reduction, label_weights.sum(), x.dtype)


@implements(nll_loss_backward, "loops", "the definition, one sample after the other")
def nll_loss_backward_loops(
    grad_output: Array,
    target: Array,
    classes: int,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Array:
    """dx[t] = -g w[t]."""
    weights, labels = class_weights(weight, classes), target.reshape(-1)
    total = sum((weights[label] for label in labels if label != ignore_index), start=weights.dtype.type(0))
    grad_losses = loss_gradient(grad_output, reduction, target.shape, total).reshape(-1)
    grad_rows = np.zeros((len(labels), classes), grad_losses.dtype)
    for n, label in enumerate(labels):
        if label != ignore_index:
            grad_rows[n, label] = -grad_losses[n] * weights[label]
    return from_samples(grad_rows, target.shape, grad_output.dtype)


@implements(nll_loss_backward, "vectorized", "all samples set by index")
def nll_loss_backward_vectorized(
    grad_output: Array,
    target: Array,
    classes: int,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Array:
    """The same for all labels that are not ignored."""
    labels = target.reshape(-1)
    kept = labels != ignore_index
    label_weights = class_weights(weight, classes)[labels[kept]]
    grad_losses = loss_gradient(grad_output, reduction, target.shape, label_weights.sum()).reshape(-1)
    grad_rows = np.zeros((len(labels), classes), grad_losses.dtype)
    grad_rows[kept, labels[kept]] = -grad_losses[kept] * label_weights
    return from_samples(grad_rows, target.shape, grad_output.dtype)
