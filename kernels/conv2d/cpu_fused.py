"""The convolution as a matrix product whose right-hand side is gathered on the way: the kernel and its parts.

    Y[o, column] = sum_k W[o, k] X[k, column],   k = (c, p, q), column = (n, i, j)

X is never built. The columns are taken in panels of a tile's width; of a panel, a block of X's rows at a
time is gathered into memory that stays in the cache, and all rows of W that a task has run over
it. The columns of the whole batch are numbered through, so that a panel may hold the end of one image and the
start of the next.

A panel's columns fall into chunks: at most a vector's length, all within one output row. For a tap (p, q), a
chunk is a piece of an input row, and what of it lies in the padding is masked out of one vector load. Which
row it is depends on p alone, which columns, and the mask, on q: two small tables per panel.

Sources: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", IWFHR 2006, section 3.1, for the product; Goto and van de Geijn (see `kernels/cpu/gemm.py`) for
the blocks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.cpu import endings
from kernels.cpu.compilation import compiled, parallel
from kernels.cpu.endings import end_with
from kernels.cpu.gemm import NARROW, ROWS, STRIP_ROWS, columns_of_tile, pack_rows, strip
from kernels.cpu.simd import INDEX, VectorBuilder, copy_partial, store_partial, vector_lanes

# Rows of X gathered at once: a panel then takes 150 KB of a second-level cache. Fewer would stay in the first
# level, but what begins and ends a tile would cost more than that gains.
BLOCK_DEPTH = 768
# Panels that take turns for one block of W, which so is read less often from farther away.
PANELS = 6

# Activations that a tile's clamp cannot do, by the code that a kernel is told; 0 is none.
CLAMPED = ("relu", "relu6")
CODES = {name: code for name, code in endings.CODES.items() if name not in CLAMPED}


@compiled
def activate(code: int, y: Any, at: int, step: int, rows: int, columns: int) -> None:
    """Apply an activation of CODES to `rows` rows of `columns` elements, `step` apart."""
    for i in range(rows):
        end_with(code, y[at + i * step : at + i * step + columns])


class Geometry(NamedTuple):
    """The numbers that `convolve` is told, as an array.

    Attributes:
        batch: images N.
        groups: groups G.
        channels: input channels C of a group.
        outputs: output channels O of a group.
        height, width: of x.
        out_height, out_width: of y.
        kernel_height, kernel_width: KH and KW.
        stride_down, stride_across: SH and SW.
        top, left: padding before the first row and column.
        dilation_down, dilation_across: DH and DW.
    """

    batch: int
    groups: int
    channels: int
    outputs: int
    height: int
    width: int
    out_height: int
    out_width: int
    kernel_height: int
    kernel_width: int
    stride_down: int
    stride_across: int
    top: int
    left: int
    dilation_down: int
    dilation_across: int


# ---- gathering ----------------------------------------------------------------------------------


def _make_load(stride: int) -> Any:
    """Return the intrinsic that copies every `stride`-th element (1, 2 or 4) of a masked span."""

    def load_span(
        typing_context: Any, target: Any, target_at: Any, source: Any, source_at: Any, mask: Any
    ) -> Any:
        """One vector to target[i:]: of `stride` vectors at source[j:], every stride-th element.

        Bit b of the mask says whether source[j + b] is read; what is not is zero.
        """

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target, target_at, source, source_at, mask = arguments
            simd = VectorBuilder(context, builder, signature.args[0])
            first = simd.address(signature.args[2], source, source_at)
            vectors = []
            for i in range(stride):
                bits = builder.trunc(builder.lshr(mask, INDEX(i * simd.lanes)), ir.IntType(simd.lanes))
                vectors.append(simd.load_masked(simd.after(first, i * simd.lanes), bits))
            while len(vectors) > 1:
                vectors = [
                    simd.shuffle(vectors[i], vectors[i + 1], range(0, 2 * simd.lanes, 2))
                    for i in range(0, len(vectors), 2)
                ]
            simd.store(vectors[0], simd.address(signature.args[0], target, target_at))
            return context.get_dummy_value()

        return types.void(target, types.intp, source, types.intp, types.intp), emit

    return intrinsic(load_span)


_load, _load_every_second, _load_every_fourth = (_make_load(stride) for stride in (1, 2, 4))


@compiled
def span(stride: int) -> int:
    """How many elements of the input one of the output takes in a mask."""
    return stride if stride == 2 or stride == 4 else 1


@compiled
def plan_panel(
    first: int,
    columns: int,
    lanes: int,
    image: int,
    size: Any,
    out_width: int,
    positions: int,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    targets: Any,
    row_offsets: Any,
    row_masks: Any,
    column_offsets: Any,
    column_masks: Any,
) -> int:
    """Fill the tables of the panel that begins with column `first`, and return its number of chunks.

    targets[chunk]: where in the panel it begins. row_*[p, chunk]: offset of the input row from its channel's
    first plane, and whether it lies in the image (-1 or 0). column_*[q, chunk]: offset in the row, and the
    mask of what lies in the image.
    """
    chunk = 0
    done = 0
    width = span(stride[1])
    while done < columns:
        n = (first + done) // positions
        position = first + done - n * positions
        i = position // out_width
        j = position - i * out_width
        length = min(lanes, out_width - j, columns - done)
        targets[chunk] = done
        for p in range(kernel[0]):
            row = i * stride[0] + p * dilation[0] - padding[0]
            row_offsets[p, chunk] = n * image + row * size[1]
            row_masks[p, chunk] = -1 if 0 <= row < size[0] else 0
        for q in range(kernel[1]):
            column = j * stride[1] + q * dilation[1] - padding[1]
            begin = min(length, max(0, (stride[1] - 1 - column) // stride[1]))
            end = max(begin, min(length, (size[1] - 1 - column) // stride[1] + 1))
            column_offsets[q, chunk] = column
            column_masks[q, chunk] = 0
            if end > begin:
                column_masks[q, chunk] = (1 << ((end - 1) * width + 1)) - (1 << (begin * width))
        chunk += 1
        done += length
    return chunk


@compiled
def gather(
    x: Any,
    x_at: int,
    plane: int,
    kernel: Any,
    stride: int,
    first: int,
    last: int,
    chunks: int,
    targets: Any,
    row_offsets: Any,
    row_masks: Any,
    column_offsets: Any,
    column_masks: Any,
    panel: Any,
) -> None:
    """Write rows first .. last - 1 of X into the panel, for the columns that the tables say."""
    width = columns_of_tile(x)
    lanes = vector_lanes(x)
    taps = kernel[0] * kernel[1]
    c = first // taps
    p = (first - c * taps) // kernel[1]
    q = first - c * taps - p * kernel[1]
    for k in range(first, last):
        base = x_at + c * plane
        to = (k - first) * width
        for chunk in range(chunks):
            at = base + row_offsets[p, chunk] + column_offsets[q, chunk]
            mask = row_masks[p, chunk] & column_masks[q, chunk]
            target = to + targets[chunk]
            if stride == 1:
                _load(panel, target, x, at, mask)
            elif stride == 2:
                _load_every_second(panel, target, x, at, mask)
            elif stride == 4:
                _load_every_fourth(panel, target, x, at, mask)
            else:
                for lane in range(lanes):
                    panel[target + lane] = x[at + lane * stride] if (mask >> lane) & 1 else 0
        q += 1
        if q == kernel[1]:
            q = 0
            p += 1
            if p == kernel[0]:
                p = 0
                c += 1


# ---- panels that lie in several images -------------------------------------------------------------


@compiled
def collect(
    spread: Any, y: Any, y_at: int, image: int, positions: int, first: int, rows: int, columns: int
) -> None:
    """Copy a tile's columns from the images they belong to into `spread`, where they lie together.

    A row of `spread` ends with room for a vector, for whole vectors are written and read there.
    """
    lanes = vector_lanes(y)
    row = columns_of_tile(y) + lanes
    done = 0
    while done < columns:
        n = (first + done) // positions
        position = first + done - n * positions
        length = min(positions - position, columns - done)
        for i in range(rows):
            start = y_at + n * image + i * positions + position
            for j in range(0, length, lanes):
                copy_partial(spread, i * row + done + j, y, start + j, length - j, spread.dtype.type(0))
        done += length


@compiled
def distribute(
    spread: Any, y: Any, y_at: int, image: int, positions: int, first: int, rows: int, columns: int
) -> None:
    """Copy a tile's columns out of `spread` to the images they belong to."""
    lanes = vector_lanes(y)
    row = columns_of_tile(y) + lanes
    done = 0
    while done < columns:
        n = (first + done) // positions
        position = first + done - n * positions
        length = min(positions - position, columns - done)
        for i in range(rows):
            start = y_at + n * image + i * positions + position
            for j in range(0, length, lanes):
                store_partial(y, start + j, spread, i * row + done + j, length - j)
        done += length


@compiled
def share(columns: int, lanes: int, part: int, parts: int) -> int:
    """The first column of a part: as many columns for each as whole vectors allow."""
    vectors = (columns + lanes - 1) // lanes
    return min(columns, vectors * part // parts * lanes)


# ---- the kernel ------------------------------------------------------------------------------------


@parallel
def convolve(
    task: int,
    tasks: int,
    across: int,
    in_place: bool,
    x: Any,
    packed: Any,
    biased: bool,
    bias: Any,
    y: Any,
    geometry: Any,
    low: Any,
    high: Any,
    code: int,
) -> None:
    """y = f(W X + b) for x (N, G C, H, W) and y (N, G O, OH, OW), both flat.

    The tasks form a grid: `across` of them share the columns, the others the rows of W.

    Args:
        task: which of the tasks.
        tasks: how many.
        across: into how many parts the columns are cut; divides `tasks`.
        in_place: whether X is x itself (1x1, no stride, no padding), whose rows need no gathering.
        x: the input.
        packed: W as `pack` leaves it.
        biased: whether there is a bias.
        bias: one number per output channel; without a bias STRIP_ROWS zeros.
        y: the output.
        geometry: the numbers of `Geometry`, in its order.
        low: lower bound of y, minus infinity for none.
        high: upper bound of y.
        code: an activation of CODES, or 0.
    """
    batch, groups, channels, outputs = geometry[0], geometry[1], geometry[2], geometry[3]
    size, out_size = (geometry[4], geometry[5]), (geometry[6], geometry[7])
    kernel, stride = (geometry[8], geometry[9]), (geometry[10], geometry[11])
    padding, dilation = (geometry[12], geometry[13]), (geometry[14], geometry[15])
    width = columns_of_tile(x)
    lanes = vector_lanes(x)
    plane, positions = size[0] * size[1], out_size[0] * out_size[1]
    image, out_image = groups * channels * plane, groups * outputs * positions
    depth = channels * kernel[0] * kernel[1]
    parts = (depth + BLOCK_DEPTH - 1) // BLOCK_DEPTH
    group_blocks = (outputs + ROWS - 1) // ROWS
    blocks, columns_in_all = groups * group_blocks, batch * positions

    down = tasks // across
    first_block, last_block = blocks * (task // across) // down, blocks * (task // across + 1) // down
    first_column = share(columns_in_all, lanes, task % across, across)
    end_column = share(columns_in_all, lanes, task % across + 1, across)
    panels = (end_column - first_column + width - 1) // width

    chunks = np.empty(PANELS, np.intp)
    targets = np.empty((PANELS, width), np.intp)
    row_offsets = np.empty((PANELS, kernel[0], width), np.intp)
    row_masks = np.empty((PANELS, kernel[0], width), np.intp)
    column_offsets = np.empty((PANELS, kernel[1], width), np.intp)
    column_masks = np.empty((PANELS, kernel[1], width), np.intp)
    panel = np.empty((depth // parts + 1) * width + lanes, x.dtype)
    spill = np.empty(NARROW * STRIP_ROWS, x.dtype)
    spread = np.empty(STRIP_ROWS * (width + lanes), x.dtype)
    no_bound = x.dtype.type(np.inf)

    rounds = (panels + PANELS - 1) // PANELS
    for turn in range(rounds):
        start, end = panels * turn // rounds, panels * (turn + 1) // rounds
        for number in range(start, end):
            s = number - start
            first = first_column + number * width
            chunks[s] = plan_panel(
                *(first, min(width, end_column - first), lanes, image, size, out_size[1], positions),
                *(kernel, stride, padding, dilation, targets[s]),
                *(row_offsets[s], row_masks[s], column_offsets[s], column_masks[s]),
            )
        for group in range(first_block // group_blocks, (last_block + group_blocks - 1) // group_blocks):
            group_first = max(first_block, group * group_blocks)
            group_last = min(last_block, (group + 1) * group_blocks)
            for part in range(parts):
                k, k_end = depth * part // parts, depth * (part + 1) // parts
                last_part = part == parts - 1
                lower = low if last_part else -no_bound
                upper = high if last_part else no_bound
                for number in range(start, end):
                    s = number - start
                    first = first_column + number * width
                    columns = min(width, end_column - first)
                    n = first // positions
                    position = first - n * positions
                    together = position + columns <= positions
                    if in_place and together and columns == width:
                        b, b_at, b_row = x, n * image + (group * channels + k) * plane + position, plane
                    else:
                        b, b_at, b_row = panel, 0, width
                        gather(
                            *(x, group * channels * plane, plane, kernel, stride[1], k, k_end, chunks[s]),
                            *(targets[s], row_offsets[s], row_masks[s], column_offsets[s], column_masks[s]),
                            panel,
                        )
                    for block in range(group_first, group_last, 2):
                        own = block - group * group_blocks
                        rows = min(STRIP_ROWS, outputs - own * ROWS, (group_last - block) * ROWS)
                        o = group * outputs + own * ROWS
                        y_at = o * positions
                        bias_at = o if biased else 0
                        a_at = ((group * depth + k) * group_blocks + own * (k_end - k)) * ROWS
                        if together:
                            c, c_at, c_row = y, n * out_image + y_at + position, positions
                        else:
                            c, c_at, c_row = spread, 0, width + lanes
                            if part > 0:
                                collect(spread, y, y_at, out_image, positions, first, rows, columns)
                        strip(
                            *(
                                k_end - k,
                                packed,
                                a_at,
                                b,
                                b_at,
                                b_row,
                                c,
                                c_at,
                                c_row,
                                rows,
                                columns,
                                part > 0,
                            ),
                            *(bias, bias_at, lower, upper, spill),
                        )
                        if code and last_part:
                            activate(code, c, c_at, c_row, rows, columns)
                        if not together:
                            distribute(spread, y, y_at, out_image, positions, first, rows, columns)


@parallel
def pack(task: int, tasks: int, weight: Any, groups: int, outputs: int, depth: int, packed: Any) -> None:
    """Pack a flat weight (G O, K) for `convolve`.

    For every group and every part of the depth, blocks of ROWS rows: what is read in turn lies in turn.
    """
    group_blocks = (outputs + ROWS - 1) // ROWS
    blocks = groups * group_blocks
    parts = (depth + BLOCK_DEPTH - 1) // BLOCK_DEPTH
    for block in range(blocks * task // tasks, blocks * (task + 1) // tasks):
        group = block // group_blocks
        own = block - group * group_blocks
        first = (group * outputs + own * ROWS) * depth
        rows = min(ROWS, outputs - own * ROWS)
        for part in range(parts):
            k, k_end = depth * part // parts, depth * (part + 1) // parts
            at = ((group * depth + k) * group_blocks + own * (k_end - k)) * ROWS
            pack_rows(weight, first + k, rows, k_end - k, depth, 1, packed, at)
