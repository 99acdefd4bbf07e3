"""`minidnn gradcheck`: the gradients of every layer against numeric derivatives, as a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from models.command_line.options import DeviceName

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from minidnn import Device
    from minidnn.check_row import LayerCheck
    from minidnn.layer_checks import Groups


@dataclass(frozen=True)
class Outcome:
    """What a row of the table came to.

    Attributes:
        row: the layer and its configuration.
        message: why it failed, or empty.
        error: the worst relative error; None where the check could not run.
        note: what else to say beside the verdict.
    """

    row: LayerCheck
    message: str
    error: float | None
    note: str = ""


def gradcheck(
    layers: Annotated[
        list[str] | None,
        typer.Argument(metavar="LAYER", help="Layers, functions or groups of them; all by default."),
    ] = None,
    mode: Annotated[
        str, typer.Option(help="full: every entry of the Jacobians; fast: random projections of them.")
    ] = "full",
    method: Annotated[
        str,
        typer.Option(help="central differences, or complex steps for the functions that are analytic."),
    ] = "central",
    seed: Annotated[int, typer.Option(min=0, help="Of the inputs, directions and upstream gradients.")] = 0,
    device: DeviceName = "cpu",
) -> None:
    """Check every layer's gradients over odd configurations; exit status 1 if one is wrong.

    The relative error is |analytic - numeric| / (|numeric| + 0.01), at most 1e-4 to pass: the usual test
    |analytic - numeric| <= 1e-6 + 1e-4 |numeric|.
    """
    from rich.console import Console

    from minidnn import device as device_named
    from minidnn.gradcheck import METHODS, MODES
    from minidnn.layer_checks import select

    for name, value, allowed in (("mode", mode, MODES), ("method", method, METHODS)):
        if value not in allowed:
            raise ValueError(f"--{name} must be one of {', '.join(allowed)}, got {value!r}")
    if method == "complex" and device != "cpu":
        raise ValueError(f"--method must be central on {device}, whose kernels know no complex numbers")
    place = device_named(device)
    groups = select(layers or ())
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 140)
    start = time.perf_counter()
    outcomes = _run(groups, mode, method, seed, place, console)
    seconds = time.perf_counter() - start
    console.print(_table(groups, outcomes))
    failed = [outcome for outcome in outcomes if outcome.message]
    for outcome in failed:
        console.print(
            f"{outcome.row.layer}, {outcome.row.configuration}: {outcome.message}",
            markup=False,
            soft_wrap=True,
        )
    console.print(_summary(outcomes, seconds), markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _run(groups: Groups, mode: str, method: str, seed: int, place: Device, console: Console) -> list[Outcome]:
    """Run the checks one after the other behind a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    rows = [row for group in groups.values() for row in group]
    outcomes = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(rows))
        for row in rows:
            progress.update(task, description=f"{row.layer}, {row.configuration}")
            outcomes.append(_check(row, mode, method, seed, place))
            progress.advance(task)
    return outcomes


def _check(row: LayerCheck, mode: str, method: str, seed: int, place: Device) -> Outcome:
    from minidnn.numeric_derivative import NotAnalyticError

    note = ""
    try:
        try:
            report = row.run(mode, method, seed, place)
        except NotAnalyticError:
            note = "not analytic: central differences"
            report = row.run(mode, "central", seed, place)
    except Exception as error:  # a layer that cannot even run is a row that failed
        return Outcome(row, f"{type(error).__name__}: {error}", None, note)
    if report.redraws:
        note = "; ".join(part for part in (note, "beside a kink") if part)
    return Outcome(row, report.message, report.worst_error, note)


def _table(groups: Groups, outcomes: Sequence[Outcome]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("layer", "configuration")
    table.add_column("worst relative error", justify="right")
    table.add_column("verdict")
    remaining = iter(outcomes)
    for group in groups.values():
        for outcome in (next(remaining) for _ in group):
            verdict = "[bold red]WRONG[/]" if outcome.message else "[green]right[/]"
            error = "-" if outcome.error is None else f"{outcome.error:.1e}"
            table.add_row(
                outcome.row.layer,
                escape(outcome.row.configuration),
                error,
                f"{verdict} ({outcome.note})" if outcome.note else verdict,
            )
        table.add_section()
    return table


def _summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    layers = len({outcome.row.layer for outcome in outcomes})
    failed = sum(bool(outcome.message) for outcome in outcomes)
    verdict = f"{failed} wrong" if failed else "all right"
    worst = max((outcome.error or 0.0 for outcome in outcomes), default=0.0)
    return (
        f"{len(outcomes)} checks of {layers} layers in {seconds:.1f} s: {verdict}, "
        f"worst relative error {worst:.1e}"
    )
