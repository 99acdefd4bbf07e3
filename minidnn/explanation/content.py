"""What an explanation says, as plain data: whoever shows it (terminal, page, docs) decides how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from minidnn.costs import LayerCost

Index: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """A plane, row or matrix of numbers.

    Attributes:
        name: what it is, such as "x[0,1]".
        rows: the numbers.
        marked: the (row, column) that the text speaks of, counted within `rows`.
        row_names: what stands before each row.
        column_names: what stands above each column.
    """

    name: str
    rows: tuple[tuple[float, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Equation:
    """A number worked out: target = symbols = numbers = value.

    Attributes:
        target: what is computed, such as "y[0,0,1,1]".
        symbols: by name; empty where the names would say nothing more.
        numbers: the same with numbers, in Python's arithmetic but for · (times) and ^ (power).
        value: what the engine computed; for steps that it takes within a kernel, NumPy.
    """

    target: str
    symbols: str
    numbers: str
    value: float


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    Attributes:
        headings: above the columns.
        rows: the cells.
        last_is_total: whether the last row sums up the others.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    last_is_total: bool = False


Part: TypeAlias = str | Equation | Table | tuple[Grid, ...]


@dataclass(frozen=True)
class Step:
    """One step of an explanation.

    Attributes:
        heading: what happens.
        parts: sentences, equations, tables, and grids that stand side by side.
    """

    heading: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Explanation:
    """A layer's worked example.

    Attributes:
        title: the layer and what it does.
        formula: as in its docstring.
        paper: where it comes from; empty where nobody in particular wrote it down first.
        steps: forward, backward.
        cost: what it costs; None where nothing is computed.
        arguments: what the example was made with, by name.
    """

    title: str
    formula: str
    paper: str
    steps: tuple[Step, ...]
    cost: LayerCost | None = None
    arguments: dict[str, str] = field(default_factory=dict)

    def equations(self) -> Iterator[Equation]:
        """All equations, in order."""
        for step in self.steps:
            yield from (part for part in step.parts if isinstance(part, Equation))

    def grids(self) -> Iterator[Grid]:
        """All grids, in order."""
        for step in self.steps:
            for part in step.parts:
                if isinstance(part, tuple):
                    yield from part
