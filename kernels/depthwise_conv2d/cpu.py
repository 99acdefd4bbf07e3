"""Depthwise convolution in Numba, on planes sorted by phase: a tap is a multiply-add over full vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import FLOATING, Array
from kernels.compilation import compiled, contiguous, parallel, tasks_for
from kernels.depthwise_conv2d import (
    depthwise_conv2d_backward_input,
    depthwise_conv2d_forward,
)
from kernels.memory import empty
from kernels.phases import add_band, backward_layout, forward_layout, layout_of, load_band, store_band
from kernels.registry import implements
from kernels.window import Window


def _floating(x: Array, *others: Any) -> bool:
    return x.dtype in FLOATING


@implements(
    depthwise_conv2d_forward, "phases", "padded planes in the cache, sorted by the stride", fits=_floating
)
def depthwise_conv2d_forward_phases(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """One group is a channel's plane and its M outputs."""
    outputs = weight.shape[0]
    layout = forward_layout(window, x.shape[2:], outputs // x.shape[1], x.itemsize)
    y = empty((x.shape[0], outputs, *window.output_size(x.shape[2:])), x.dtype)
    starts = np.zeros(outputs, x.dtype) if bias is None else contiguous(bias)
    _convolve(tasks_for(y.size), layout, contiguous(x).ravel(), contiguous(weight).ravel(), starts, y.ravel())
    return y


@implements(
    depthwise_conv2d_backward_input,
    "phases",
    "gather: each phase of x meets its own taps of the padded gradient",
    fits=_floating,
)
def depthwise_conv2d_backward_input_phases(
    grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window
) -> Array:
    """One group is a channel's M gradients and its plane."""
    batch, channels, height, width = input_shape
    layout = backward_layout(window, (height, width), weight.shape[0] // channels, weight.itemsize)
    grad_x = empty((batch, channels, height, width), weight.dtype)
    starts = np.zeros(channels, weight.dtype)
    _convolve(
        tasks_for(grad_x.size),
        layout,
        contiguous(grad_output).ravel(),
        contiguous(weight).ravel(),
        starts,
        grad_x.ravel(),
    )
    return grad_x


@parallel
def _convolve(task: int, tasks: int, numbers: Any, x: Any, weight: Any, starts: Any, y: Any) -> None:
    """y = start + sum over the taps of weight * x for all planes; `starts` and `weight` repeat by channel."""
    layout = layout_of(numbers)
    source = np.zeros(layout.source_size, x.dtype)
    target = np.zeros(layout.target_phases * layout.target_size, x.dtype)
    weights = np.empty(layout.count, x.dtype)
    jobs = y.size // (layout.targets * layout.rows.target * layout.columns.target) * layout.bands
    first, last = jobs * task // tasks, jobs * (task + 1) // tasks
    _convolve_bands(first, last, numbers, x, weight, starts, source, weights, target, y)


@compiled(borrowing=True)
def _convolve_bands(
    first: int,
    last: int,
    numbers: Any,
    x: Any,
    weight: Any,
    starts: Any,
    source: Any,
    weights: Any,
    target: Any,
    y: Any,
) -> None:
    """Convolve the bands first .. last - 1, counted over all groups of planes."""
    layout = layout_of(numbers)
    for job in range(first, last):
        group, band = job // layout.bands, job % layout.bands
        load_band(layout, numbers, band, x, group, source, x.dtype.type(0))
        for plane in range(group * layout.targets, (group + 1) * layout.targets):
            channel = plane % starts.size
            for k in range(weights.size):
                weights[k] = weight[channel * weights.size + numbers[layout.taps + k]]
            add_band(layout, numbers, band, source, weights, starts[channel], target)
            store_band(layout, band, target, y, plane)
