"""`minidnn trace`: what every operation of a model did with an image, and what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.command_line.options import ImageShown, WeightsShown


def trace(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name, for example resnet50.")],
    image: ImageShown = None,
    weights: WeightsShown = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all that was recorded, as JSON.")
    ] = None,
    chrome: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write bars over time, to be opened at chrome://tracing or ui.perfetto.dev."
        ),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the graph as a picture (needs Graphviz).")
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="In the picture, fold modules that deep into one box each.",
            show_default="nothing is folded",
        ),
    ] = None,
) -> None:
    """Run MODEL forward and backward on an image and show every operation: what it did and cost.

    The model is in evaluation mode; the upstream gradient is random. Times are of one pass, after another one
    that compiles what has to be.
    """
    from rich.console import Console

    import minidnn
    from models.explorer.subject import choose_subject

    subject = choose_subject(model, image, weights)
    recorded = minidnn.trace(subject.network, subject.x)
    if json is not None:
        recorded.to_json(json)
    if chrome is not None:
        recorded.to_chrome(chrome)
    if svg is not None:
        recorded.to_svg(svg, depth)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 200)
    console.print(recorded.table())
    for note in subject.notes:
        console.print(note, markup=False, soft_wrap=True)
