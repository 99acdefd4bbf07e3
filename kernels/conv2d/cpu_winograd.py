"""Winograd's convolution on the CPU, for 3x3 windows of stride 1: F(2x2, 3x3) and F(4x4, 3x3).

The output is cut into tiles of m x m numbers. A tile is made from (m + 2)^2 numbers of each input channel, in
three steps (`cpu_winograd_transforms.py` has the formulas):

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
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import Array, Shape4
from kernels.conv2d import conv2d_backward_input
from kernels.conv2d.cpu_winograd_transforms import (
    TAPS,
    make_transform_filter,
    make_transform_input,
    make_transform_output,
)
from kernels.conv2d.versions import CLAMPS, TYPES, announce_version
from kernels.cpu.compilation import SMALLEST_TASK, compiled, contiguous, parallel, tasks_for
from kernels.cpu.simd import INDEX, REGISTERS, VectorBuilder, lanes_of, vector_lanes
from kernels.memory import empty
from kernels.prepared import PreparedWeight, activate
from kernels.registry import implements
from kernels.threads import get_num_threads
from kernels.window import Pair, Window

# The most tiles whose sums the registers hold, two vectors of output channels each.
MOST_ROWS = (REGISTERS - 4) // 2

# Bytes of V and M that a task works on at a time: they should stay in its second-level cache.
CHUNK_BYTES = 600_000
# Fewer tiles at a time would read the weights too often, whatever the cache.
SMALLEST_CHUNK = 24
# With fewer tiles per task than this, the tasks share the output channels instead.
FEW_TILES = 10
# Bytes that all tasks' V and M may take together.
MOST_SCRATCH = 15 * 2**20

transform_input_2, transform_input_4 = make_transform_input(2), make_transform_input(4)
transform_output_2, transform_output_4 = make_transform_output(2), make_transform_output(4)
transform_filter_2, transform_filter_4 = make_transform_filter(2), make_transform_filter(4)


class Plan(NamedTuple):
    """All that the compiled functions need to know; Python hands it to kernels as one array of integers.

    Attributes:
        m: height and width of an output tile.
        groups: groups of channels; the counts of channels below are those of one group.
        channels: input channels.
        height: of the input planes.
        width: of the input planes.
        outputs: output channels.
        out_height: of the output planes.
        out_width: of the output planes.
        top: rows of padding above the input; negative to skip rows.
        left: columns of padding before the input; negative to skip columns.
        tile_rows: tiles along an output plane's height.
        tile_columns: tiles along its width.
        tiles: tiles of the batch.
        chunks: into how many chunks the tiles fall.
        parts: into how many parts the output channels fall.
        chunk: tiles in the largest chunk.
        v_step: elements from one position to the next in V.
        m_step: the same in M.
        u_step: the same in U.
    """

    m: int
    groups: int
    channels: int
    height: int
    width: int
    outputs: int
    out_height: int
    out_width: int
    top: int
    left: int
    tile_rows: int
    tile_columns: int
    tiles: int
    chunks: int
    parts: int
    chunk: int
    v_step: int
    m_step: int
    u_step: int


@compiled
def plan_of(n: Any) -> Plan:
    """Give the integers of a plan their names."""
    return Plan(
        *(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]),
        *(n[10], n[11], n[12], n[13], n[14], n[15], n[16], n[17], n[18]),
    )


# --- the kernels


@parallel
def transform_filters(
    task: int,
    tasks: int,
    m: int,
    groups: int,
    outputs: int,
    channels: int,
    weight: Any,
    output_step: int,
    channel_step: int,
    turned: bool,
    u: Any,
    u_step: int,
) -> None:
    """U = G g G^T; outputs beyond the last repeat it.

    The filter from channel c to output o of a group begins at o output_step + c channel_step.
    """
    lanes = vector_lanes(u)
    pairs = ceil_divide(outputs, 2 * lanes)
    jobs = groups * pairs * channels
    for job in range(jobs * task // tasks, jobs * (task + 1) // tasks):
        group, pair, c = job // (pairs * channels), job // channels % pairs, job % channels
        source = group * outputs * channels * TAPS * TAPS + c * channel_step
        target = group * (m + 2) * (m + 2) * u_step + (pair * channels + c) * 2 * lanes
        for half in range(2):
            o = min(pair * 2 * lanes + half * lanes, outputs - 1)
            first, to = source + o * output_step, target + half * lanes
            if m == 4:
                transform_filter_4(weight, first, outputs - o, output_step, turned, u, to, u_step)
            else:
                transform_filter_2(weight, first, outputs - o, output_step, turned, u, to, u_step)


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
        _multiply(plan, group, last - first, first_pair, last_pair, u, v, v_at, products, products_at)
        _transform_outputs(
            plan, group, first, last, first_pair, last_pair, products, products_at, bias, low, high, y
        )


@compiled
def ceil_divide(a: int, b: int) -> int:
    """Return a / b, rounded up."""
    return (a + b - 1) // b


@compiled
def bits_between(first: int, last: int) -> int:
    """Return the integer whose bits from `first` to before `last` are set."""
    first = max(first, 0)
    return (1 << last) - (1 << first) if first < last else 0


@compiled
def transform_inputs(plan: Plan, group: int, first: int, last: int, x: Any, v: Any, v_at: int) -> None:
    """Write V of the tiles from `first` to before `last`; the first tile's at v[v_at]."""
    lanes = vector_lanes(x)
    size, plane = plan.m + 2, plan.height * plan.width
    per_image = plan.tile_rows * plan.tile_columns
    for block in range(ceil_divide(plan.channels, lanes)):
        channels = min(lanes, plan.channels - block * lanes)
        target = v_at + block * plan.chunk * lanes
        for tile in range(first, last):
            n, i, j = tile // per_image, tile // plan.tile_columns % plan.tile_rows, tile % plan.tile_columns
            row, column = i * plan.m - plan.top, j * plan.m - plan.left
            source = (
                ((n * plan.groups + group) * plan.channels + block * lanes) * plane
                + row * plan.width
                + column
            )
            visible = bits_between(-column, min(size, plan.width - column))
            if plan.m == 4:
                transform_input_4(
                    *(x, source, channels, plane, plan.width, -row, plan.height - row, visible),
                    *(v, target, plan.v_step),
                )
            else:
                transform_input_2(
                    *(x, source, channels, plane, plan.width, -row, plan.height - row, visible),
                    *(v, target, plan.v_step),
                )
            target += lanes


@compiled
def _multiply(
    plan: Plan,
    group: int,
    tiles: int,
    first_pair: int,
    last_pair: int,
    u: Any,
    v: Any,
    v_at: int,
    products: Any,
    products_at: int,
) -> None:
    """M = V U for every position, for the output channels of some pairs of vectors."""
    lanes = vector_lanes(v)
    row = plan.chunk * lanes
    parts = ceil_divide(tiles, MOST_ROWS)
    for position in range((plan.m + 2) * (plan.m + 2)):
        at = v_at + position * plan.v_step
        to = products_at + position * plan.m_step
        filters = (group * (plan.m + 2) * (plan.m + 2) + position) * plan.u_step
        for pair in range(first_pair, last_pair):
            for part in range(parts):
                first, last = tiles * part // parts, tiles * (part + 1) // parts
                _multiply_tiles(
                    *(last - first, plan.channels, v, at + first * lanes, row),
                    *(u, filters + pair * plan.channels * 2 * lanes),
                    *(products, to + 2 * pair * row + first * lanes, row),
                )


@compiled
def _transform_outputs(
    plan: Plan,
    group: int,
    first: int,
    last: int,
    first_pair: int,
    last_pair: int,
    products: Any,
    products_at: int,
    bias: Any,
    low: Any,
    high: Any,
    y: Any,
) -> None:
    """y of the tiles from `first` to before `last`, for the output channels of some pairs of vectors."""
    lanes = vector_lanes(y)
    plane = plan.out_height * plan.out_width
    per_image = plan.tile_rows * plan.tile_columns
    padded = ceil_divide(plan.outputs, 2 * lanes) * 2 * lanes
    for block in range(2 * first_pair, min(2 * last_pair, ceil_divide(plan.outputs, lanes))):
        channels = min(lanes, plan.outputs - block * lanes)
        source = products_at + block * plan.chunk * lanes
        bias_at = group * padded + block * lanes
        for tile in range(first, last):
            n, i, j = tile // per_image, tile // plan.tile_columns % plan.tile_rows, tile % plan.tile_columns
            row, column = i * plan.m, j * plan.m
            target = ((n * plan.groups + group) * plan.outputs + block * lanes) * plane
            target += row * plan.out_width + column
            rows, columns = min(plan.m, plan.out_height - row), min(plan.m, plan.out_width - column)
            if plan.m == 4:
                transform_output_4(
                    *(products, source, plan.m_step, bias, bias_at, low, high),
                    *(y, target, channels, plane, plan.out_width, rows, columns),
                )
            else:
                transform_output_2(
                    *(products, source, plan.m_step, bias, bias_at, low, high),
                    *(y, target, channels, plane, plan.out_width, rows, columns),
                )
            source += lanes


@intrinsic
def _multiply_tiles(
    typing_context: Any,
    rows: Any,
    depth: Any,
    a: Any,
    a_at: Any,
    a_step: Any,
    b: Any,
    b_at: Any,
    c: Any,
    c_at: Any,
    c_step: Any,
) -> Any:
    """C = A B: `rows` (1 .. MOST_ROWS) rows, two vectors of columns, all held in registers.

    A: element (i, k) at a[a_at + k // lanes * a_step + i * lanes + k % lanes].
    B: row k's two vectors at b[b_at + 2 k lanes:].
    C: row i's first vector at c[c_at + i * lanes:], the second at c[c_at + c_step + i * lanes:].
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        rows, depth, a, a_at, a_step, b, b_at, c, c_at, c_step = arguments
        simd = VectorBuilder(context, builder, kinds[2])
        lanes = simd.lanes
        a_first, b_first = simd.address(kinds[2], a, a_at), simd.address(kinds[5], b, b_at)
        c_first = simd.address(kinds[7], c, c_at)

        def multiply(rows: int) -> None:
            def along_depth(k: Any, sums: Any) -> list[Any]:
                block = simd.after(a_first, builder.mul(builder.udiv(k, INDEX(lanes)), a_step))
                numbers = simd.after(block, builder.urem(k, INDEX(lanes)))
                b_row = simd.after(b_first, builder.mul(k, INDEX(2 * lanes)))
                columns = [simd.load(b_row), simd.load(simd.after(b_row, lanes))]
                new = []
                for i in range(rows):
                    number = simd.broadcast(builder.load(simd.after(numbers, i * lanes)))
                    new += [simd.multiply_add(number, columns[j], sums[2 * i + j]) for j in (0, 1)]
                return new

            sums = simd.loop(depth, [simd.constant(0.0)] * (2 * rows), along_depth)
            for i in range(rows):
                place = simd.after(c_first, i * lanes)
                simd.store(sums[2 * i], place)
                simd.store(sums[2 * i + 1], simd.after(place, c_step))

        finish = builder.append_basic_block("finish")
        switch = builder.switch(rows, finish)
        for count in range(1, MOST_ROWS + 1):
            case = builder.append_basic_block(f"rows{count}")
            switch.add_case(INDEX(count), case)
            builder.position_at_end(case)
            multiply(count)
            builder.branch(finish)
        builder.position_at_end(finish)
        return context.get_dummy_value()

    index = types.intp
    return types.void(index, index, a, index, index, b, index, c, index, index), emit


# --- what Python does around them


def _u_step(channels: int, outputs: int, lanes: int) -> int:
    """Elements from one position of U to the next.

    Here as in V and M one vector more than needed: at a distance of a power of two all positions would fall
    into the same few sets of the caches.
    """
    return -(-outputs // (2 * lanes)) * channels * 2 * lanes + lanes


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
    step = _u_step(channels, outputs, lanes_of(weight.dtype))
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


@lru_cache(maxsize=4096)
def plan_for(
    shape: Shape4,
    dtype: np.dtype[Any],
    m: int,
    groups: int,
    outputs: int,
    before: Pair,
    size: Pair,
    threads: int,
) -> tuple[Plan, Array, int]:
    """Return the plan for an input (N, C, H, W) and `outputs` channels per group, and its number of tasks.

    Between them stands the plan as kernels take it.
    """
    batch, channels, height, width = shape[0], shape[1] // groups, shape[2], shape[3]
    lanes = lanes_of(dtype)
    tile_rows, tile_columns = -(-size[0] // m), -(-size[1] // m)
    tiles = batch * tile_rows * tile_columns
    blocks, pairs = -(-channels // lanes), -(-outputs // (2 * lanes))
    per_tile = (m + 2) ** 2 * (blocks + 2 * pairs) * lanes * dtype.itemsize
    work = tiles * (m + 2) ** 2 * channels * 2 * pairs
    tasks = max(1, min(threads, work // SMALLEST_TASK, MOST_SCRATCH // per_tile))
    most = max(1, min(max(SMALLEST_CHUNK, CHUNK_BYTES // per_tile), MOST_SCRATCH // (tasks * per_tile)))
    parts = min(tasks, pairs) if tiles < FEW_TILES * tasks else 1
    chunks = -(-tiles // most)
    if parts == 1:
        chunks = -(-chunks // tasks) * tasks
    chunk = -(-tiles // chunks)
    plan = Plan(
        *(m, groups, channels, height, width, outputs, *size, *before),
        *(tile_rows, tile_columns, tiles, chunks, parts, chunk),
        *((blocks * chunk + 1) * lanes, (2 * pairs * chunk + 1) * lanes, _u_step(channels, outputs, lanes)),
    )
    return plan, np.array(plan, np.int64), tasks


# --- the versions and the choice between them


def announce_winograd() -> None:
    """Enter F(2x2, 3x3) and F(4x4, 3x3) into the ladders of the forward pass and of the input's gradient."""
    for m in (2, 4):
        _announce(m)


def _announce(m: int) -> None:
    name, idea = (
        f"winograd_{m}x{m}",
        f"F({m}x{m}, 3x3): {9 * m * m / (m + 2) ** 2:g} times fewer multiplications",
    )

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
            *((window.padding[0][0], window.padding[1][0]), window.output_size(x.shape[2:])),
            *(clamp or CLAMPS[None]),
        )
        return y if clamp else activate(y, activation)

    def backward_input(
        grad_output: Array, weight: Array, input_shape: Sequence[int], window: Window, groups: int
    ) -> Array:
        """The convolution of dy with the filters turned round, from output channels to input channels."""
        u = transformed_filters(weight, m, groups, turned=True)
        before = (TAPS - 1 - window.padding[0][0], TAPS - 1 - window.padding[1][0])
        size = (input_shape[2], input_shape[3])
        return convolution(grad_output, u, None, m, groups, input_shape[1], before, size)

    announce_version(
        *(name, idea, pack, run),
        fits=lambda weight_shape, input_shape, window, groups: has_winograd(window),
        pays=lambda weight_shape, input_shape, window, groups: (
            fills_vectors(weight_shape[0], input_shape[1], groups)
            and best_tile(window.output_size(input_shape[2:])) == m
        ),
        pays_cold=lambda weight_shape, input_shape, window, groups: (
            fills_vectors(weight_shape[0], input_shape[1], groups)
            and best_tile_cold(input_shape[0], window.output_size(input_shape[2:])) == m
        ),
        default_types=DEFAULT_TYPES,
    )
    implements(
        conv2d_backward_input,
        name,
        idea,
        backend="cpu",
        fits=lambda grad_output, weight, input_shape, window, groups: (
            grad_output.dtype in TYPES and has_winograd(window)
        ),
        pays=lambda grad_output, weight, input_shape, window, groups: (
            grad_output.dtype in DEFAULT_TYPES
            and fills_vectors(weight.shape[0], input_shape[1], groups)
            and best_tile_cold(input_shape[0], (input_shape[2], input_shape[3])) == m
        ),
    )(backward_input)


# float64 is asked for where every digit counts, as in gradient checks: there the direct algorithm stays.
DEFAULT_TYPES = (np.dtype(np.float32),)
# With fewer channels per group the vectors are nearly empty, and the direct algorithm is faster.
FEWEST_CHANNELS = 16
# With fewer outputs per channel the larger tile's filters take longer to transform than they save.
FEWEST_COLD = 256


def has_winograd(window: Window) -> bool:
    """Whether the window is one that Winograd's algorithm is written for here."""
    return window.kernel == (TAPS, TAPS) and window.stride == window.dilation == (1, 1)


def fills_vectors(outputs: int, channels: int, groups: int) -> bool:
    """Whether there are enough output and input channels for the default."""
    return min(outputs, channels) // groups >= FEWEST_CHANNELS


def best_tile(size: Pair) -> int:
    """Return the m that needs fewer multiplications for output planes of a size (the last tiles overhang)."""
    needed = {m: -(-size[0] // m) * -(-size[1] // m) * (m + 2) ** 2 for m in (4, 2)}
    return min(needed, key=needed.__getitem__)


def best_tile_cold(batch: int, size: Pair) -> int:
    """Return the best m when the filters are transformed for this one run.

    Both their transform and the products grow with the channels' product, so the number of outputs decides.
    """
    return 2 if batch * size[0] * size[1] < FEWEST_COLD else best_tile(size)
