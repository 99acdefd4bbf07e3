"""Convolution in Numba, from plain loops to panels gathered on the way; Winograd's stands in its own file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.conv2d import cpu_backward  # noqa: F401 - enters its versions into the table
from kernels.conv2d.cpu_direct import announce_direct
from kernels.conv2d.cpu_fused import launch, make_plan, pack_filters
from kernels.conv2d.cpu_geometry import is_one_position, is_pointwise
from kernels.conv2d.cpu_winograd import announce_winograd
from kernels.conv2d.cpu_winograd_weight import announce_winograd_weight
from kernels.conv2d.versions import announce_version, pack_nothing
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.endings import CODES as ENDINGS
from kernels.cpu.endings import end_with
from kernels.linear.cpu import write_outputs
from kernels.memory import empty
from kernels.prepared import PreparedWeight, activate
from kernels.threads import get_num_threads
from kernels.window import Pair, Window

# ---- loops -----------------------------------------------------------------------------------------


@parallel
def convolve_loops(
    task: int,
    tasks: int,
    x: Any,
    weight: Any,
    bias: Any,
    y: Any,
    groups: int,
    stride_down: int,
    stride: int,
    top: int,
    left: int,
    dilation_down: int,
    dilation: int,
) -> None:
    """y[n, o, i, :] += w[o, c, p, q] x[n, c, ...] for every output row (n, o, i) and all c, p, q."""
    batch, outputs, out_height, out_width = y.shape
    height, width = x.shape[2:]
    channels = weight.shape[1]
    rows = batch * outputs * out_height
    for row in range(rows * task // tasks, rows * (task + 1) // tasks):
        n, o, i = row // (outputs * out_height), row // out_height % outputs, row % out_height
        first = o // (outputs // groups) * channels
        y[n, o, i] = bias[o]
        for c in range(channels):
            for p in range(weight.shape[2]):
                h = i * stride_down + p * dilation_down - top
                if h < 0 or h >= height:
                    continue
                for q in range(weight.shape[3]):
                    factor, shift = weight[o, c, p, q], q * dilation - left
                    for j in range(
                        max(0, (stride - 1 - shift) // stride),
                        min(out_width, (width - 1 - shift) // stride + 1),
                    ):
                        y[n, o, i, j] += factor * x[n, first + c, h, j * stride + shift]


def _run_loops(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    weight = contiguous(prepared.weight)
    y = empty((x.shape[0], weight.shape[0], *window.output_size(x.shape[2:])), x.dtype)
    offsets = np.zeros(weight.shape[0], x.dtype) if bias is None else contiguous(bias)
    convolve_loops(
        tasks_for(y.size * weight[0].size),
        *(contiguous(x), weight, offsets, y, groups),
        *(*window.stride, *_before(window), *window.dilation),
    )
    return activate(y, activation)


# ---- the matrix product ----------------------------------------------------------------------------


def _pack(weight: Array, input_shape: Sequence[int], window: Window, groups: int) -> tuple[Array, ...]:
    """Blocks of ROWS filters side by side, for every group."""
    return (pack_filters(weight, groups),)


def _run_fused(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    plan = make_plan(x.shape, prepared.weight.shape[0], window, groups, x.dtype, get_num_threads())
    y = empty(plan.out_shape, x.dtype)
    launch(plan, x, prepared.packed[0], bias, y, activation)
    return y


def _before(window: Window) -> Pair:
    """The padding above and to the left."""
    return window.padding[0][0], window.padding[1][0]


# ---- a single position --------------------------------------------------------------------------


def _run_one_position(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    """Planes of one element make a fully connected layer; others may come, too, but were not prepared for."""
    if x.shape[2:] != (1, 1):
        packed = replace(prepared, packed=_pack(prepared.weight, x.shape, window, groups))
        return _run_fused(x, packed, bias, window, groups, activation)
    y = empty((x.shape[0], prepared.weight.shape[0], 1, 1), x.dtype)
    write_outputs(x, prepared.weight, bias, y)
    if activation is not None:
        end_with(ENDINGS[activation], y.reshape(-1))
    return y


# ---- columns materialised --------------------------------------------------------------------------


@parallel
def fill_columns(task: int, tasks: int, x: Any, columns: Any, geometry: Any) -> None:
    """columns[c, p, q, i, j] = x[c, i SH + p DH - top, j SW + q DW - left], zero outside, for one image."""
    channels, height, width = x.shape
    kernel_height, kernel_width = columns.shape[1:3]
    stride_down, stride, top, left = geometry[0], geometry[1], geometry[2], geometry[3]
    dilation_down, dilation = geometry[4], geometry[5]
    rows = channels * kernel_height * kernel_width
    for row in range(rows * task // tasks, rows * (task + 1) // tasks):
        c, p, q = (
            row // (kernel_height * kernel_width),
            row // kernel_width % kernel_height,
            row % kernel_width,
        )
        for i in range(columns.shape[3]):
            h = i * stride_down + p * dilation_down - top
            for j in range(columns.shape[4]):
                w = j * stride + q * dilation - left
                inside = 0 <= h < height and 0 <= w < width
                columns[c, p, q, i, j] = x[c, h, w] if inside else x.dtype.type(0)


def _run_im2col(
    x: Array,
    prepared: PreparedWeight,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
) -> Array:
    """One image after the other, so that the columns of one are all there is."""
    outputs, positions = prepared.weight.shape[0], window.output_size(x.shape[2:])
    y = empty((x.shape[0], outputs, *positions), x.dtype)
    columns = empty((x.shape[1], *window.kernel, *positions), x.dtype)
    as_channels = columns.reshape(1, -1, *positions)
    plan = make_plan(as_channels.shape, outputs, Window((1, 1)), groups, x.dtype, get_num_threads())
    geometry = np.array((*window.stride, *_before(window), *window.dilation))
    for image, result in zip(contiguous(x), y, strict=True):
        fill_columns(tasks_for(columns.size), image, columns, geometry)
        launch(plan, as_channels, prepared.packed[0], bias, result[None], activation)
    return y


announce_version("loops", "plain loops, the output's rows over all threads", pack_nothing, _run_loops)
announce_version("im2col", "columns materialised, then a tiled matrix product", _pack, _run_im2col)
announce_version(
    "fused_im2col", "panels of columns gathered on the way into a tiled matrix product", _pack, _run_fused
)
announce_version(
    "pointwise",
    "1x1: the planes are the matrix, nothing is gathered",
    _pack,
    _run_fused,
    fits=lambda weight_shape, input_shape, window, groups: is_pointwise(window),
)
announce_version(
    "one_position",
    "planes of one element: the product of a fully connected layer",
    pack_nothing,
    _run_one_position,
    fits=lambda weight_shape, input_shape, window, groups: is_one_position(input_shape[2:], window, groups),
)
announce_direct()
announce_winograd()
announce_winograd_weight()
