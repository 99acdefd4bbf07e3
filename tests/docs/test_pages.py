"""What the pages of docs/ show is true: their Python runs, commands and included code exist."""

from __future__ import annotations

import shlex

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, blocks, commands, sources
from tests.docs.surroundings import SURROUNDINGS

WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
WITH_SOURCES = [page for page in PAGES if sources(page)]
COMMANDS = [(page, command) for page in PAGES for command in commands(page)]
# Commands that take no file, and as little time as a block of Python.
ALONE = ("minidnn explain", "minidnn cost")
WALKS = [page for page in PAGES if page.startswith("walks/") and page != "walks/index.md"]


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_python_blocks_run(page: str, tmp_path, monkeypatch) -> None:
    """In the page's order and in one namespace, in an empty folder with what the page says to be there."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    for prepare in SURROUNDINGS.get(page, ()):
        prepare(namespace)
    code = [block for block in blocks(page) if block.language == "python"]
    for block in code:
        source = "\n" * (block.line - 1) + block.text  # so that a traceback names the page's line
        exec(compile(source, str(DOCS / page), "exec"), namespace)
    assert any("assert" in block.text for block in code), f"{page} claims nothing that can be wrong"


@pytest.mark.parametrize("page", WITH_SOURCES)
def test_included_definitions_exist(page: str) -> None:
    from excerpts import excerpt

    for path, name in sources(page):
        assert (name or "").rpartition(".")[2] in excerpt(path, name).text


@pytest.mark.parametrize("page", WALKS)
def test_a_walk_goes_all_the_way(page: str) -> None:
    """Formula, backward, reference, Numba and CUDA, with the code, and something to run."""
    text = (DOCS / page).read_text()
    for heading in ("Formula", "Backward", "Reference", "Numba", "CUDA"):
        assert f"\n## {heading}" in text, heading
    shown = {path.rpartition("/")[2] for path, _ in sources(page)}
    assert any(path.endswith(".py") for path in shown)
    assert any(path.endswith((".cu", ".cuh")) for path in shown)
    assert page in WITH_PYTHON


def test_every_operation_of_a_layer_has_a_walk() -> None:
    """What the walks leave out is what tensors are made of, not layers."""
    without = {"comparison", "creation", "elementwise", "indexing", "matmul", "optimizer_step", "reduction"}
    walked = {
        path.split("/")[1] for page in WALKS for path, _ in sources(page) if path.startswith("kernels/")
    }
    folders = {path.parent.name for path in (ROOT / "kernels").glob("*/reference.py")}
    assert folders - without <= walked


def test_the_reference_has_every_operation() -> None:
    page = (DOCS / "api" / "kernels.md").read_text()
    for path in (ROOT / "kernels").glob("*/reference.py"):
        assert f"automodule:: kernels.{path.parent.name}\n" in page


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: str(value)[:60])
def test_commands_exist(page: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "minidnn":
        _check_minidnn(words[1:])
    elif words[:2] == ["python", "-m"]:
        _check_module(words[2])
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file(), command
    else:
        assert words[0] in ("pip", "pytest"), command


@pytest.mark.parametrize("command", sorted({line for _, line in COMMANDS if line.startswith(ALONE)}))
def test_commands_that_need_no_file_run(command: str) -> None:
    from typer.testing import CliRunner

    from models.command_line import app

    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert result.output.strip()


def _check_minidnn(words: list[str]) -> None:
    import typer

    from models.command_line import app

    subcommand = typer.main.get_command(app).get_command(None, words[0])  # type: ignore[attr-defined]
    assert subcommand is not None, f"{words[0]} is no subcommand"
    if words[0] in ("explain", "cost"):  # whose options are the layer's arguments
        _check_explained(words[1:])
        return
    known = {option for parameter in subcommand.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def _check_explained(words: list[str]) -> None:
    """The layer, or the example of the course notes, is in the catalogue."""
    from minidnn import explanation

    known = {*explanation.names(), *explanation.NOTES, "separable_conv2d"}
    assert not words or words[0].startswith("-") or words[0] in known


def _check_module(name: str) -> None:
    """A module of the project, or a tool that an extra installs."""
    parts = name.split(".")
    inside = any((ROOT / "/".join(parts)).with_suffix(end).exists() for end in ("", ".py"))
    assert inside or name in ("pip", "sphinx", "pytest", "jupyter", "venv", "http.server"), name
