"""The commands: exit status, and mistakes told in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_every_command_explains_itself() -> None:
    text = run("--help").stdout
    for command in (
        "kernels",
        "networks",
        "training",
        "engine",
        "augmentation",
        "gpu",
        "ladder",
        "report",
        "race",
        "shapes",
    ):
        assert command in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kernels", "--operation", "conv9d"), "benchmarks: operation 'conv9d' has no cases"),
        (("engine", "--threads", "9999"), "benchmarks: threads must be between 1 and the"),
        (("race", "nothing.py", "--quick"), "benchmarks: nothing.py is not a file"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.strip().splitlines()[-1].startswith(message)


@pytest.mark.slow
def test_the_engine_is_measured_resumed_and_stored(tmp_path) -> None:
    pytest.importorskip("torch")
    arguments = ("engine", "--quick", "--threads", "1", "--results", str(tmp_path))
    assert run(*arguments).returncode == 0
    rows = json.loads((tmp_path / "engine.json").read_text())["rows"]
    assert set(rows) == {"scalar addition", "lenet5 batch 1"}
    again = run(*arguments)
    assert again.returncode == 0
    assert "2 of 2 rows are there already" in again.stdout + again.stderr
    assert json.loads((tmp_path / "engine.json").read_text())["rows"] == rows
