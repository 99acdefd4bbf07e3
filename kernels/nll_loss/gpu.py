"""Negative log-likelihood on the GPU: a thread per sample, or per score on the way back, see nll_loss.cu."""

from __future__ import annotations

import math

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.loss import divisor_of_labels, label_arguments, reduced, upstream_arguments
from kernels.loss import class_axis
from kernels.nll_loss import nll_loss_backward, nll_loss_forward
from kernels.registry import implements

SOURCE = Source(__file__, "nll_loss.cu")


@implements(nll_loss_forward, "each", "one thread per sample picks its score", fits=floating)
def nll_loss_forward_each(
    x: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> Array:
    """l = -w[t] x[t], then the reduction."""
    x, axis = contiguous(x), class_axis(x)
    classes, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    losses = empty_beside(x, target.shape, np.float64)
    labels = label_arguments(target, weight, ignore_index)
    arguments = (x, *labels, losses, *map(np.int64, (losses.size, classes, inner)))
    SOURCE.launch_each("nll_losses", losses.size, arguments, {"REAL": c_type(x.dtype)})
    divisor = divisor_of_labels(target, weight, classes, ignore_index, reduction, x.dtype)
    loss: Array = reduced(losses, reduction, divisor, x.dtype)
    return loss


@implements(nll_loss_backward, "each", "one thread per score", fits=floating)
def nll_loss_backward_each(
    grad_output: Array,
    target: Array,
    classes: int,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
) -> Array:
    """dx[t] = -g w[t]."""
    dtype = grad_output.dtype
    grad_x: Array = empty_beside(
        grad_output, (*target.shape[:1], classes, *target.shape[1:]) if target.shape else (classes,), dtype
    )
    divisor = divisor_of_labels(target, weight, classes, ignore_index, reduction, dtype)
    arguments = (
        *upstream_arguments(grad_output, reduction, divisor),
        *label_arguments(target, weight, ignore_index),
        grad_x,
        *map(np.int64, (grad_x.size, classes, math.prod(target.shape[1:]))),
    )
    SOURCE.launch_each("nll_gradients", grad_x.size, arguments, {"REAL": c_type(dtype)})
    return grad_x
