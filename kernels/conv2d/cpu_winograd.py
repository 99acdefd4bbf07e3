"""Winograd's convolution on the CPU, for 3x3 windows of stride 1: F(2x2, 3x3) and F(4x4, 3x3).

The output is cut into tiles of m x m numbers. A tile is made from (m + 2)^2 numbers of each input channel, in
three steps (`cpu_winograd_matrices.py` has the formulas):

    V[position, tile, c] = (B^T d B)[position]                    the input's transform
    M[position, tile, o] = sum_c V[position, tile, c] U[position, c, o]     a matrix product per position
    Y[tile, o]           = A^T M A + bias                         the output's transform

with U = G g G^T made once per weight. The direct algorithm multiplies 9 m^2 times for a tile and a pair of
channels, this one (m + 2)^2 times: 2.25 times less for m = 2, 4 times for m = 4.

All arrays between the steps hold channels in vectors, so that the transforms work on as many channels at once
as a vector has lanes, whatever the width of the image: V and M as [position, channels / lanes, tile, lane], U
as [position, outputs / (2 lanes), c, 2 lanes]. The product then reads and writes whole vectors: a vector of
output channels times the numbers V of up to MOST_ROWS tiles.

A job is a chunk of tiles, whose V and M stay in the second-level cache, and a part of the output channels.
Images with few tiles are split by output channels, the others by tiles; no number's sum depends on the split.

Errors: |error| <= e sqrt(9 C) eps max |y| with e = 1/2 for m = 2 and e = 2 for m = 4 (on random
numbers). One infinity or NaN in the input makes NaN of all outputs of its tiles.

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.conv2d import conv2d_backward_input
from kernels.conv2d.cpu_winograd_plan import ceil_divide, filters_step, plan_for, plan_of
from kernels.conv2d.cpu_winograd_product import multiply
from kernels.conv2d.cpu_winograd_steps import transform_filters, transform_inputs, transform_outputs
from kernels.conv2d.versions import CLAMPS, TYPES, announce_version
from kernels.conv2d.winograd import (
    DEFAULT_TYPES,
    TAPS,
    best_tile,
    gradient_padding_before,
    has_winograd,
    idea,
    padding_before,
)
from kernels.cpu.compilation import contiguous, parallel, tasks_for
from kernels.cpu.simd import lanes_of, vector_lanes
from kernels.memory import empty
from kernels.prepared import PreparedWeight, activate
from kernels.registry import implements
from kernels.threads import get_num_threads
from kernels.window import Pair, Window


@parallel
def convolve(
    task: int,
    tasks: int,
    numbers: Any,
    x: Any,
    u: Any,
    bias: Any,
    low: Any,
    high: Any,
    v: Any,
    products: Any,
    y: Any,
) -> None:
    """y = clamp(convolution of x + bias, low, high), the weight being transformed to U.

    numbers: the plan. bias: every group's, padded to whole vectors. v, products: room for a chunk per task.
    """
    plan = plan_of(numbers)
    positions = (plan.m + 2) * (plan.m + 2)
    v_at, products_at = task * positions * plan.v_step, task * positions * plan.m_step
    pairs = ceil_divide(plan.outputs, 2 * vector_lanes(x))
    jobs = plan.groups * plan.chunks * plan.parts
    for job in range(jobs * task // tasks, jobs * (task + 1) // tasks):
        group, rest = job // (plan.chunks * plan.parts), job % (plan.chunks * plan.parts)
        chunk, part = rest // plan.parts, rest % plan.parts
        first, last = plan.tiles * chunk // plan.chunks, plan.tiles * (chunk + 1) // plan.chunks
        first_pair, last_pair = pairs * part // plan.parts, pairs * (part + 1) // plan.parts
        transform_inputs(plan, group, first, last, x, v, v_at)
        multiply(plan, group, last - first, first_pair, last_pair, u, v, v_at, products, products_at)
        transform_outputs(
            plan, group, first, last, first_pair, last_pair, products, products_at, bias, low, high, y
        )


def transformed_filters(weight: Array, m: int, groups: int, turned: bool = False) -> Array:
    """Return U of a weight (O, C / G, 3, 3), flat.

    Args:
        weight: the filters.
        m: height and width of an output tile.
        groups: how many groups of channels.
        turned: for the input's gradient: from outputs to inputs, filters turned by 180 degrees.
    """
    weight = contiguous(weight)
    outputs, channels = weight.shape[0] // groups, weight.shape[1]
    output_step, channel_step = channels * TAPS * TAPS, TAPS * TAPS
    if turned:
        outputs, channels = channels, outputs
        output_step, channel_step = channel_step, output_step
    step = filters_step(channels, outputs, lanes_of(weight.dtype))
    u = empty(groups * (m + 2) ** 2 * step, weight.dtype)
    tasks = tasks_for(weight.size)
    transform_filters(
        *(tasks, m, groups, outputs, channels, weight.reshape(-1)),
        *(output_step, channel_step, turned, u, step),
    )
    return u


def convolution(
    x: Array,
    u: Array,
    bias: Array | None,
    m: int,
    groups: int,
    outputs: int,
    before: Pair,
    size: Pair,
    low: float = -np.inf,
    high: float = np.inf,
) -> Array:
    """Return clamp(convolution of x + bias, low, high) (N, O, OH, OW).

    Args:
        x: (N, C, H, W).
        u: the filters, transformed.
        bias: (O,) or None.
        m: height and width of an output tile.
        groups: how many groups of channels.
        outputs: O.
        before: padding above and left of x; negative where rows or columns are skipped.
        size: (OH, OW); what the padded input is too small for sees zeros.
        low: lower bound.
        high: upper bound.
    """
    x = contiguous(x)
    y = empty((x.shape[0], outputs, *size), x.dtype)
    if y.size == 0:
        return y
    plan, numbers, tasks = plan_for(
        x.shape, x.dtype, m, groups, outputs // groups, before, size, get_num_threads()
    )
    v, products = (empty(tasks * (m + 2) ** 2 * step, x.dtype) for step in (plan.v_step, plan.m_step))
    vectors = np.zeros((groups, -(-plan.outputs // (2 * lanes_of(x.dtype))) * 2 * lanes_of(x.dtype)), x.dtype)
    if bias is not None:
        vectors[:, : plan.outputs] = bias.reshape(groups, plan.outputs)
    bounds = x.dtype.type(low), x.dtype.type(high)
    convolve(tasks, numbers, x.reshape(-1), u, vectors.reshape(-1), *bounds, v, products, y.reshape(-1))
    return y


# --- the versions and the choice between them


def announce_winograd() -> None:
    """Enter F(2x2, 3x3) and F(4x4, 3x3) into the ladders of the forward pass and of the input's gradient."""
    for m in (2, 4):
        _announce(m)


def _announce(m: int) -> None:
    name = f"winograd_{m}x{m}"

    def pack(weight: Array, input_shape: Sequence[int], window: Window, groups: int) -> tuple[Array, ...]:
        return (transformed_filters(weight, m, groups),)

    def run(
        x: Array,
        prepared: PreparedWeight,
        bias: Array | None,
        window: Window,
        groups: int,
        activation: str | None,
    ) -> Array:
        clamp = CLAMPS.get(activation)
        y = convolution(
            *(x, prepared.packed[0], bias, m, groups, prepared.weight.shape[0]),
            *(padding_before(window), window.output_size(x.shape[2:])),
            *(clamp or CLAMPS[None]),
        )
        return y if clamp else activate(y, activation)

    def backward_input(
        grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
    ) -> Array:
        """The convolution of dy with the filters turned round, from output channels to input channels."""
        u = transformed_filters(weight, m, groups, turned=True)
        size = (input_shape[2], input_shape[3])
        before = gradient_padding_before(window)
        return convolution(grad_output, u, None, m, groups, input_shape[1], before, size)

    announce_version(
        *(name, idea(m), pack, run),
        fits=lambda weight_shape, input_shape, window, groups: has_winograd(window),
        pays=lambda weight_shape, input_shape, window, groups: (
            has_winograd(window)
            and fills_vectors(weight_shape[0], input_shape[1], groups)
            and best_tile(window.output_size(input_shape[2:])) == m
        ),
        pays_cold=lambda weight_shape, input_shape, window, groups: (
            has_winograd(window)
            and fills_vectors(weight_shape[0], input_shape[1], groups)
            and best_tile_cold(input_shape[0], window.output_size(input_shape[2:])) == m
        ),
        default_types=DEFAULT_TYPES,
    )
    implements(
        conv2d_backward_input,
        name,
        idea(m),
        backend="cpu",
        fits=lambda grad_output, weight, input_shape, window, groups: (
            grad_output.dtype in TYPES and has_winograd(window)
        ),
        pays=lambda grad_output, weight, input_shape, window, groups: (
            has_winograd(window)
            and grad_output.dtype in DEFAULT_TYPES
            and fills_vectors(weight.shape[0], input_shape[1], groups)
            and grad_output.size * input_shape[1] // groups >= SMALLEST_LAYER
            and best_tile_cold(input_shape[0], (input_shape[2], input_shape[3])) == m
        ),
    )(backward_input)


# With fewer channels per group the vectors are nearly empty, and the direct algorithm is faster.
FEWEST_CHANNELS = 16
# With fewer outputs per channel the larger tile's filters take longer to transform than they save.
FEWEST_COLD = 256
# With a smaller N OH OW C O the direct algorithm is the faster way to the gradient of the input.
SMALLEST_LAYER = 500_000


def fills_vectors(outputs: int, channels: int, groups: int) -> bool:
    """Whether there are enough output and input channels for the default."""
    return min(outputs, channels) // groups >= FEWEST_CHANNELS


def best_tile_cold(batch: int, size: Pair) -> int:
    """Return the best m when the filters are transformed for this one run.

    Both their transform and the products grow with the channels' product, so the number of outputs decides.
    """
    return 2 if batch * size[0] * size[1] < FEWEST_COLD else best_tile(size)
