"""`minidnn summary`: a model's layers, what they cost, and how that compares with the paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from models.summary import Row


def summary(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name, for example resnet50.")],
    input: Annotated[
        str | None,
        typer.Option(
            metavar="CxHxW", help="The size of the image.", show_default="the size it was designed for"
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(min=0, help="Fold what stands deeper than this.", show_default="everything is shown"),
    ] = None,
) -> None:
    """Show the layers of MODEL: output shape, parameters, mult-adds and activation memory of one image.

    A block's line has the sums over all layers in it. Mult-adds are those of convolutions and fully connected
    layers. Memory is that of the arrays which the layers make, in float32.
    """
    from rich.console import Console

    from models.registry import create, entry
    from models.summary import summarize

    designed_for = entry(model).input_shape
    shape = designed_for if input is None else _parse(input)
    network = create(model, **({} if shape[0] == designed_for[0] else {"in_channels": shape[0]}))
    try:
        root = summarize(network, shape)
    except ValueError as error:
        raise ValueError(f"{model} does not take images of {'x'.join(map(str, shape))}: {error}") from None
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 140)
    console.print(_table(root, depth))
    for line in _conclusion(model, root, shape, as_designed=shape == designed_for):
        console.print(line, markup=False, soft_wrap=True)


def _parse(text: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise ValueError(f"--input must be channels, height and width like 3x224x224, got {text!r}")
    channels, height, width = map(int, match.groups())
    return channels, height, width


def _table(root: Row, depth: int | None) -> Table:
    """One line for each row down to `depth`; "+" marks what was folded."""
    from rich.markup import escape
    from rich.table import Table

    from minidnn.units import in_bytes, short

    table = Table("layer", "kind")
    for column in ("output", "parameters", "mult-adds", "memory"):
        table.add_column(column, justify="right")
    for row in root.walk():
        if row.depth == 0 or (depth is not None and row.depth > depth):
            continue
        folded = row.children and row.depth == depth
        mult_adds, memory = row.total("mult_adds"), row.total("activation_bytes")
        table.add_row(
            f"{'  ' * (row.depth - 1)}{escape(row.path.rpartition('.')[2])}{' +' if folded else ''}",
            row.kind,
            "x".join(map(str, row.output_shape[1:])) or ("-" if row.children else "only in training"),
            f"{row.total('parameters'):,}" if row.total("parameters") else "",
            short(mult_adds) if mult_adds else "",
            in_bytes(memory) if memory else "",
        )
    return table


def _conclusion(model: str, root: Row, shape: tuple[int, ...], as_designed: bool) -> Iterator[str]:
    """The totals, and what the paper says."""
    from minidnn.units import in_bytes, short
    from models.published import PUBLISHED

    parameters, mult_adds = root.total("parameters"), root.total("mult_adds")
    used = root.parameters_at_inference
    heads = f" ({used:,} without the heads that only training uses)" if used != parameters else ""
    yield (
        f"{model}, input {'x'.join(map(str, shape))}: {parameters:,} parameters{heads}, "
        f"{short(mult_adds)} mult-adds, {in_bytes(root.total('activation_bytes'))} of activations"
    )
    uncounted = [row.path for row in root.walk() if row.uncounted]
    if uncounted:
        yield f"mult-adds not counted for: {', '.join(uncounted)}"
    published = PUBLISHED.get(model)
    if published is None:
        return
    yield f"paper: {published.paper.title} ({published.paper.year})"
    printed = [
        f"{number} {what}"
        for number, what in ((published.parameters, "parameters"), (published.mult_adds, "mult-adds"))
        if number
    ]
    if printed and as_designed:
        agrees = published.agrees(used, mult_adds)
        verdict = "ours round to that" if agrees else f"ours differ: {published.why}"
        yield f"published: {', '.join(printed)}; {verdict}"
    if published.accuracy:
        yield f"published, not reproduced: {published.accuracy}"
