"""The multi-class hinge loss on the GPU: a warp per sample, see multi_margin_loss.cu."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.lines import WARP, launch_lines, line_sizes
from kernels.cuda.loss import Divisor, label_arguments, reduced, upstream_arguments
from kernels.loss import class_axis
from kernels.multi_margin_loss import multi_margin_loss_backward, multi_margin_loss_forward
from kernels.registry import implements

SOURCE = Source(__file__, "multi_margin_loss.cu")
IDEA = "a warp per sample, whose threads share the classes"
NO_LABEL = np.iinfo(np.int64).min  # is ignored: this loss has no label that is


def _run(kernel: str, arrays: tuple[Any, ...], x: Any, margin: float, p: int) -> None:
    sizes = line_sizes(x.shape, class_axis(x))
    macros = {"REAL": c_type(x.dtype)}
    launch_lines(SOURCE, kernel, WARP, arrays, sizes, macros, np.float64(margin), np.int32(p))


def _divisor(target: Any, reduction: str) -> Divisor:
    return Divisor(number=target.size) if reduction == "mean" else Divisor()


@implements(multi_margin_loss_forward, "warps", IDEA, fits=floating)
def multi_margin_loss_forward_warps(
    x: Array, target: Array, p: int, margin: float, weight: Array | None, reduction: str
) -> Array:
    """Every class that comes within the margin of the label's score costs."""
    x = contiguous(x)
    losses = empty_beside(x, target.shape, np.float64)
    _run("margin_losses", (x, *label_arguments(target, weight, NO_LABEL), losses), x, margin, p)
    loss: Array = reduced(losses, reduction, _divisor(target, reduction), x.dtype)
    return loss


@implements(multi_margin_loss_backward, "warps", IDEA, fits=floating)
def multi_margin_loss_backward_warps(
    grad_output: Array,
    x: Array,
    target: Array,
    p: int,
    margin: float,
    weight: Array | None,
    reduction: str,
) -> Array:
    """The label's gradient is minus the sum of the others."""
    x = contiguous(x)
    grad_x: Array = empty_beside(x, x.shape, x.dtype)
    upstream = upstream_arguments(grad_output, reduction, _divisor(target, reduction))
    labels = label_arguments(target, weight, NO_LABEL)
    _run("margin_gradients", (*upstream, x, *labels, grad_x), x, margin, p)
    return grad_x
