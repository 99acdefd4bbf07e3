"""Explanations in the terminal: laid out line by line, to read the same with and without colours.

What is marked stands in brackets. Sums break before a sign, grids stand side by side where there is room.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from minidnn.costs import LayerCost
from minidnn.explanation.arithmetic import number
from minidnn.explanation.content import Equation, Explanation, Grid, Part, Step, Table
from minidnn.explanation.cost_table import cost_parts

_INDENT = "   "
_GAP = "    "
_TIE = "\0"  # a space at which no line ends


def show(explanation: Explanation, console: Console) -> None:
    """Print an explanation, no line wider than the console."""
    for line in lines(explanation, console.width):
        console.print(line, soft_wrap=True, highlight=False)


def lines(explanation: Explanation, width: int) -> Iterator[Text]:
    """The explanation, line by line."""
    yield from (Text(line, "bold") for line in textwrap.wrap(explanation.title, width))
    if explanation.arguments:
        words = " ".join(f"{name}{_TIE}{value}".strip(_TIE) for name, value in explanation.arguments.items())
        yield from _wrapped(words, width, "dim")
    yield from _wrapped(explanation.formula, width, "cyan")
    if explanation.paper:
        yield from _wrapped(explanation.paper, width, "dim")
    steps = list(explanation.steps)
    if explanation.cost is not None:
        steps.append(_cost_step(explanation.cost))
    for place, step in enumerate(steps, 1):
        yield Text()
        yield Text(textwrap.shorten(f"{place}. {step.heading}", max(width, 20), placeholder=" ..."), "bold")
        for part in step.parts:
            yield from part_lines(part, width)


def part_lines(part: Part, width: int) -> Iterator[Text]:
    """A sentence, an equation, a table or grids."""
    if isinstance(part, str):
        yield from _wrapped(part, width)
    elif isinstance(part, Equation):
        yield from _equation(part, width)
    elif isinstance(part, Table):
        yield from _table(part)
    else:
        pieces = [piece for grid in part for piece in _pieces(grid, width - len(_INDENT))]
        yield from _side_by_side([list(_grid(piece)) for piece in pieces], width)


def _cost_step(cost: LayerCost) -> Step:
    return Step("what it costs", cost_parts(cost))


def _wrapped(text: str, width: int, style: str = "") -> Iterator[Text]:
    indent = _INDENT
    for line in textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ):
        yield Text(line.replace(_TIE, " "), style)


def _equation(equation: Equation, width: int) -> Iterator[Text]:
    """target = symbols = numbers = value: in one line if it fits, else one line or more for each."""
    result = f"= {_result(equation.value)}"
    sides = [f"= {side}" for side in (equation.symbols, equation.numbers) if side]
    if len(sides) == 2 and sides[0] == sides[1]:
        sides.pop()
    if sides and sides[-1] == f"= {number(equation.value)}":
        sides.pop()
    start = f"{_INDENT}{equation.target} "
    whole = start + " ".join([*sides, result])
    if len(whole) <= width:
        yield _with_result(whole, result)
        return
    below = " " * len(start) if len(start) <= width // 2 else _INDENT * 2
    head = start
    for side in [*sides, result]:
        for line in _broken(head + side, below, width):
            yield _with_result(line, result) if side == result else Text(line)
        head = below


def _result(value: float) -> str:
    """A number; the thousands of large ones apart."""
    return f"{int(value):,}" if value == int(value) else number(value)


def _with_result(line: str, result: str) -> Text:
    text = Text(line)
    text.stylize("bold green", len(line) - len(result))
    return text


def _broken(line: str, below: str, width: int) -> list[str]:
    """A line broken between terms, as a sum is by hand: not within brackets in brackets, nor after a sign."""
    depth, tied = 0, ""
    for place, character in enumerate(line):
        depth += (character in "([") - (character in ")]")
        tied += _TIE if character == " " and not _may_break(line, place, depth) else character
    indent = len(line) - len(line.lstrip())
    wrapped = textwrap.wrap(
        tied.strip(_TIE),
        width,
        initial_indent=" " * indent,
        subsequent_indent=f"{below}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace(_TIE, " ") for part in wrapped]


def _may_break(line: str, place: int, depth: int) -> bool:
    """Whether a line may end at this space: before + and -, after a comma, between words."""
    before, after = line[place - 1], line[place + 1 : place + 3]
    if after in ("+ ", "- "):
        return depth <= 1
    return before == "," or (before.isalpha() and after[:1].isalpha())


def _pieces(grid: Grid, width: int) -> Iterator[Grid]:
    """The grid, or parts of its columns that the width holds."""
    columns = len(grid.rows[0])
    margin, wide = _widths(grid)
    fitting = max((width - margin - 1) // wide, 1)
    if columns <= fitting:
        yield grid
        return
    for first in range(0, columns, fitting):
        last = min(first + fitting, columns)
        yield Grid(
            grid.name if not first else f"{grid.name}, further columns",
            tuple(row[first:last] for row in grid.rows),
            frozenset((row, column - first) for row, column in grid.marked if first <= column < last),
            grid.row_names,
            grid.column_names[first:last],
        )


def _widths(grid: Grid) -> tuple[int, int]:
    """Of the row names, and of a column."""
    cells = [len(number(value)) for row in grid.rows for value in row]
    wide = max([*cells, *map(len, grid.column_names)]) + (3 if grid.marked else 2)
    return max([*map(len, grid.row_names), 0]), wide


def _grid(grid: Grid) -> Iterator[Text]:
    """Name, column names, rows; what is marked in brackets."""
    cells = [[number(value) for value in row] for row in grid.rows]
    margin, wide = _widths(grid)
    rows = grid.row_names or ("",) * len(cells)
    names = grid.column_names
    yield Text(grid.name, "bold")
    if names:
        yield Text(" " * (margin + 1) + "".join(f"{name:>{wide - 1}} " for name in names), "dim")
    for place, (name, row) in enumerate(zip(rows, cells, strict=True)):
        line = Text(f"{name:>{margin}} ", "dim")
        for column, cell in enumerate(row):
            if (place, column) in grid.marked:
                line.append(f"{'[' + cell + ']':>{wide}}", "bold yellow")
            else:
                line.append(f"{cell:>{wide - 1}} ", "")
        yield line


def _side_by_side(blocks: Sequence[list[Text]], width: int) -> Iterator[Text]:
    """Blocks of lines next to each other, as many as the width holds."""
    row: list[list[Text]] = []
    taken = 0
    for block in blocks:
        wide = max(len(line) for line in block)
        if row and len(_INDENT) + taken + wide > width:
            yield from _joined(row)
            row, taken = [], 0
        row.append(block)
        taken += wide + len(_GAP)
    if row:
        yield from _joined(row)


def _joined(blocks: Sequence[list[Text]]) -> Iterator[Text]:
    widths = [max(len(line) for line in block) for block in blocks]
    for place in range(max(map(len, blocks))):
        line = Text(_INDENT)
        for block, wide in zip(blocks, widths, strict=True):
            part = block[place] if place < len(block) else Text()
            line.append_text(part)
            line.append(" " * (wide - len(part)) + _GAP)
        line.rstrip()
        yield line


def _table(table: Table) -> Iterator[Text]:
    """Columns as wide as they need, the first to the left, the others to the right."""
    everything = [table.headings, *table.rows]
    widths = [max(len(row[column]) for row in everything) for column in range(len(table.headings))]
    yield Text(_row(table.headings, widths), "dim")
    for place, row in enumerate(table.rows):
        if table.last_is_total and place == len(table.rows) - 1:
            yield Text(_INDENT + "-" * (sum(widths) + 2 * (len(widths) - 1)), "dim")
        yield Text(_row(row, widths))


def _row(cells: Iterable[str], widths: Sequence[int]) -> str:
    first, *others = cells
    line = _INDENT + f"{first:<{widths[0]}}"
    return line + "".join(f"  {cell:>{wide}}" for cell, wide in zip(others, widths[1:], strict=True))
