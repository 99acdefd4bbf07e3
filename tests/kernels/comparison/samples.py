"""Samples of the comparisons and of logic."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.kernels.elementwise.samples import (
    PAIRS,
    binary,
    broadcast_pairs,
    eighths,
    numbers,
    special,
    torch_call,
    truths,
    unary,
)
from tests.kernels.sample import Sample

COMPARISONS = {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}
LOGIC = ("logical_and", "logical_or", "logical_xor")
KINDS = {"": eighths, "int": numbers, "bool": truths, "special": special}

SAMPLES = [
    *(
        binary(operation, f"{shapes}-{kind}".rstrip("-"), make, make, PAIRS[shapes])
        for operation in COMPARISONS
        for kind, make in KINDS.items()
        for shapes in (PAIRS if not kind else ["stretched"])
    ),
    *(binary(operation, shapes, truths, truths, PAIRS[shapes]) for operation in LOGIC for shapes in PAIRS),
    unary("logical_not", "plain", truths, (3, 4)),
    unary("logical_not", "scalar", truths, ()),
    unary("logical_not", "empty", truths, (2, 0)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    pair = draw(broadcast_pairs())
    operation = draw(st.sampled_from([*COMPARISONS, *LOGIC]))
    make = truths if operation in LOGIC else KINDS[draw(st.sampled_from(list(KINDS)))]
    return binary(operation, "drawn", make, make, pair)


STRATEGY = _drawn()

ORACLES = {
    **{name: torch_call(theirs) for name, theirs in COMPARISONS.items()},
    **{name: torch_call(name) for name in (*LOGIC, "logical_not")},
}
