"""What the losses share: labels of classes, the samples of a batch of any rank, and reductions.

A loss has one value per sample or element. `reduction` says what is returned: all of them ("none"), their sum
("sum"), or their sum divided by a total, which is their number or the sum of their weights ("mean"). The mean
over nothing is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array, check_indices, check_shape, shown, widen

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str) -> None:
    """Require one of "none", "mean" and "sum" (ValueError otherwise)."""
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be "none", "mean" or "sum", got {shown(reduction)}')


def check_grad_output(grad_output: Array, reduction: str, shape: tuple[int, ...]) -> None:
    """Require a gradient of the reduced loss's shape: the losses' for "none", else () (ValueError)."""
    check_reduction(reduction)
    check_shape("grad_output", grad_output, shape if reduction == "none" else ())


def reduce_loss(losses: Array, reduction: str, total: Any, dtype: Any) -> Array:
    """Return the losses or their sum (divided by `total` for "mean"), accumulated in float64."""
    if reduction == "none":
        return losses.astype(dtype, copy=False)
    value = widen(losses).sum()
    return np.asarray(value / total if reduction == "mean" else value).astype(dtype)


def loss_gradient(grad_output: Array, reduction: str, shape: tuple[int, ...], total: Any) -> Array:
    """Return dL/dlosses in float64: what `reduce_loss` hands back to each of the losses."""
    grad_losses = widen(grad_output)
    if reduction == "mean":
        grad_losses = grad_losses / total
    return np.broadcast_to(grad_losses, shape)


def check_scores(x: Array) -> tuple[int, tuple[int, ...]]:
    """Require x (C,) or (N, C, d1, ...) with C >= 1; return C and the labels' shape, () or (N, d1, ...).

    Raises:
        ValueError: a 0-d array, or no classes.
    """
    if x.ndim == 0:
        raise ValueError("x must have shape (C,) or (N, C, ...), got shape ()")
    classes = x.shape[class_axis(x)]
    if classes == 0:
        raise ValueError(f"x must have at least one class, got shape {tuple(x.shape)}")
    return classes, label_shape(x)


def check_labels(
    target: Array, classes: int, shape: tuple[int, ...], ignore_index: int | None = None
) -> None:
    """Require int64 labels of this shape in [0, classes), or equal to `ignore_index`.

    Labels in device memory are not looked at, which would mean to wait for the device: its kernels answer a
    label that is no class with NaN.

    Raises:
        TypeError: another dtype.
        ValueError: another shape, or a label out of range.
    """
    check_indices("target", target)
    check_shape("target", target, shape)
    if not isinstance(target, np.ndarray):
        return
    wrong = (target < 0) | (target >= classes)
    if ignore_index is not None:
        wrong &= target != ignore_index
    if wrong.any():
        also = "" if ignore_index is None else f" or be ignore_index {ignore_index}"
        raise ValueError(f"target must lie in [0, {classes}){also}, got {target[wrong].reshape(-1)[0]}")


def check_class_weights(weight: Array | None, classes: int) -> None:
    """Require one weight per class (ValueError otherwise); None is fine."""
    if weight is not None:
        check_shape("weight", weight, (classes,))


def class_weights(weight: Array | None, classes: int) -> Array:
    """Return the weights (C,) in float64, ones where there are none."""
    return np.ones(classes) if weight is None else widen(weight)


def check_probabilities(target: Array) -> None:
    """Refuse a target that holds NaN (ValueError); one in device memory is not looked at."""
    if isinstance(target, np.ndarray) and np.isnan(target).any():
        raise ValueError("target must not hold NaN, got at least one")


def label_shape(x: Array) -> tuple[int, ...]:
    """The shape of the labels of x: () for (C,), (N, d1, ...) for (N, C, d1, ...)."""
    return x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()


def class_axis(x: Array) -> int:
    """Where the classes of x are: axis 0 of (C,), axis 1 of (N, C, d1, ...)."""
    return 0 if x.ndim == 1 else 1


def to_samples(x: Array) -> Array:
    """x (C,) or (N, C, d1, ...) as (S, C), one row per label in row-major order, in float64."""
    axis = class_axis(x)
    return widen(np.moveaxis(x, axis, -1)).reshape(-1, x.shape[axis])


def from_samples(rows: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """The inverse of `to_samples`: rows (S, C) as an array whose labels have this shape."""
    by_class_last = rows.reshape(*shape, rows.shape[-1])
    return np.moveaxis(by_class_last, -1, 1 if shape else 0).astype(dtype, order="C")
