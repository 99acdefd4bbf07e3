"""`minidnn explore`: one page on which a network can be looked into, from its graph down to a product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.command_line.options import ImageShown, WeightsShown


def explore(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name, for example lenet5.")],
    image: ImageShown = None,
    weights: WeightsShown = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The page.", show_default="MODEL.html"),
    ] = None,
    training: Annotated[
        bool,
        typer.Option(
            "--training",
            help="Show a step of training: dropout drops, batch norm takes the batch's statistics.",
        ),
    ] = False,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Serve the page to this machine instead, and with it the numbers of every channel.",
        ),
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to serve; 0 takes a free port.")] = 8000,
) -> None:
    """Write an HTML page that shows what MODEL does with an image.

    The page needs nothing else, no network either: the graph, folded by blocks; for each layer its formula,
    code, feature maps, filters, gradients and costs; how each output number came about; forward and backward
    step by step.
    """
    from minidnn.whole_file import write_whole
    from models.explorer import choose_subject, gather, render, trace_subject

    if serve and output is not None:
        raise ValueError("--output and --serve exclude each other: a served page is not written")
    subject = choose_subject(model, image, weights, training)
    try:
        trace = trace_subject(subject)
    except ValueError as error:
        raise ValueError(f"{model} cannot be traced: {error}") from None
    page = render(gather(subject, trace, live=serve))
    for note in subject.notes:
        print(note)
    if not serve:
        path = output or Path(f"{model}.html")
        content = page.encode("utf-8")
        write_whole(path, content)
        print(f"{path}: {len(content) / 1e6:.1f} MB; open it in a browser.")
        return
    from models.explorer.server import Server

    with Server(page, subject, trace, port) as server:
        print(f"{server.url} serves this machine; Ctrl-C ends it.", flush=True)
        server.serve_forever()
