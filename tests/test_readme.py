"""README's Python blocks run, and its commands are those that .ci/run and the program know."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.partition("#")[0].strip() for line in README.splitlines() if line.startswith("minidnn ")]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[-1][:40])
def test_python_blocks_run(block: str) -> None:
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})


def test_the_first_example_is_short() -> None:
    assert len(BLOCKS[0].strip().splitlines()) <= 12


def test_there_are_exactly_two_set_up_commands() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert lines[0].endswith("minidnn train lenet5")
    assert lines[1].endswith("pytest")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command: str) -> None:
    import typer

    from models.command_line import app

    group = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    subcommand = group.get_command(None, words[0])  # type: ignore[attr-defined]
    assert subcommand is not None, f"{words[0]} is no subcommand"
    known = {option for parameter in subcommand.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
