"""`minidnn trace`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import minidnn
import models
from models import command_line


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command_line.app, ["trace", *map(str, arguments)])


def test_the_table_and_where_weights_and_image_come_from() -> None:
    result = run("lenet5")
    assert result.exit_code == 0, result.output
    assert result.output.count("Conv2d") == 3
    assert "61,706" in result.output
    assert "untrained" in result.output
    assert "handwritten" in result.output


def test_files(tmp_path: Path) -> None:
    arguments = ["--json", tmp_path / "trace.json", "--chrome", tmp_path / "chrome.json"]
    if shutil.which("dot"):
        arguments += ["--svg", tmp_path / "graph.svg", "--depth", 1]
    result = run("lenet5", *arguments)
    assert result.exit_code == 0, result.output
    assert len(json.loads((tmp_path / "trace.json").read_text())["operations"]) == 12
    assert "traceEvents" in json.loads((tmp_path / "chrome.json").read_text())
    if shutil.which("dot"):
        assert "c3: Conv2d" in (tmp_path / "graph.svg").read_text()


def test_weights_and_image(tmp_path: Path) -> None:
    """All weights zero: the scores are the last bias."""
    pillow = pytest.importorskip("PIL.Image")
    pillow.new("L", (40, 32), 128).save(tmp_path / "grey.png")
    network = models.lenet5()
    for parameter in network.parameters():
        parameter.data[...] = 0
    network.output.bias.data[3] = 5
    minidnn.save(network, tmp_path / "zeros.safetensors")
    result = run(
        "lenet5",
        *("--weights", tmp_path / "zeros.safetensors"),
        *("--image", tmp_path / "grey.png"),
        *("--json", tmp_path / "trace.json"),
    )
    assert result.exit_code == 0, result.output
    last = json.loads((tmp_path / "trace.json").read_text())["operations"][-1]
    assert last["outputs"][0]["statistics"]["maximum"] == 5
    assert last["outputs"][0]["statistics"]["zeros"] == 9


def test_an_unknown_model_is_named() -> None:
    assert "lenet55" in str(run("lenet55").exception)
