"""`minidnn models`: the architectures, what they cost and what they were checked against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table


def models(
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="[PART]", help="Only names with this in them.", show_default="all"),
    ] = None,
) -> None:
    """List the models: classifiers with size, cost, reference and the worst error seen, then detectors.

    Mult-adds are for one image of the size the model was designed for. The error is the largest relative one
    of float64 logits and gradients, in evaluation and training mode.
    """
    from rich.console import Console

    from models.registry import names

    classifiers, detectors = (
        [name for name in names(kind) if pattern is None or pattern in name]
        for kind in ("classification", "detection")
    )
    if not classifiers and not detectors:
        raise ValueError(f"no model has {pattern!r} in its name")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 400)  # a model a line; the table takes what it needs
    if classifiers:
        console.print(_classifiers(classifiers))
    if detectors:
        console.print(_detectors(detectors))


def _classifiers(names: Sequence[str]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from minidnn.units import short
    from models.published import PUBLISHED
    from models.registry import entry
    from models.verification import verifications

    table = Table("name", "year", "paper", "image")
    for column in ("parameters", "mult-adds"):
        table.add_column(column, justify="right")
    table.add_column("checked against")
    table.add_column("worst error", justify="right")
    checked = verifications()
    for name in names:
        published, row = PUBLISHED.get(name), checked.get(name)
        table.add_row(
            name,
            str(published.paper.year) if published else "-",
            escape(published.paper.title) if published else "-",
            "x".join(map(str, entry(name).input_shape)),
            f"{row.parameters:,}" if row else "-",
            short(row.mult_adds) if row else "-",
            escape(row.reference) if row else "nothing yet",
            f"{row.worst_error:.1e}" if row else "-",
        )
    return table


def _detectors(names: Sequence[str]) -> Table:
    """What their builders say of them."""
    from rich.markup import escape
    from rich.table import Table

    from models.registry import entry

    table = Table("detector", "image", "what it is")
    for name in names:
        found = entry(name)
        table.add_row(name, "x".join(map(str, found.input_shape)), escape(found.summary))
    return table
