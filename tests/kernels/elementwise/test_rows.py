"""The compiled rows of two operands that broadcast: whichever axis is shared out, the result is NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import registry
from kernels.cpu import mapping

SHAPES = [
    ((3, 4, 5), (3, 4, 5)),
    ((2, 7, 9), (2, 7, 1)),
    ((2, 7, 9), (1, 7, 1)),
    ((2, 7, 9), (9,)),
    ((2, 3, 9), (2, 1, 9)),
    ((2, 1, 5), (1, 3, 1)),
    ((4, 1, 6), (1, 5, 6)),
    ((5, 1), (1, 6)),
    ((100, 49), (100, 1)),
    ((1, 49), (100, 1)),
    ((2, 7), ()),
    ((0, 3), (1, 3)),
]


@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_rows_on_any_number_of_tasks(tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """5 tasks are more than most of the shapes have rows."""
    rows = next(row for row in registry.ladders("subtract") if row.name == "rows").function
    monkeypatch.setattr(mapping, "tasks_for", lambda steps, smallest: tasks)
    rng = np.random.default_rng(0)
    for shapes in SHAPES:
        for ours, theirs in (shapes, shapes[::-1]):
            a, b = np.asarray(rng.standard_normal(ours)), np.asarray(rng.standard_normal(theirs))
            np.testing.assert_array_equal(rows(a, b), np.asarray(a - b), strict=True)
