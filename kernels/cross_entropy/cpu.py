"""Cross-entropy with labels in Numba: one sample's row of logits after the other, shared out to all threads.

Exponentials are taken in the logits' dtype, everything else is float64. Losses of probabilities stay with
NumPy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels.array import Array, widen
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.mapping import floating
from kernels.cpu.vector_math import exponential, exponentials, largest_of
from kernels.cross_entropy import cross_entropy_backward, cross_entropy_forward
from kernels.loss import from_samples, loss_gradient, reduce_loss
from kernels.memory import empty
from kernels.registry import implements

IDEA = "one row of logits after the other, in vector registers"
STEPS = 16  # what an exponential costs beside an addition


@compiled(summing=True)
def _total(row: Any) -> tuple[Any, float]:
    """The largest logit m and sum_c e^(x[c] - m); NaN among the logits shows in the second."""
    largest = largest_of(row)
    total = 0.0
    for c in range(row.size):
        total += np.float64(exponential(row[c] - largest))
    return largest, total


@compiled(inline="always")
def _weight(weights: Any, c: int) -> float:
    """A class's weight; no weights are all ones."""
    return weights[c] if weights.size else 1.0


@parallel
def _forward(
    task: int, tasks: int, losses: Any, x: Any, labels: Any, weights: Any, ignore_index: int, smoothing: float
) -> None:
    """l = -(1 - e) w[t] log p[t] - e / C sum_c w[c] log p[c]."""
    samples, classes = x.shape
    for n in range(samples * task // tasks, samples * (task + 1) // tasks):
        label, row = labels[n], x[n]
        losses[n] = 0.0
        if label != ignore_index:
            largest, total = _total(row)
            log_total = math.log(total)
            log_p = (np.float64(row[label]) - np.float64(largest)) - log_total
            losses[n] = -(1.0 - smoothing) * _weight(weights, label) * log_p
            if smoothing > 0.0:
                smooth = 0.0
                for c in range(classes):
                    smooth += _weight(weights, c) * ((np.float64(row[c]) - np.float64(largest)) - log_total)
                losses[n] -= smoothing / classes * smooth


@parallel
def _backward(
    task: int,
    tasks: int,
    grad_x: Any,
    grad_losses: Any,
    x: Any,
    labels: Any,
    weights: Any,
    weight_sum: float,
    ignore_index: int,
    smoothing: float,
) -> None:
    """dx[c] = g (p[c] sum_j w[j] q[j] - w[c] q[c])."""
    samples, classes = x.shape
    share = smoothing / classes
    for n in range(samples * task // tasks, samples * (task + 1) // tasks):
        label, row, out = labels[n], x[n], grad_x[n]
        if label == ignore_index:
            out[:] = 0
            continue
        largest, total = exponentials(out, row)
        g, sharp = grad_losses[n], (1.0 - smoothing) * _weight(weights, label)
        wanted = sharp + share * weight_sum
        for c in range(classes):
            p = np.float64(out[c]) / total
            out[c] = g * (p * wanted - share * _weight(weights, c))
        p = np.float64(exponential(row[label] - largest)) / total
        out[label] = g * (p * wanted - share * _weight(weights, label) - sharp)


def _rows(x: Array) -> Array:
    """x (C,) or (N, C, d1, ...) as rows (S, C) in its own dtype."""
    by_class_last = x if x.ndim <= 2 else np.moveaxis(x, 1, -1)
    return contiguous(by_class_last).reshape(-1, by_class_last.shape[-1])


def _weights(weight: Array | None) -> Array:
    """The weights (C,) in float64; an empty array stands for ones."""
    return np.empty(0) if weight is None else contiguous(widen(weight))


def _label_total(labels: Array, weights: Array, ignore_index: int) -> Any:
    """The sum of the weights of all labels that are not ignored."""
    kept = labels != ignore_index
    return weights[labels[kept]].sum() if weights.size else np.float64(np.count_nonzero(kept))


@implements(cross_entropy_forward, "rows", IDEA, fits=floating)
def cross_entropy_forward_rows(
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """The losses in float64, then their reduction."""
    rows, labels, losses = _rows(x), contiguous(target).reshape(-1), np.empty(target.size)
    weights = _weights(weight)
    if losses.size:
        tasks = min(len(rows), tasks_for(rows.size * STEPS))
        _forward(tasks, losses, rows, labels, weights, ignore_index, float(label_smoothing))
    total = _label_total(labels, weights, ignore_index) if reduction == "mean" else np.float64(1)
    return reduce_loss(losses.reshape(target.shape), reduction, total, x.dtype)


@implements(cross_entropy_backward, "rows", IDEA, fits=lambda grad_output, x, *others: floating(x))
def cross_entropy_backward_rows(
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Array:
    """The probabilities are computed again rather than kept."""
    rows, labels = _rows(x), contiguous(target).reshape(-1)
    weights = _weights(weight)
    total = _label_total(labels, weights, ignore_index)
    grad_losses = contiguous(loss_gradient(grad_output, reduction, target.shape, total)).reshape(-1)
    weight_sum = float(weights.sum()) if weights.size else float(rows.shape[1])
    grad_rows = empty(rows.shape, x.dtype)
    if grad_rows.size:
        tasks = min(len(rows), tasks_for(rows.size * STEPS))
        _backward(
            tasks,
            grad_rows,
            grad_losses,
            rows,
            labels,
            weights,
            weight_sum,
            ignore_index,
            float(label_smoothing),
        )
    return grad_rows.reshape(x.shape) if x.ndim <= 2 else from_samples(grad_rows, target.shape, x.dtype)
