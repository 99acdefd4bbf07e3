"""The convolution and the gradient of its input without columns in memory, see implicit.cu.

Both are one sum along each axis: result a sums, over taps t, filter[t] source[first + a step + t tap_step].
Forward, a is the output's place. Backward, the inputs that lie a stride apart see the same taps, and from one
of these to the next the outputs are evenly spaced; so every such phase is a convolution of stride 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from kernels.conv2d import conv2d_backward_input
from kernels.conv2d.versions import announce_version, pack_nothing, run_on_weight
from kernels.cuda.activations import activation_number
from kernels.cuda.half import storage_macros
from kernels.cuda.launch import Source, contiguous, empty_beside, floating
from kernels.cuda.tiles import LARGE, THREADS, WIDE, choose_tiling
from kernels.registry import implements
from kernels.window import Window

SOURCE = Source(__file__, "implicit.cu")
TURNING = Source(__file__, "turn_filters.cu")
FEW_ROWS = 8  # with fewer filters in a group most of a tile is thrown away
MOST_GROUPS = 65535  # of a grid's second axis
MOST = 2**30  # places along an axis are ints in the kernel


class Axis(NamedTuple):
    """A sum's places along one axis, in the order of the kernel's parameters.

    Attributes:
        source: the source's length.
        taps: the filter's.
        first, step, tap_step: result a's tap t is at first + a step + t tap_step.
        result: the result's length.
        first_result, result_step: where result a is.
        results: how many there are.
    """

    source: int
    taps: int
    first: int
    step: int
    tap_step: int
    result: int
    first_result: int
    result_step: int
    results: int


class Taps(NamedTuple):
    """Every `step`-th tap along an axis, from `first` on."""

    first: int
    step: int
    number: int


class Operands(NamedTuple):
    """What the kernel reads; filters are (groups, rows, channels, taps, taps)."""

    source: Any
    filters: Any
    bias: Any = None
    activation: str | None = None


def places_fit(window: Window, size: Sequence[int], groups: int) -> bool:
    """Whether planes of this size with their padding can be walked over with ints."""
    padded = [length + sum(padding) for length, padding in zip(size, window.padding, strict=True)]
    return math.prod(padded) < MOST and math.prod(window.kernel) < MOST and groups <= MOST_GROUPS


def forward_axes(window: Window, size: Sequence[int]) -> list[Axis]:
    """Tap t of output a is at a stride + t dilation - padding."""
    outputs = window.output_size(size)
    return [
        Axis(
            source=size[axis],
            taps=window.kernel[axis],
            first=-window.padding[axis][0],
            step=window.stride[axis],
            tap_step=window.dilation[axis],
            result=outputs[axis],
            first_result=0,
            result_step=1,
            results=outputs[axis],
        )
        for axis in (0, 1)
    ]


def backward_axes(window: Window, size: Sequence[int], axis: int) -> Iterator[tuple[Axis, Taps]]:
    """For every phase along an axis: its sum over grad_output, and its taps of the weight."""
    stride, dilation, before = window.stride[axis], window.dilation[axis], window.padding[axis][0]
    outputs, period = window.output_size(size)[axis], stride // math.gcd(stride, dilation)
    for phase in range(min(stride, size[axis])):
        seen = [t for t in range(window.kernel[axis]) if (phase + before - t * dilation) % stride == 0]
        taps = Taps(seen[0] if seen else 0, period, len(seen))
        yield (
            Axis(
                source=outputs,
                taps=taps.number,
                first=(phase + before - taps.first * dilation) // stride,
                step=1,
                tap_step=-(period * dilation // stride),
                result=size[axis],
                first_result=phase,
                result_step=stride,
                results=-(-(size[axis] - phase) // stride),
            ),
            taps,
        )


def gather(
    operands: Operands, groups: int, axes: Sequence[Axis], result: Any, *, tensor_cores: bool = False
) -> None:
    """Set the elements of `result` (N, groups rows, ...) that the axes name; see implicit.cu."""
    batch, rows = result.shape[0], result.shape[1] // groups
    columns = batch * math.prod(axis.results for axis in axes)
    if not columns:
        return
    # The largest tiles of TF32 would take more registers than there are.
    largest = WIDE if tensor_cores and result.dtype == np.float32 else LARGE
    tiling = choose_tiling(rows, columns, result.dtype, largest)
    arguments = (
        *(operands.source, operands.filters, operands.bias, result, activation_number(operands.activation)),
        *(np.int64(number) for number in (batch, groups, rows, operands.source.shape[1] // groups)),
        *(np.int32(number) for axis in axes for number in axis),
    )
    loader = "PlaneLoader" if _planes_are_the_matrix(axes) else "PatchLoader"
    macros = {**tiling.macros(result.dtype, tensor_cores=tensor_cores), "LOADER": loader}
    SOURCE.launch("gather_sum", (tiling.blocks(rows, columns), groups), (THREADS,), arguments, macros)


def _planes_are_the_matrix(axes: Sequence[Axis]) -> bool:
    """Each result sees the one element at its own place, and four neighbours are of one plane."""
    return math.prod(axis.source for axis in axes) % 4 == 0 and all(
        (axis.taps, axis.first, axis.step) == (1, 0, 1) and axis.results == axis.source for axis in axes
    )


def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    window: Window,
    groups: int,
    activation: str | None,
    *,
    tensor_cores: bool = False,
) -> Array:
    """The columns are in shared memory only, a tile at a time."""
    x = contiguous(x)
    y: Array = empty_beside(x, (x.shape[0], weight.shape[0], *window.output_size(x.shape[2:])), x.dtype)
    operands = Operands(x, contiguous(weight), contiguous(bias), activation)
    gather(operands, groups, forward_axes(window, x.shape[2:]), y, tensor_cores=tensor_cores)
    return y


def _backward_fits(
    grad_output: Any, weight: Any, input_shape: Sequence[int], window: Window, groups: int
) -> bool:
    return floating(weight) and places_fit(window, input_shape[2:], groups)


def _backward_pays(
    grad_output: Any, weight: Any, input_shape: Sequence[int], window: Window, groups: int
) -> bool:
    return bool(weight.shape[1] >= FEW_ROWS)


def backward_input(
    grad_output: Array,
    weight: Array,
    input_shape: Sequence[int],
    window: Window,
    groups: int,
    *,
    tensor_cores: bool = False,
) -> Array:
    """A launch per phase of the stride; each element is summed by one thread."""
    grad_output, weight = contiguous(grad_output), contiguous(weight)
    grad_x: Array = empty_beside(grad_output, input_shape, grad_output.dtype)
    phases = (list(backward_axes(window, input_shape[2:], axis)) for axis in (0, 1))
    for (down, down_taps), (across, across_taps) in product(*phases):
        filters = turn_filters(weight, groups, (down_taps, across_taps))
        operands = Operands(grad_output, filters)
        gather(operands, groups, (down, across), grad_x, tensor_cores=tensor_cores)
    return grad_x


def turn_filters(weight: Any, groups: int, taps: Sequence[Taps]) -> Any:
    """Return (groups, C, O, taps, taps): for every channel of the input its weights in all filters."""
    outputs, channels = weight.shape[0] // groups, weight.shape[1]
    down, across = taps
    turned = empty_beside(weight, (groups, channels, outputs, down.number, across.number), weight.dtype)
    sizes = (turned.size, channels, outputs, *weight.shape[2:], *down, *across)
    arguments = (weight, turned, *(np.int64(number) for number in sizes))
    TURNING.launch_each("turn_filters", turned.size, arguments, storage_macros(weight.dtype))
    return turned


def announce_implicit() -> None:
    """Enter the versions into their ladders."""
    announce_version(
        "implicit",
        "patches gathered into shared memory, 8 x 8 elements per thread, the next tile on its way",
        pack_nothing,
        run_on_weight(forward),
        backend="gpu",
        fits=lambda weight_shape, input_shape, window, groups: places_fit(window, input_shape[2:], groups),
        pays=lambda weight_shape, input_shape, window, groups: weight_shape[0] // groups >= FEW_ROWS,
    )
    implements(
        conv2d_backward_input,
        "implicit",
        "the outputs that an input reached gathered into shared memory, 8 x 8 elements per thread",
        backend="gpu",
        fits=_backward_fits,
        pays=_backward_pays,
    )(backward_input)
