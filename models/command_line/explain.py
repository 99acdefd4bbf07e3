"""`minidnn explain`: how a layer works, in numbers that can be checked by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


def explain(
    context: typer.Context,
    layer: Annotated[
        str | None,
        typer.Argument(metavar="[LAYER]", help="For example conv2d, max_pool2d or BatchNorm2d."),
    ] = None,
) -> None:
    """Work out a small example of LAYER: forward, backward, and what it costs.

    Arguments after LAYER are those of PyTorch's layer and of the example, for instance
    `minidnn explain conv2d --kernel-size 3 --padding 1 --size 5x5 --seed 7`. The first lines say which were
    used, so a run without any shows all that there are. Without LAYER, all layers and the examples of the
    course notes are listed.
    """
    from rich.console import Console

    from minidnn.explanation import catalogue, settings
    from minidnn.explanation.terminal import show

    console = Console(highlight=False)
    if layer is None:
        _list(console)
        return
    name, entry = catalogue.entry(layer)
    given = settings.parse(name, entry.explain, context.args)
    show(catalogue.explain(name, **given), console)


def _list(console: Console) -> None:
    """The layers, family by family, and the course notes' examples."""
    from minidnn.explanation import CATALOGUE, NOTES

    for family, entries in CATALOGUE.items():
        console.print(family, style="bold")
        for name, entry in entries.items():
            console.print(f"  {name:34}{', '.join(entry.layers)}".rstrip(), markup=False)
    console.print("course notes", style="bold")
    for name, note in NOTES.items():
        console.print(f"  {name:20}{note.__doc__}", markup=False)
    console.print("\nminidnn explain conv2d --kernel-size 3 --padding 1 shows one.", markup=False)
