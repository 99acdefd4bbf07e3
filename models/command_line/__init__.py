"""The program `minidnn`: one subcommand per file, errors of a user in one line."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from models.command_line.cost import cost
from models.command_line.detect import detect
from models.command_line.emulate import emulate
from models.command_line.explain import explain
from models.command_line.explore import explore
from models.command_line.gradcheck import gradcheck
from models.command_line.models import models
from models.command_line.predict import predict
from models.command_line.summary import summary
from models.command_line.trace import trace
from models.command_line.train import train

# What stands after a layer's name are the layer's own arguments, which the command reads itself.
_LAYERS_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="minidnn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(gradcheck)
app.command()(models)
app.command()(summary)
app.command()(predict)
app.command()(detect)
app.command()(emulate)
app.command()(trace)
app.command()(explore)
app.command(context_settings=_LAYERS_ARGUMENTS)(explain)
app.command(context_settings=_LAYERS_ARGUMENTS)(cost)


def _show_version(wanted: bool) -> None:
    if wanted:
        from minidnn import __version__

        typer.echo(f"minidnn {__version__}")
        raise typer.Exit


@app.callback()
def _minidnn(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """A from-scratch deep-learning engine to read, trust and race.

    Start with: minidnn train lenet5
    """


def main() -> None:
    """Run the program: exit status 0, 2 for a user's mistake (told in one line), 130 after Ctrl-C."""
    logging.basicConfig(format="minidnn: %(message)s")
    logging.getLogger("kernels").setLevel(logging.INFO)
    try:
        app(prog_name="minidnn")
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        print(f"minidnn: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("minidnn: interrupted", file=sys.stderr)
        sys.exit(130)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
