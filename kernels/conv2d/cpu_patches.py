"""Products with a convolution's columns that are not built but read out of patches: the tile and the patches.

A patch is a piece of the planes with its padding written out. The element for position p and tap k lies at

    patch[start of p + offset of k]

for any stride and dilation, so that two small tables replace the matrix of columns. The tile holds ROWS
rows times a few vectors of columns in registers; for every step it broadcasts one number per row out of the
patch and multiplies them with a row of a matrix, the panel:

    result[i, :] += sum_k patch[starts[i] + offsets[k]] panel[k, :]

The weight's gradient lets k run over positions and i over taps, the input's gradient the other way round.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import types
from numba.extending import intrinsic

from kernels.cpu.compilation import compiled
from kernels.cpu.gemm import ROWS, VECTORS, add_outer_product
from kernels.cpu.simd import INDEX, VectorBuilder, copy_partial, fill_vector, vector_lanes


def _make_add_tile(vectors: int) -> Any:
    """Return the intrinsic for tiles of ROWS rows and `vectors` vectors of columns."""

    def add_vectors(
        typing_context: Any,
        steps: Any,
        patch: Any,
        starts: Any,
        starts_at: Any,
        offsets: Any,
        offsets_at: Any,
        panel: Any,
        panel_at: Any,
        result: Any,
        result_at: Any,
        places: Any,
        places_at: Any,
    ) -> Any:
        """As `add_tile`, for `vectors` vectors."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            steps, patch, starts, starts_at, offsets, offsets_at = arguments[:6]
            panel, panel_at, result, result_at, places, places_at = arguments[6:]
            simd = VectorBuilder(context, builder, kinds[1])
            patch_first = simd.address(kinds[1], patch, INDEX(0))
            first_start = simd.address(kinds[2], starts, starts_at)
            rows = [simd.after(patch_first, builder.load(simd.after(first_start, i))) for i in range(ROWS)]
            first_offset = simd.address(kinds[4], offsets, offsets_at)
            panel_first = simd.address(kinds[6], panel, panel_at)
            result_first = simd.address(kinds[8], result, result_at)
            first_place = simd.address(kinds[10], places, places_at)
            width = INDEX(vectors * simd.lanes)

            def step(k: Any, sums: Any) -> list[Any]:
                offset = builder.load(simd.after(first_offset, k))
                row_of_panel = simd.after(panel_first, builder.mul(k, width))
                columns = [simd.load(simd.after(row_of_panel, j * simd.lanes)) for j in range(vectors)]
                return add_outer_product(simd, (simd.after(row, offset) for row in rows), columns, sums)

            totals = simd.loop(steps, [simd.constant(0.0)] * (ROWS * vectors), step)
            for i in range(ROWS):
                place = builder.load(simd.after(first_place, i))
                start = simd.after(result_first, builder.mul(place, width))
                for j in range(vectors):
                    place = simd.after(start, j * simd.lanes)
                    simd.store(builder.fadd(simd.load(place), totals[i * vectors + j]), place)
            return context.get_dummy_value()

        index = types.intp
        return types.void(
            *(index, patch, starts, index, offsets, index, panel, index, result, index, places, index)
        ), emit

    return intrinsic(add_vectors)


_one_vector, _two_vectors, _three_vectors = (_make_add_tile(vectors) for vectors in range(1, VECTORS + 1))


@compiled(borrowing=True)
def add_tile(
    vectors: int,
    steps: int,
    patch: Any,
    starts: Any,
    starts_at: int,
    offsets: Any,
    offsets_at: int,
    panel: Any,
    panel_at: int,
    result: Any,
    result_at: int,
    places: Any,
    places_at: int,
) -> None:
    """result[i, :] += sum_k patch[starts[i] + offsets[k]] panel[k, :] for ROWS rows i; summed up, then added.

    The length of the rows is part of the code: with a variable one LLVM runs out of registers.

    Args:
        vectors: vectors of columns, 1 .. VECTORS.
        steps: how many k, at least 1.
        patch: the numbers to broadcast.
        starts: for every row, from starts[starts_at] on.
        offsets: for every step, from offsets[offsets_at] on.
        panel: `steps` rows end to end from panel[panel_at] on.
        result: its rows lie end to end from result[result_at] on.
        places: the tile's row i is the result's row places[places_at + i]; no two are the same.
    """
    if vectors == 3:
        _three_vectors(
            *(steps, patch, starts, starts_at, offsets, offsets_at, panel, panel_at),
            *(result, result_at, places, places_at),
        )
    elif vectors == 2:
        _two_vectors(
            *(steps, patch, starts, starts_at, offsets, offsets_at, panel, panel_at),
            *(result, result_at, places, places_at),
        )
    else:
        _one_vector(
            *(steps, patch, starts, starts_at, offsets, offsets_at, panel, panel_at),
            *(result, result_at, places, places_at),
        )


class PatchLayout(NamedTuple):
    """How target positions, numbered through the batch, see the planes that patches are cut out of.

    Row h of a target needs the planes' rows h // divisor_down * factor_down - before and the following,
    `extent` of them; columns likewise. A patch has for every image a piece, one below the other.

    Attributes:
        height, width: of the planes.
        target_height, target_width: of the targets' planes.
        divisor_down, divisor_across, factor_down, factor_across: see above.
        before: rows of padding above the planes; negative: rows left out.
        left: columns of padding before the planes' first; negative: columns left out.
        extent: see above.
        patch_width: elements of a patch's row.
        patch_plane: elements between the patch's channels; a vector more than the most rows take.
    """

    height: int
    width: int
    target_height: int
    target_width: int
    divisor_down: int
    divisor_across: int
    factor_down: int
    factor_across: int
    before: int
    left: int
    extent: int
    patch_width: int
    patch_plane: int


@compiled(borrowing=True)
def fill_patch(
    layout: PatchLayout, x: Any, image: int, x_at: int, channels: int, first: int, last: int, patch: Any
) -> None:
    """Copy what target rows first .. last - 1, numbered through the batch, need of planes x, zeros outside.

    Args:
        layout: what a target needs.
        x: planes (N, ..., H, W), flat.
        image: elements between images.
        x_at: where the first channel's plane begins in an image.
        channels: how many channels.
        first, last: the target rows.
        patch: the result.
    """
    lanes = vector_lanes(x)
    zero = x.dtype.type(0)
    zeros, skipped = max(layout.left, 0), max(-layout.left, 0)
    piece = 0
    row = first
    while row < last:
        n = row // layout.target_height
        h = row - n * layout.target_height
        count = min(layout.target_height - h, last - row)
        top = h // layout.divisor_down * layout.factor_down - layout.before
        rows = rows_between(layout, h, h + count - 1) + layout.extent
        for c in range(channels):
            for r in range(rows):
                to = c * layout.patch_plane + (piece + r) * layout.patch_width
                inside = layout.width - skipped if 0 <= top + r < layout.height else 0
                at = n * image + x_at + (c * layout.height + top + r) * layout.width + skipped
                for v in range(0, min(zeros, layout.patch_width), lanes):
                    fill_vector(patch, to + v, zero)
                for v in range(0, layout.patch_width - zeros, lanes):
                    copy_partial(patch, to + zeros + v, x, at + v, inside - v, zero)
        piece += rows
        row += count


@compiled
def rows_between(layout: PatchLayout, first: int, last: int) -> int:
    """How far apart the rows of the planes lie where two target rows' needs begin."""
    return (last // layout.divisor_down - first // layout.divisor_down) * layout.factor_down


@compiled(borrowing=True)
def locate_positions(layout: PatchLayout, first: int, last: int, starts: Any) -> None:
    """starts[position] = where in a patch of target rows first .. last - 1 a position's taps begin."""
    piece = 0
    row = first
    position = 0
    while row < last:
        h = row - row // layout.target_height * layout.target_height
        count = min(layout.target_height - h, last - row)
        for r in range(count):
            start = (piece + rows_between(layout, h, h + r)) * layout.patch_width
            for w in range(layout.target_width):
                starts[position] = start + w // layout.divisor_across * layout.factor_across
                position += 1
        piece += rows_between(layout, h, h + count - 1) + layout.extent
        row += count
