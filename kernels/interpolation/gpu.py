"""Resizing on the GPU: one thread per output, or per input that gathers, see interpolation.cu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, empty_beside, floating
from kernels.interpolation import (
    Scales,
    interpolate_bilinear_backward,
    interpolate_bilinear_forward,
    interpolate_nearest_backward,
    interpolate_nearest_forward,
)
from kernels.registry import implements

SOURCE = Source(__file__, "interpolation.cu")
FORWARD = "one thread per output"
BACKWARD = "one thread per input, which finds the outputs that look at it by bisection"


def _run(kernel: str, source: Any, size: Sequence[int], *axes_and_more: np.generic) -> Any:
    """Return the planes of another size that a kernel makes of `source`."""
    source = contiguous(source)
    result = empty_beside(source, (*source.shape[:2], *size), source.dtype)
    arguments = (source, result, np.int64(result.size), *axes_and_more)
    SOURCE.launch_each(kernel, result.size, arguments, {"REAL": c_type(source.dtype)})
    return result


def _axes(inputs: Sequence[int], outputs: Sequence[int], scales: Scales, number: Any) -> list[np.generic]:
    """The kernels' parameters AXIS, one after the other, with steps computed in `number`."""
    arguments: list[np.generic] = []
    for length, output_length, scale in zip(inputs, outputs, scales, strict=True):
        step = number(length) / number(output_length) if scale is None else number(1 / scale)
        arguments += [np.int64(length), np.int64(output_length), step]
    return arguments


def _nearest_axes(inputs: Sequence[int], outputs: Sequence[int], scales: Scales) -> list[np.generic]:
    """Three of them: axes of length 1 stand in front."""
    ones = (1,) * (3 - len(inputs))
    return _axes((*ones, *inputs), (*ones, *outputs), (*(None for _ in ones), *scales), np.float32)


@implements(interpolate_nearest_forward, "each", FORWARD, fits=floating)
def interpolate_nearest_forward_each(x: Array, size: Sequence[int], scale_factors: Scales) -> Array:
    """y[o] = x[source(o)]."""
    y: Array = _run("nearest_forward", x, size, *_nearest_axes(x.shape[2:], size, scale_factors))
    return y


@implements(interpolate_nearest_backward, "gather", BACKWARD, fits=floating)
def interpolate_nearest_backward_gather(
    grad_output: Array, input_size: Sequence[int], scale_factors: Scales
) -> Array:
    """dx[s] = the sum of dy over its copies."""
    axes = _nearest_axes(input_size, grad_output.shape[2:], scale_factors)
    grad_x: Array = _run("nearest_backward", grad_output, input_size, *axes)
    return grad_x


@implements(interpolate_bilinear_forward, "each", FORWARD, fits=floating)
def interpolate_bilinear_forward_each(
    x: Array, size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """y[i, j] = the weighted mean of the 2 x 2 inputs around its coordinate."""
    axes = _axes(x.shape[2:], size, scale_factors, np.float64)
    y: Array = _run("bilinear_forward", x, size, *axes, np.int32(align_corners))
    return y


@implements(interpolate_bilinear_backward, "gather", BACKWARD, fits=floating)
def interpolate_bilinear_backward_gather(
    grad_output: Array, input_size: Sequence[int], align_corners: bool, scale_factors: Scales
) -> Array:
    """Every input takes its weight's part of the outputs that look at it."""
    axes = _axes(input_size, grad_output.shape[2:], scale_factors, np.float64)
    grad_x: Array = _run("bilinear_backward", grad_output, input_size, *axes, np.int32(align_corners))
    return grad_x
