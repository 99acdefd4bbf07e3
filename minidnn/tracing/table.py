"""A trace as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from minidnn.tracing.records import ArrayRecord, OperationRecord
from minidnn.units import in_bytes, in_seconds, short

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = (
    "module",
    "function",
    "output",
    "parameters",
    "mult-adds",
    "moved",
    "forward",
    "backward",
    "kernel",
    "activation",
    "gradient",
)
_NUMBERS = {"parameters", "mult-adds", "moved", "forward", "backward"}


def make_table(operations: Iterable[OperationRecord]) -> Table:
    """Return one row per operation, and a row of sums.

    Raises:
        ImportError: no rich.
    """
    from rich.markup import escape
    from rich.table import Table

    operations = list(operations)
    table = Table(show_footer=True)
    for heading, footer in zip(HEADINGS, sums(operations), strict=True):
        table.add_column(heading, footer, justify="right" if heading in _NUMBERS else "left")
    for record in operations:
        table.add_row(*map(escape, row(record)))
    return table


def row(record: OperationRecord) -> tuple[str, ...]:
    """What the table says of an operation."""
    output = record.outputs[0]
    gradient = record.gradients[0] if record.gradients else None
    forward = [call for call in record.kernels if call.direction == "forward"]
    return (
        record.module,
        record.function,
        "x".join(map(str, output.shape)),
        f"{record.parameter_count:,}" if record.parameter_count else "",
        short(record.multiply_adds) if record.multiply_adds else "",
        in_bytes(record.bytes_moved) if record.bytes_moved else "view",
        in_seconds(record.forward_seconds),
        "" if record.backward_seconds is None else in_seconds(record.backward_seconds),
        ", ".join(dict.fromkeys(f"{call.backend} {call.version}" for call in forward)),
        _spread(output),
        "" if gradient is None else _spread(gradient),
    )


def sums(operations: list[OperationRecord]) -> tuple[str, ...]:
    """The row below the others. A parameter that several operations read counts once."""
    parameters = {name: array.size for record in operations for name, array in record.parameters.items()}
    backward = [record.backward_seconds for record in operations if record.backward_seconds is not None]
    return (
        f"{len(operations)} operations",
        "",
        "",
        f"{sum(parameters.values()):,}",
        short(sum(record.multiply_adds for record in operations)),
        in_bytes(sum(record.bytes_moved for record in operations)),
        in_seconds(sum(record.forward_seconds for record in operations)),
        in_seconds(sum(backward)) if backward else "",
        "",
        "",
        "",
    )


def _spread(array: ArrayRecord) -> str:
    """Mean and standard deviation."""
    found = array.statistics
    return "" if found is None else f"{found.mean:.2g} ± {found.standard_deviation:.2g}"
