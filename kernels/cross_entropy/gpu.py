"""Cross-entropy on the GPU: a thread or a warp per sample, see cross_entropy.cu."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cross_entropy import (
    cross_entropy_backward,
    cross_entropy_forward,
    soft_cross_entropy_backward_input,
    soft_cross_entropy_backward_target,
    soft_cross_entropy_forward,
)
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.cuda.lines import WARP, launch_lines, line_sizes, long_lines
from kernels.cuda.loss import Divisor, divisor_of_labels, label_arguments, reduced, upstream_arguments
from kernels.loss import class_axis, label_shape
from kernels.registry import implements

SOURCE = Source(__file__, "cross_entropy.cu")
NO_LABELS = np.int64(-1)


def _launch(kernel: str, lanes: int, x: Any, arrays: tuple[Any, ...], label_smoothing: float) -> None:
    """Run a kernel over the samples of x."""
    if x.size:
        sizes, macros = line_sizes(x.shape, class_axis(x)), {"REAL": c_type(x.dtype)}
        launch_lines(SOURCE, kernel, lanes, arrays, sizes, macros, np.float64(label_smoothing))


def _divisor_of_samples(x: Any, reduction: str) -> Divisor:
    """Their number for "mean", else 1."""
    return Divisor(number=float(np.prod(label_shape(x)))) if reduction == "mean" else Divisor()


def _label_forward(
    lanes: int,
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Any:
    losses = empty_beside(x, target.shape, np.float64)
    arrays = (contiguous(x), *label_arguments(target, weight, ignore_index), losses)
    _launch("label_losses", lanes, x, arrays, label_smoothing)
    classes = x.shape[class_axis(x)]
    divisor = divisor_of_labels(target, weight, classes, ignore_index, reduction, x.dtype)
    return reduced(losses, reduction, divisor, x.dtype)


def _label_backward(
    lanes: int,
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> Any:
    grad_x = empty_beside(x, x.shape, x.dtype)
    classes = x.shape[class_axis(x)]
    divisor = divisor_of_labels(target, weight, classes, ignore_index, reduction, x.dtype)
    upstream = upstream_arguments(grad_output, reduction, divisor)
    labels = label_arguments(target, weight, ignore_index)
    _launch("gradients", lanes, x, (*upstream, contiguous(x), None, *labels, grad_x), label_smoothing)
    return grad_x


def _soft_forward(
    lanes: int, x: Array, target: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Any:
    losses = empty_beside(x, label_shape(x), np.float64)
    arrays = (contiguous(x), contiguous(target), contiguous(weight), losses)
    _launch("soft_losses", lanes, x, arrays, label_smoothing)
    return reduced(losses, reduction, _divisor_of_samples(x, reduction), x.dtype)


def _soft_backward_input(
    lanes: int,
    grad_output: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    label_smoothing: float,
    reduction: str,
) -> Any:
    grad_x = empty_beside(x, x.shape, x.dtype)
    upstream = upstream_arguments(grad_output, reduction, _divisor_of_samples(x, reduction))
    arrays = (contiguous(x), contiguous(target), None, contiguous(weight), NO_LABELS, grad_x)
    _launch("gradients", lanes, x, (*upstream, *arrays), label_smoothing)
    return grad_x


def _soft_backward_target(
    lanes: int, grad_output: Array, x: Array, weight: Array | None, label_smoothing: float, reduction: str
) -> Any:
    grad_target = empty_beside(x, x.shape, x.dtype)
    upstream = upstream_arguments(grad_output, reduction, _divisor_of_samples(x, reduction))
    arrays = (contiguous(x), contiguous(weight), grad_target)
    _launch("target_gradients", lanes, x, (*upstream, *arrays), label_smoothing)
    return grad_target


def _announce(contract: Callable[..., Array], function: Callable[..., Any], x_position: int) -> None:
    def pays(*arguments: Any) -> bool:
        x = arguments[x_position]
        return long_lines(x.shape, class_axis(x))

    announce = functools.partial(implements, backend="gpu", fits=floating)
    announce(contract, "threads", "one thread per sample")(functools.partial(function, 1))
    announce(contract, "warps", "the 32 threads of a warp share a sample", pays=pays)(
        functools.partial(function, WARP)
    )


_announce(cross_entropy_forward, _label_forward, 0)
_announce(cross_entropy_backward, _label_backward, 1)
_announce(soft_cross_entropy_forward, _soft_forward, 0)
_announce(soft_cross_entropy_backward_input, _soft_backward_input, 1)
_announce(soft_cross_entropy_backward_target, _soft_backward_target, 1)
