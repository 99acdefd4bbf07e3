"""The layers on which every version of an operation is raced: few, from the smallest to the largest."""

from __future__ import annotations

from benchmarks.cases import Case, select, size

# Three of the most frequent shapes say more than all of them.
MOST = 4


def cases_of(operation: str) -> list[Case]:
    """A handful of an operation's cases at batch 1, forward and backward, from small to large.

    Raises:
        ValueError: an operation without cases.
    """
    every = select(operation, None, (1,))
    chosen = []
    for direction in dict.fromkeys(case.operation for case in every):
        rows = sorted((case for case in every if case.operation == direction), key=size)
        chosen += _spread(rows)
    return chosen


def _spread(rows: list[Case]) -> list[Case]:
    """MOST of the rows, evenly over their order."""
    if len(rows) <= MOST:
        return rows
    return [rows[round(i * (len(rows) - 1) / (MOST - 1))] for i in range(MOST)]
