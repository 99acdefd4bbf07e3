"""`minidnn cost`: what a layer costs, by its arguments, alone or beside another one."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from minidnn.costs import LayerCost


class Setting(NamedTuple):
    """A layer with all its arguments.

    Attributes:
        name: the layer.
        arguments: by name.
        cost: what it costs.
    """

    name: str
    arguments: Mapping[str, Any]
    cost: LayerCost


def cost(
    context: typer.Context,
    layer: Annotated[
        str, typer.Argument(metavar="LAYER", help="conv2d, separable_conv2d, linear, roi_pool, ...")
    ],
    compare: Annotated[
        str | None,
        typer.Option(
            metavar='"[LAYER] [--ARGUMENT VALUE]..."',
            help="A second setting; what it does not say is as in the first one.",
        ),
    ] = None,
) -> None:
    """Calculate the output's size, parameters, mult-adds, FLOPs, bytes and FLOPs per byte of LAYER.

    Arguments after LAYER are those of PyTorch's layer, the input's size and the batch, for instance
    `minidnn cost conv2d --in-channels 192 --out-channels 32 --kernel-size 5 --padding same --size 28
    --compare separable_conv2d`. Everything is in float32; bytes are those of all arrays, each moved once.
    """
    from rich.console import Console

    from minidnn.explanation.cost_table import count_equations
    from minidnn.explanation.terminal import part_lines

    first = _setting(layer, context.args, {})
    settings = [first]
    if compare is not None:
        words = shlex.split(compare)
        name = words.pop(0) if words and not words[0].startswith("--") else layer
        settings.append(_setting(name, words, first.arguments))
    console = Console(highlight=False)
    for setting in settings:
        console.print(_command(setting), markup=False, style="dim")
    console.print(_table(settings))
    for setting in settings:
        console.print(setting.name, style="bold")
        for equation in count_equations(setting.cost):
            for line in part_lines(equation, console.width):
                console.print(line, soft_wrap=True)


def _setting(layer: str, words: list[str], otherwise: Mapping[str, Any]) -> Setting:
    """A layer's arguments: those given, then those of another setting that it has too, then its own."""
    from minidnn.explanation.calculator import calculator
    from minidnn.explanation.settings import parse

    name, calculate = calculator(layer)
    own = {parameter: about.default for parameter, about in inspect.signature(calculate).parameters.items()}
    shared = {parameter: value for parameter, value in otherwise.items() if parameter in own}
    arguments = {**own, **shared, **parse(name, calculate, words)}
    return Setting(name, arguments, calculate(**arguments))


def _command(setting: Setting) -> str:
    """The setting as it would be typed."""
    from minidnn.explanation.settings import shown

    told = {name: value for name, value in setting.arguments.items() if value is not None}
    return " ".join([setting.name, *(f"{name} {value}".strip() for name, value in shown(told).items())])


def _table(settings: list[Setting]) -> Table:
    """A row for each figure, a column for each setting, and what the second is of the first."""
    from rich.table import Table

    table = Table("")
    for setting in settings:
        table.add_column(setting.name, justify="right")
    if len(settings) == 2:
        table.add_column("second / first", justify="right")
    columns = [_figures(setting.cost) for setting in settings]
    for name in columns[0]:
        values = [column[name] for column in columns]
        cells = [value if isinstance(value, str) else _number(value) for value in values]
        if len(values) == 2:
            cells.append(_ratio(*values))
        table.add_row(name, *cells)
    return table


def _figures(cost: LayerCost) -> dict[str, str | float]:
    """What the table shows, by name; the batch axis stands in front of the shapes."""
    forward, backward = cost.forward, cost.backward
    return {
        "input": "x".join(map(str, cost.input)),
        "output": "x".join(map(str, cost.output)),
        "parameters": cost.parameters.value,
        "mult-adds forward": forward.multiply_adds.value,
        "mult-adds backward": backward.multiply_adds.value,
        "FLOPs forward": forward.flops,
        "FLOPs backward": backward.flops,
        "bytes forward": forward.bytes,
        "bytes backward": backward.bytes,
        "FLOPs per byte forward": forward.intensity,
        "FLOPs per byte backward": backward.intensity,
    }


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def _ratio(first: str | float, second: str | float) -> str:
    if isinstance(first, str) or isinstance(second, str) or not first:
        return ""
    return f"{second / first:.3f}"
