"""The weight's gradient by Winograd's algorithm, F(3x3, 4x4): dy is the filter, the gradient the output.

A 3x3 filter's gradient is the correlation of the input with dy. Cut dy into tiles of m x m numbers; each is a
filter of m x m taps over a tile of (m + 2)^2 numbers of the input, and the sum over all tiles can be taken
between the transforms:

    V[position, c, tile] = (B^T d B)[position]          the input's transform, as in the forward pass
    D[position, o, tile] = (G dy G^T)[position]         the same points, m taps
    Z[position, o, c] = sum_tile D[position, o, tile] V[position, c, tile]     a matrix product per position
    dw[o, c] = A^T Z A

For m = 4 that is 36 multiplications where the direct algorithm has 9 * 16: 4 times less.

Z of a large layer does not fit the scratch memory; it is made for one slice of the output channels after the
other, and for each slice the tiles are taken in chunks. Every step is done by all tasks together: the
transforms of tiles are split by tiles, the products by positions and output channels, the last transform by
output channels. Each number of Z is the sum over the tiles in their order, whatever the chunks and tasks.

Errors: |error| <= 2 sqrt(N OH OW) eps max |dw| (on random numbers).

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, section 4.2:
F(3x3, 4x4) has the points of F(4x4, 3x3).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import Array, Shape4
from kernels.conv2d import conv2d_backward_weight
from kernels.conv2d.cpu_winograd import fills_vectors
from kernels.conv2d.cpu_winograd_plan import Plan, ceil_divide, plan_of, tile_place
from kernels.conv2d.cpu_winograd_steps import bits_between, transform_inputs
from kernels.conv2d.cpu_winograd_transforms import make_transform_gradient, make_transform_sums
from kernels.conv2d.versions import TYPES
from kernels.conv2d.winograd import DEFAULT_TYPES, TAPS, has_winograd
from kernels.cpu.compilation import compiled, contiguous, parallel, tasks_for
from kernels.cpu.records import as_numbers
from kernels.cpu.simd import INDEX, REGISTERS, VectorBuilder, lanes_of, vector_lanes
from kernels.memory import empty
from kernels.registry import implements
from kernels.window import Pair, Window

M = 4
POSITIONS = (M + TAPS - 1) ** 2
# Rows of Z whose sums the registers hold, two vectors of input channels each.
ROWS = 8 if REGISTERS == 32 else 4
# Bytes that Z's slice may take, and V and D of a chunk of tiles.
SLICE_BYTES = 5 * 2**20
CHUNK_BYTES = 9 * 2**20

# With a smaller N OH OW C O the three steps' launches cost more than the multiplications that they save.
SMALLEST_LAYER = 500_000

# The steps of `correlate`.
TRANSFORM, MULTIPLY, FINISH = 0, 1, 2

transform_gradient, transform_sums = make_transform_gradient(M), make_transform_sums(M)


@intrinsic
def _add_products(
    typing_context: Any,
    depth: Any,
    a: Any,
    a_at: Any,
    b: Any,
    b_at: Any,
    b_step: Any,
    c: Any,
    c_at: Any,
    c_row: Any,
    begin: Any,
) -> Any:
    """C = A B + C, or A B to begin: ROWS rows (or as many as a vector has lanes), two vectors of columns.

    A: element (i, k) at a[a_at + k lanes + i]. C: rows c_row apart.
    B: row k's first vector at b[b_at + k lanes:], the second b_step further on.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        depth, a, a_at, b, b_at, b_step, c, c_at, c_row, begin = arguments
        simd = VectorBuilder(context, builder, kinds[1])
        a_first, b_first = simd.address(kinds[1], a, a_at), simd.address(kinds[3], b, b_at)
        c_first = simd.address(kinds[6], c, c_at)
        rows = min(ROWS, simd.lanes)
        places = [
            simd.after(simd.after(c_first, builder.mul(c_row, INDEX(i))), j * simd.lanes)
            for i in range(rows)
            for j in (0, 1)
        ]
        before = [builder.select(begin, simd.constant(0.0), simd.load(place)) for place in places]

        def along_depth(k: Any, sums: Any) -> list[Any]:
            at = builder.mul(k, INDEX(simd.lanes))
            numbers, b_row = simd.after(a_first, at), simd.after(b_first, at)
            columns = [simd.load(b_row), simd.load(simd.after(b_row, b_step))]
            new = []
            for i in range(rows):
                number = simd.broadcast(builder.load(simd.after(numbers, i)))
                new += [simd.multiply_add(number, columns[j], sums[2 * i + j]) for j in (0, 1)]
            return new

        for total, place in zip(simd.loop(depth, before, along_depth), places, strict=True):
            simd.store(total, place)
        return context.get_dummy_value()

    index = types.intp
    return types.void(index, a, index, b, index, index, c, index, index, types.boolean), emit


@parallel
def correlate(
    task: int,
    tasks: int,
    step: int,
    numbers: Any,
    group: int,
    first: int,
    last: int,
    first_output: int,
    last_output: int,
    with_input: bool,
    x: Any,
    grad_output: Any,
    v: Any,
    d: Any,
    z: Any,
    grad_weight: Any,
) -> None:
    """One step (TRANSFORM, MULTIPLY or FINISH) for a chunk of tiles and a slice of output channels.

    numbers: the plan. with_input: whether V is to be made, too; else it is still there.
    """
    plan = plan_of(numbers)
    lanes, outputs = vector_lanes(x), last_output - first_output
    if step == TRANSFORM:
        start = first + (last - first) * task // tasks
        end = first + (last - first) * (task + 1) // tasks
        if with_input:
            transform_inputs(plan, group, start, end, x, v, (start - first) * lanes)
        _transform_gradients(
            plan, group, start, end, first_output, last_output, grad_output, d, (start - first) * lanes
        )
    elif step == MULTIPLY:
        blocks = ceil_divide(outputs, min(ROWS, lanes))
        jobs = POSITIONS * blocks
        for job in range(jobs * task // tasks, jobs * (task + 1) // tasks):
            position, o = job // blocks, job % blocks * min(ROWS, lanes)
            _multiply(plan, position, o, last - first, first == 0, v, d, z)
    else:
        for o in range(outputs * task // tasks, outputs * (task + 1) // tasks):
            _transform_sums(plan, group * plan.outputs + first_output + o, o, z, grad_weight)


@compiled(borrowing=True)
def _transform_gradients(
    plan: Plan,
    group: int,
    first: int,
    last: int,
    first_output: int,
    last_output: int,
    grad_output: Any,
    d: Any,
    d_at: int,
) -> None:
    """Write D of the tiles from `first` to before `last`, for a slice of output channels."""
    lanes = vector_lanes(d)
    plane = plan.out_height * plan.out_width
    for o in range(first_output, last_output, lanes):
        target = d_at + (o - first_output) * plan.chunk
        for tile in range(first, last):
            n, row, column = tile_place(plan, tile)
            source = ((n * plan.groups + group) * plan.outputs + o) * plane + row * plan.out_width + column
            visible = bits_between(0, min(M, plan.out_width - column))
            transform_gradient(
                *(grad_output, source, last_output - o, plane, plan.out_width),
                *(0, plan.out_height - row, visible, d, target, plan.m_step),
            )
            target += lanes


@compiled(borrowing=True)
def _multiply(plan: Plan, position: int, o: int, tiles: int, begin: bool, v: Any, d: Any, z: Any) -> None:
    """Z = D V + Z, or D V to begin, at one position for ROWS output channels from `o` of the slice on."""
    lanes = vector_lanes(v)
    pairs = ceil_divide(plan.channels, 2 * lanes)
    z_row = 2 * pairs * lanes
    d_at = position * plan.m_step + o // lanes * plan.chunk * lanes + o % lanes
    for pair in range(pairs):
        second = plan.chunk * lanes if (2 * pair + 1) * lanes < plan.channels else 0
        _add_products(
            *(tiles, d, d_at),
            *(v, position * plan.v_step + 2 * pair * plan.chunk * lanes, second),
            *(z, position * plan.u_step + o * z_row + 2 * pair * lanes, z_row, begin),
        )


@compiled(borrowing=True)
def _transform_sums(plan: Plan, output: int, o: int, z: Any, grad_weight: Any) -> None:
    """dw of one output channel, number `o` of the slice."""
    lanes = vector_lanes(z)
    z_row = ceil_divide(plan.channels, 2 * lanes) * 2 * lanes
    to = output * plan.channels * TAPS * TAPS
    for c in range(0, plan.channels, lanes):
        transform_sums(
            *(z, o * z_row + c, plan.u_step), *(grad_weight, to + c * TAPS * TAPS, plan.channels - c)
        )


def weight_gradient(grad_output: Array, x: Array, window: Window, groups: int) -> Array:
    """Return dw (O, C / G, 3, 3) of dy (N, O, OH, OW) and x (N, C, H, W), whatever their channels."""
    grad_output, x = contiguous(grad_output), contiguous(x)
    grad_weight = empty((grad_output.shape[1], x.shape[1] // groups, TAPS, TAPS), x.dtype)
    if grad_output.size == 0:
        grad_weight[:] = 0
        return grad_weight
    before = (window.padding[0][0], window.padding[1][0])
    plan, numbers, slice_outputs = plan_for(x.shape, x.dtype, groups, grad_output.shape, before)
    v, d, z = (empty(POSITIONS * step, x.dtype) for step in (plan.v_step, plan.m_step, plan.u_step))
    arrays = x.reshape(-1), grad_output.reshape(-1), v, d, z, grad_weight.reshape(-1)
    tasks = tasks_for(plan.tiles * POSITIONS * plan.channels * plan.outputs // lanes_of(x.dtype))
    for group in range(groups):
        for first_output in range(0, plan.outputs, slice_outputs):
            last_output = min(first_output + slice_outputs, plan.outputs)
            for part in range(plan.chunks):
                tiles = plan.tiles * part // plan.chunks, plan.tiles * (part + 1) // plan.chunks
                with_input = plan.chunks > 1 or first_output == 0
                work = group, *tiles, first_output, last_output, with_input
                correlate(tasks, TRANSFORM, numbers, *work, *arrays)
                correlate(tasks, MULTIPLY, numbers, *work, *arrays)
            correlate(tasks, FINISH, numbers, *work, *arrays)
    return grad_weight


@lru_cache(maxsize=4096)
def plan_for(
    shape: Shape4, dtype: np.dtype[Any], groups: int, out_shape: Shape4, before: Pair
) -> tuple[Plan, Array, int]:
    """Return the plan for an input and an output of these shapes, and how many outputs a slice of Z has.

    Between them stands the plan as kernels take it. Its m_step and u_step are those of D and Z.
    """
    batch, channels, outputs = shape[0], shape[1] // groups, out_shape[1] // groups
    lanes = lanes_of(dtype)
    tile_rows, tile_columns = -(-out_shape[2] // M), -(-out_shape[3] // M)
    tiles = batch * tile_rows * tile_columns
    blocks, z_row = -(-channels // lanes), -(-channels // (2 * lanes)) * 2 * lanes
    vector = POSITIONS * lanes * dtype.itemsize
    slices = -(-outputs // (lanes * max(1, SLICE_BYTES // (vector * z_row))))
    out_blocks = -(-outputs // (slices * lanes))
    chunks = -(-tiles // max(1, CHUNK_BYTES // (vector * (blocks + out_blocks))))
    chunk = -(-tiles // chunks)
    plan = Plan(
        *(M, groups, channels, shape[2], shape[3], outputs, out_shape[2], out_shape[3], *before),
        *(tile_rows, tile_columns, tiles, chunks, 1, chunk),
        *((blocks * chunk + 1) * lanes, (out_blocks * chunk + 1) * lanes, (out_blocks * z_row + 1) * lanes),
    )
    return plan, as_numbers(plan), out_blocks * lanes


def announce_winograd_weight() -> None:
    """Enter it into the ladder of the weight's gradient."""
    implements(
        conv2d_backward_weight,
        f"winograd_{M}x{M}",
        f"F(3x3, {M}x{M}): dy's tiles are the filters, {9 * M * M / POSITIONS:g} times fewer multiplications",
        backend="cpu",
        fits=lambda grad_output, x, window, groups: x.dtype in TYPES and has_winograd(window),
        pays=lambda grad_output, x, window, groups: (
            has_winograd(window)
            and x.dtype in DEFAULT_TYPES
            and fills_vectors(grad_output.shape[1], x.shape[1], groups)
            and grad_output.size * x.shape[1] // groups >= SMALLEST_LAYER
        ),
    )(weight_gradient)
