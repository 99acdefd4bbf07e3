"""Squared, absolute and smooth absolute distance on the GPU: a thread per element, see regression_loss.cu."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.loss import Divisor, reduced, upstream_arguments
from kernels.elementwise import cast
from kernels.reduction import reduce_sum
from kernels.registry import implements
from kernels.regression_loss import (
    l1_loss_backward,
    l1_loss_forward,
    mse_loss_backward,
    mse_loss_forward,
    smooth_l1_loss_backward,
    smooth_l1_loss_forward,
)

SOURCE = Source(__file__, "regression_loss.cu")
IDEA = "one thread per element"


def _divisor(x: Any, weight: Any, reduction: str) -> Divisor:
    """What "mean" divides by: the number of elements, or the sum of their weights."""
    if reduction != "mean":
        return Divisor()
    return Divisor(number=x.size) if weight is None else Divisor(reduce_sum(cast(weight, np.float64)))


def _loss(distance: str, x: Any, target: Any, weight: Any, reduction: str, beta: float = 0) -> Any:
    x = contiguous(x)
    losses = empty_beside(x, x.shape, np.float64)
    arrays = (x, contiguous(target), contiguous(weight), losses)
    arguments = (*arrays, np.int64(x.size), x.dtype.type(beta))
    SOURCE.launch_each(f"{distance}_losses", x.size, arguments, {"REAL": c_type(x.dtype)})
    return reduced(losses, reduction, _divisor(x, weight, reduction), x.dtype)


def _gradient(
    distance: str, grad_output: Any, x: Any, target: Any, weight: Any, reduction: str, beta: float = 0
) -> Any:
    x = contiguous(x)
    grad_x = empty_beside(x, x.shape, x.dtype)
    upstream = upstream_arguments(grad_output, reduction, _divisor(x, weight, reduction))
    arrays = (x, contiguous(target), contiguous(weight), grad_x)
    arguments = (*upstream, *arrays, np.int64(x.size), x.dtype.type(beta))
    SOURCE.launch_each(f"{distance}_gradients", x.size, arguments, {"REAL": c_type(x.dtype)})
    return grad_x


@implements(mse_loss_forward, "each", IDEA, fits=floating)
def mse_loss_forward_each(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """w d^2."""
    loss: Array = _loss("mse", x, target, weight, reduction)
    return loss


@implements(mse_loss_backward, "each", IDEA, fits=floating)
def mse_loss_backward_each(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """g w 2 d."""
    grad_x: Array = _gradient("mse", grad_output, x, target, weight, reduction)
    return grad_x


@implements(l1_loss_forward, "each", IDEA, fits=floating)
def l1_loss_forward_each(x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """w |d|."""
    loss: Array = _loss("l1", x, target, weight, reduction)
    return loss


@implements(l1_loss_backward, "each", IDEA, fits=floating)
def l1_loss_backward_each(
    grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str
) -> Array:
    """g w sign(d)."""
    grad_x: Array = _gradient("l1", grad_output, x, target, weight, reduction)
    return grad_x


@implements(smooth_l1_loss_forward, "each", IDEA, fits=floating)
def smooth_l1_loss_forward_each(x: Array, target: Array, beta: float, reduction: str) -> Array:
    """d^2 / (2 beta) or |d| - beta / 2."""
    loss: Array = _loss("smooth_l1", x, target, None, reduction, beta)
    return loss


@implements(smooth_l1_loss_backward, "each", IDEA, fits=floating)
def smooth_l1_loss_backward_each(
    grad_output: Array, x: Array, target: Array, beta: float, reduction: str
) -> Array:
    """g d / beta or g sign(d)."""
    grad_x: Array = _gradient("smooth_l1", grad_output, x, target, None, reduction, beta)
    return grad_x
