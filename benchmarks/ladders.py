"""The layers on which every version of an operation is raced: few, and different."""

from __future__ import annotations

from benchmarks.arguments import ArraySpec, encode
from benchmarks.cases import Case, select, size

# Kinds of layers, and layers of an operation that has but one kind.
MOST = 5
# The loops visit every output in Python, a few microseconds each: no layer of more input and weight elements.
MOST_ELEMENTS = 2**18


def cases_of(operation: str) -> list[Case]:
    """A handful of an operation's cases at batch 1, forward and backward.

    Layers of a kind differ in their arrays only: a convolution's kinds are its windows. Of the most frequent
    kinds the largest layer is taken that is not too large for loops.

    Raises:
        ValueError: an operation without cases.
    """
    every = [case for case in select(operation, None, (1,)) if size(case) <= MOST_ELEMENTS]
    return [
        case for direction in dict.fromkeys(c.operation for c in every) for case in _few(every, direction)
    ]


def _few(every: list[Case], direction: str) -> list[Case]:
    kinds: dict[str, list[Case]] = {}
    for case in sorted((case for case in every if case.operation == direction), key=size):
        numbers = [a for a in case.layer.arguments if not isinstance(a, ArraySpec | tuple | None)]
        kinds.setdefault(encode(numbers), []).append(case)
    if len(kinds) == 1:
        return _spread(*kinds.values())
    frequent = sorted(kinds.values(), key=len, reverse=True)[:MOST]
    return [cases[-1] for cases in frequent]


def _spread(cases: list[Case]) -> list[Case]:
    """At most MOST of the cases, evenly over their order."""
    if len(cases) <= MOST:
        return cases
    return [cases[round(i * (len(cases) - 1) / (MOST - 1))] for i in range(MOST)]
