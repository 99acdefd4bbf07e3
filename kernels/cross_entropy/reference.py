"""Cross-entropy in NumPy: one sample after the other, and all samples at once.

Both see the batch as rows (S, C), one per label; see `kernels.loss.to_samples`.
"""

from __future__ import annotations

import numpy as np

from kernels.array import Array
from kernels.cross_entropy import (
    cross_entropy_backward,
    cross_entropy_forward,
    soft_cross_entropy_backward_input,
    soft_cross_entropy_backward_target,
    soft_cross_entropy_forward,
)
from kernels.loss import class_weights, from_samples, label_shape, loss_gradient, reduce_loss, to_samples
from kernels.registry import implements


def _log_softmax(rows: Array) -> Array:
    """log p along the last axis; the largest logit is subtracted so that no exponential overflows."""
    shifted = rows - rows.real.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


# ---- labels: one sample after the other ---------------------------------------------------------


@implements(cross_entropy_forward, "loops", "the definition, one sample after the other")
def cross_entropy_forward_loops(
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """l = -(1 - e) w[t] log p[t] - e / C sum_c w[c] log p[c]."""
    rows, labels = to_samples(x), target.reshape(-1)
    weights = class_weights(weight, rows.shape[1])
    classes = rows.shape[1]
    losses, total = np.zeros(len(rows), rows.dtype), rows.dtype.type(0)
    for n, label in enumerate(labels):
        if label == ignore_index:
            continue
        log_p = _log_softmax(rows[n])
        losses[n] = -(1 - label_smoothing) * weights[label] * log_p[label]
        if label_smoothing > 0:
            for c in range(classes):
                losses[n] -= label_smoothing / classes * weights[c] * log_p[c]
        total += weights[label]
    return reduce_loss(losses.reshape(target.shape), reduction, total, x.dtype)


@implements(cross_entropy_backward, "loops", "the definition, one sample after the other")
def cross_entropy_backward_loops(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """Each class c of the wanted distribution pulls: dx += g w[c] q[c] (p - [c])."""
    rows, labels = to_samples(x), target.reshape(-1)
    weights = class_weights(weight, rows.shape[1])
    classes = rows.shape[1]
    kept = [label for label in labels if label != ignore_index]
    total = sum((weights[label] for label in kept), start=rows.dtype.type(0))
    grad_losses = loss_gradient(grad_output, reduction, target.shape, total).reshape(-1)
    grad_rows = np.zeros_like(rows)
    for n, label in enumerate(labels):
        if label == ignore_index:
            continue
        p = np.exp(_log_softmax(rows[n]))
        for c in range(classes):
            wanted = (1 - label_smoothing) * (c == label) + label_smoothing / classes
            grad_rows[n] += grad_losses[n] * weights[c] * wanted * p
            grad_rows[n, c] -= grad_losses[n] * weights[c] * wanted
    return from_samples(grad_rows, target.shape, x.dtype)


# ---- labels: all samples at once ----------------------------------------------------------------


@implements(cross_entropy_forward, "vectorized", "all samples at once")
def cross_entropy_forward_vectorized(
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """The label's log-probability is picked by index; the smoothing is a weighted mean over the classes."""
    log_p = _log_softmax(to_samples(x))  # (S, C)
    weights = class_weights(weight, log_p.shape[1])
    kept, labels, label_weights = _labels(target, ignore_index, weights)
    picked = log_p[np.arange(len(labels)), labels]  # (S,)
    losses = -(1 - label_smoothing) * label_weights * picked
    if label_smoothing > 0:
        losses -= label_smoothing / log_p.shape[1] * (log_p * weights).sum(axis=1)
    losses = np.where(kept, losses, 0)
    return reduce_loss(losses.reshape(target.shape), reduction, label_weights.sum(), x.dtype)


@implements(cross_entropy_backward, "vectorized", "all samples at once")
def cross_entropy_backward_vectorized(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """dx = g (p sum(w q) - w q)."""
    p = np.exp(_log_softmax(to_samples(x)))  # (S, C)
    weights = class_weights(weight, p.shape[1])
    kept, labels, label_weights = _labels(target, ignore_index, weights)
    grad_losses = loss_gradient(grad_output, reduction, target.shape, label_weights.sum())
    wanted = np.full(p.shape, label_smoothing / p.shape[1]) * weights  # w q, (S, C)
    wanted[np.arange(len(labels)), labels] += (1 - label_smoothing) * label_weights
    grad_rows = grad_losses.reshape(-1, 1) * (p * wanted.sum(axis=1, keepdims=True) - wanted)
    grad_rows[~kept] = 0
    return from_samples(grad_rows, target.shape, x.dtype)


def _labels(target: Array, ignore_index: int, weights: Array) -> tuple[Array, Array, Array]:
    """Which samples count, their labels, and their labels' weights (both 0 where ignored), all (S,)."""
    labels = target.reshape(-1)
    kept = labels != ignore_index
    labels = np.where(kept, labels, 0)
    return kept, labels, np.where(kept, weights[labels], 0)


# ---- probabilities ------------------------------------------------------------------------------


def _smooth(target: Array, label_smoothing: float) -> Array:
    """q = (1 - e) t + e / C, rows (S, C)."""
    rows = to_samples(target)
    smooth: Array = (1 - label_smoothing) * rows + label_smoothing / rows.shape[1]
    return smooth


@implements(soft_cross_entropy_forward, "loops", "the definition, one sample after the other")
def soft_cross_entropy_forward_loops(
    x: Array, target: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Array:
    """l = -sum_c w[c] q[c] log p[c]."""
    rows, wanted = to_samples(x), _smooth(target, label_smoothing)
    weights = class_weights(weight, rows.shape[1])
    losses = np.zeros(len(rows), rows.dtype)
    for n in range(len(rows)):
        log_p = _log_softmax(rows[n])
        for c in range(rows.shape[1]):
            losses[n] -= weights[c] * wanted[n, c] * log_p[c]
    return reduce_loss(losses.reshape(label_shape(x)), reduction, len(rows), x.dtype)


@implements(soft_cross_entropy_forward, "vectorized", "all samples at once")
def soft_cross_entropy_forward_vectorized(
    x: Array, target: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Array:
    """The same sum along the classes."""
    log_p = _log_softmax(to_samples(x))
    wanted = _smooth(target, label_smoothing) * class_weights(weight, log_p.shape[1])
    losses = -(wanted * log_p).sum(axis=1)
    return reduce_loss(losses.reshape(label_shape(x)), reduction, len(log_p), x.dtype)


@implements(soft_cross_entropy_backward_input, "loops", "the definition, one sample after the other")
def soft_cross_entropy_backward_input_loops(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """Each class c of the wanted distribution pulls: dx += g w[c] q[c] (p - [c])."""
    rows, wanted = to_samples(x), _smooth(target, label_smoothing)
    weights = class_weights(weight, rows.shape[1])
    grad_losses = loss_gradient(grad_output, reduction, label_shape(x), len(rows)).reshape(-1)
    grad_rows = np.zeros_like(rows)
    for n in range(len(rows)):
        p = np.exp(_log_softmax(rows[n]))
        for c in range(rows.shape[1]):
            pull = grad_losses[n] * weights[c] * wanted[n, c]
            grad_rows[n] += pull * p
            grad_rows[n, c] -= pull
    return from_samples(grad_rows, label_shape(x), x.dtype)


@implements(soft_cross_entropy_backward_input, "vectorized", "all samples at once")
def soft_cross_entropy_backward_input_vectorized(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """dx = g (p sum(w q) - w q)."""
    p = np.exp(_log_softmax(to_samples(x)))
    wanted = _smooth(target, label_smoothing) * class_weights(weight, p.shape[1])
    grad_losses = loss_gradient(grad_output, reduction, label_shape(x), len(p)).reshape(-1, 1)
    grad_rows = grad_losses * (p * wanted.sum(axis=1, keepdims=True) - wanted)
    return from_samples(grad_rows, label_shape(x), x.dtype)


@implements(soft_cross_entropy_backward_target, "loops", "the definition, one sample after the other")
def soft_cross_entropy_backward_target_loops(
    grad_output: Array, x: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Array:
    """dt[c] = -g (1 - e) w[c] log p[c]."""
    rows = to_samples(x)
    weights = class_weights(weight, rows.shape[1])
    grad_losses = loss_gradient(grad_output, reduction, label_shape(x), len(rows)).reshape(-1)
    grad_rows = np.zeros_like(rows)
    for n in range(len(rows)):
        log_p = _log_softmax(rows[n])
        for c in range(rows.shape[1]):
            grad_rows[n, c] = -grad_losses[n] * (1 - label_smoothing) * weights[c] * log_p[c]
    return from_samples(grad_rows, label_shape(x), x.dtype)


@implements(soft_cross_entropy_backward_target, "vectorized", "all samples at once")
def soft_cross_entropy_backward_target_vectorized(
    grad_output: Array, x: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Array:
    """dt = -g (1 - e) w log p."""
    log_p = _log_softmax(to_samples(x))
    grad_losses = loss_gradient(grad_output, reduction, label_shape(x), len(log_p)).reshape(-1, 1)
    grad_rows = -grad_losses * (1 - label_smoothing) * class_weights(weight, log_p.shape[1]) * log_p
    return from_samples(grad_rows, label_shape(x), x.dtype)
