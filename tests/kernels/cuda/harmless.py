"""Mutants that cannot or need not be noticed: changed code that computes the same, and why."""

from __future__ import annotations


def reason(code: str) -> str:
    """Why a changed line does no harm; "" where that is not known."""
    return next((why for part, why in HARMLESS.items() if part in code), "")


HARMLESS = {
    "xs[i] >= ZERO ? xs[i] : negative_slope * xs[i]": "the slope times zero is zero",
    "if (threadIdx.x != 0) ys[row] = partial[0]": "all other threads write the same number there",
    "a != a || a >= b ? a : b": "of two equal numbers either will do",
    "a != a || a <= b ? a : b": "of two equal numbers either will do",
    "label != ignore_index || weight == weight": "0 or NaN times a score out of bounds: for address mode",
    "; /* the next row overwrites what was read */": "a block has a second row only of more than 65536",
}
