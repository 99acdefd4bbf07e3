"""Convolution in Numba, from plain loops to panels gathered on the way; Winograd's stands in its own file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, Shape4
from kernels.conv2d import cpu_backward  # noqa: F401 - enters its versions into the table
from kernels.conv2d.cpu_fused import CODES, Geometry, convolve, pack
from kernels.conv2d.cpu_winograd import announce_winograd
from kernels.conv2d.cpu_winograd_weight import announce_winograd_weight
from kernels.conv2d.versions import CLAMPS, announce_version
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.gemm import ROWS, STRIP_ROWS
from kernels.cpu.simd import lanes_of
from kernels.memory import empty
from kernels.prepared import PreparedWeight, activate
from kernels.threads import get_num_threads
from kernels.window import Pair, Window

# A panel's gathering costs about as much as this part of one block of rows over it.
GATHERING = 0.5
# A task of fewer multiplications costs less than waking a thread.
SMALLEST_TASK = 1 << 17


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


def _pack_nothing(
    weight: Array, input_shape: Sequence[int], window: Window, groups: int
) -> tuple[Array, ...]:
    return ()


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
    outputs, depth = weight.shape[0] // groups, weight[0].size
    packed = np.empty(groups * -(-outputs // ROWS) * ROWS * depth, weight.dtype)
    pack(tasks_for(weight.size), contiguous(weight).reshape(-1), groups, outputs, depth, packed)
    return (packed,)


class Plan(NamedTuple):
    """What follows from the shapes: how `convolve` is launched, and on what.

    Attributes:
        tasks, across: the grid of tasks, see `convolve`.
        in_place: whether x itself is the matrix.
        out_shape: the output's shape.
        geometry: the numbers of `Geometry`.
    """

    tasks: int
    across: int
    in_place: bool
    out_shape: Shape4
    geometry: Array


@lru_cache(maxsize=1024)
def make_plan(
    input_shape: Shape4, outputs: int, window: Window, groups: int, dtype: np.dtype[Any], threads: int
) -> Plan:
    """Plan a convolution of this type for a number of threads."""
    batch, size = input_shape[0], input_shape[2:]
    channels, outputs = input_shape[1] // groups, outputs // groups
    out_size = window.output_size(size)
    out_shape = batch, groups * outputs, *out_size
    in_place = _is_pointwise(window)
    if in_place:  # the planes may as well be single rows
        size = out_size = (1, size[0] * size[1])
    geometry = Geometry(
        *(batch, groups, channels, outputs, *size, *out_size),
        *(*window.kernel, *window.stride, *_before(window), *window.dilation),
    )
    depth = channels * math.prod(window.kernel)
    tasks = max(1, min(threads, math.prod(out_shape) * depth // SMALLEST_TASK))
    across = split(tasks, groups * -(-outputs // ROWS), batch * math.prod(out_size), lanes_of(dtype))
    return Plan(tasks, across, in_place, out_shape, np.array(geometry))


def split(tasks: int, blocks: int, columns: int, lanes: int) -> int:
    """Return into how many parts to cut the columns; the blocks of rows are cut into the remaining factor.

    Cut columns are gathered once; where the rows are cut, every part gathers all columns. But few columns do
    not come out even, and single ones beyond a vector cost little.
    """

    def longest(across: int) -> float:
        """The time of the task that has most to do, in columns of blocks."""
        most = columns if across == 1 else -(-columns // lanes // across) * lanes
        return most * (-(-blocks * across // tasks) + GATHERING)

    return min((across for across in range(1, tasks + 1) if tasks % across == 0), key=longest)


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


def launch(plan: Plan, x: Array, packed: Array, bias: Array | None, y: Array, activation: str | None) -> None:
    """Run `convolve` into y."""
    convolve(
        plan.tasks,
        plan.across,
        plan.in_place,
        contiguous(x).reshape(-1),
        packed,
        bias is not None,
        _zeros(x.dtype) if bias is None else contiguous(bias),
        y.reshape(-1),
        plan.geometry,
        *_ending(x.dtype, activation),
    )


@cache
def _ending(dtype: np.dtype[Any], activation: str | None) -> tuple[Any, Any, int]:
    """What a tile ends with: two bounds, and an activation's code."""
    low, high = CLAMPS.get(activation, CLAMPS[None])
    return dtype.type(low), dtype.type(high), CODES.get(activation or "", 0)


@cache
def _zeros(dtype: np.dtype[Any]) -> Array:
    return np.zeros(STRIP_ROWS, dtype)


def _is_pointwise(window: Window) -> bool:
    return window.kernel == window.stride == (1, 1) and window.padding == ((0, 0), (0, 0))


def _before(window: Window) -> Pair:
    """The padding above and to the left."""
    return window.padding[0][0], window.padding[1][0]


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


announce_version("loops", "plain loops, the output's rows over all threads", _pack_nothing, _run_loops)
announce_version("im2col", "columns materialised, then a tiled matrix product", _pack, _run_im2col)
announce_version(
    "fused_im2col", "panels of columns gathered on the way into a tiled matrix product", _pack, _run_fused
)
announce_version(
    "pointwise",
    "1x1: the planes are the matrix, nothing is gathered",
    _pack,
    _run_fused,
    fits=lambda weight_shape, input_shape, window, groups: _is_pointwise(window),
)
announce_winograd()
announce_winograd_weight()
