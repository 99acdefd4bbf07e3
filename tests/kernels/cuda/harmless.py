"""Mutants that cannot or need not be noticed: changed code that computes the same, and why."""

from __future__ import annotations

from pathlib import PurePath


def reason(source: str, code: str) -> str:
    """Why a changed line of a source does no harm; "" where that is not known."""
    line = f"{PurePath(source).name}: {code.strip()}"
    return next((why for part, why in HARMLESS.items() if part in line), "")


_ALL_LANES = "the line's other threads have the same number"
_OF_EQUALS = "of two equal numbers either will do"
_AT_THE_EDGE = "at the edge itself both ways lead to the edge"
_WIDER = "pixels beyond those that a region samples weigh nothing"
_ZEROS_MORE = "what is fetched then is zeros, and nobody multiplies them"
_SPARE = "only tiles as high as the plane have threads to spare"
_ONE_ROW = "tiles of the weight gradient have 64 rows, one for each thread: i is 0"
# By a part of the changed line, behind its file's name.
HARMLESS = {
    "xs[i] >= ZERO ? xs[i] : negative_slope * xs[i]": "the slope times zero is zero",
    "if (threadIdx.x != 0) ys[row] = partial[0]": "all other threads write the same number there",
    "a != a || a >= b ? a : b": _OF_EQUALS,
    "a != a || a <= b ? a : b": _OF_EQUALS,
    "before != before || before >= v ? before : v": _OF_EQUALS,
    "if (!a_nan && a != b) return a >= b;": "they are not equal",
    "return a != b ? b >= a : j < i": "they are not equal",
    "return a != b ? b > a : j <= i": "a place that meets itself may as well stay",
    "if (a_nan) return j >= i": "a place that meets itself may as well stay",
    "return x <= low ? low": _AT_THE_EDGE,
    "x >= high ? high : x": _AT_THE_EDGE,
    "s = s <= 0 ?": _AT_THE_EDGE,
    "s = s < 0 ? -s : s >= last": _AT_THE_EDGE,
    "s = s < 0 ? 0 : s >= last": _AT_THE_EDGE,
    "add(length, out_length + 1 - before)": "the walk ends with the positions",
    "if (variance <= REAL(0)) variance = 0": "it is zero either way",
    "*sums = dy_tile - tile_h * tile_w": "the sums in place of the patch, which nobody reads any more",
    "(x <= ZERO ? e : REAL(1))": "at zero e is one",
    "min(count + start, (long long)THREADS)": "there are no places beyond the items",
    "xs[i] <= low ? low : xs[i]": _AT_THE_EDGE,
    "raised >= high ? high : raised": _AT_THE_EDGE,
    "rest != 0 && (b <= 0) != (rest < 0)": "0 as divisor has gone its own way or left NaN",
    "rest != 0 && (b < 0) != (rest <= 0)": "the remainder is not 0",
    "quotient - whole >= ELEMENT(0.5)": "the quotient is next to a whole number, not halfway",
    "x >= 0 ? x + log1p(exp(-x))": "at zero both are log 2",
    "const double e = exp(x >= 0 ? -x : x)": "at zero both are one",
    "return (x >= 0 ? 1 : e) / (1 + e)": "at zero both are one",
    "j = max(i - 1, first)": "nobody asks any more who covers the boxes up to i",
    "if (matrix[i][k] != 0) sum -=": "every tile is multiplied twice, down and across: the sign comes out",
    "const bool along = depth_step != 1": "which thread fetches what is a matter of speed",
    "start <= depth; start += DEPTH) {": "a tile behind the last one is full of zeros",
    "start <= depth; start += TILE)": "a tile behind the last one is full of zeros",
    "if (threadIdx.x != 0) dbias[o] = STORED(sum)": "all other threads write the same number there",
    "c != label && !(z <= 0)": "a class on the margin costs nothing",
    "if (threadIdx.x % LANES != 0) losses[line]": _ALL_LANES,
    "if (threadIdx.x % LANES != 0) ys[plane]": _ALL_LANES,
    "IS_CLASS(label) && threadIdx.x % LANES != 0": _ALL_LANES,
    "; /* the next row overwrites what was read */": "a block has a second row only of more than 65536",
    "REAL relu(REAL x) { return x < ZERO": "at zero both are zero",
    "REAL relu6(REAL x) { return x < ZERO": "at zero both are zero",
    "ZERO : x > REAL(6)": _AT_THE_EDGE,
    "start <= count; start += THREADS": "behind the last items a block looks at none",
    "min(length, places + part * length)": "a tile behind the last one is full of zeros",
    "walk.left > 0 && row - i * STEP < rows": _ONE_ROW,
    "k < walk.left && row - i * STEP < rows": _ONE_ROW,
    "four_at(at(place) - i * STEP": _ONE_ROW,
    "implicit_weight.cu: for (int k = 0; k < 4; ++k) tile[first + k][row - i * STEP]": _ONE_ROW,
    "own_column(int j) { return j / 4 * (4 * SIDE) + (int)threadIdx.x % SIDE * 4 - j": "j begins a four",
    "static_assert(sizeof(Tiles) > THREADS / 32": "the tiles have more room than that",
    "const bool more = depth - start >= DEPTH": _ZEROS_MORE,
    "const bool more = depth + start > DEPTH": _ZEROS_MORE,
    "16 / sizeof(Tiled) >= 4 ?": _OF_EQUALS,
    "b = grid.position(bins + 1, grid.points - 1)": _WIDER,
    "b = grid.position(bins - 1, grid.points + 1)": _WIDER,
    "return reach < 0 ? 0 : (reach + (int)stride - 1)": "0 rounded up to whole strides is 0",
    "__align__(sizeof(T) >= 4 ? 16 : 4 * sizeof(T))": "four floats are 16 bytes both ways",
    "own_i <= tile_h && first_i + own_i < OH": _SPARE,
    "own_i <= tile_h && h < H": _SPARE,
    "tap <= taps && place < tile_h * tile_w": "what threads beyond the taps add up nobody reads",
    "running_mean && values >= 1": "the contract refuses one value for a channel",
}
