"""Rules of the house that no single module can keep: floors, circles, light imports."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ["kernels", "minidnn", "models"]
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imported(path: Path, *, top_level_only: bool) -> set[str]:
    """The project's modules that a file imports; a function's own imports count unless top level is asked."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in MODULES else node.module)
    return names & MODULES.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    floor = FLOORS.index(path.relative_to(ROOT).parts[0])
    above = {
        name for name in imported(path, top_level_only=False) if FLOORS.index(name.split(".")[0]) > floor
    }
    assert not above, f"{path.name} reaches up to {above}"


def test_no_import_circles() -> None:
    """Files import each other in one direction. A package's own file re-exports and is no step on the way."""
    graph = {name: imported(path, top_level_only=True) - {name} for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        assert name not in trail, f"circle: {' -> '.join([*trail, name])}"
        if name in done:
            return
        for other in sorted(graph[name]):
            visit(other, [*trail, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])


def test_import_is_light() -> None:
    """Nothing heavy is imported until something needs it."""
    heavy = ("numba", "cupy", "matplotlib", "PIL", "torch", "rich", "typer")
    program = f"import sys, minidnn, models; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_foreign_kernels_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text("")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import minidnn"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: minidnn needs its own package 'kernels', but ")
    assert "kernels.py" in last


def test_no_place_of_this_machine_is_named() -> None:
    """Sources speak of relative paths only."""
    for path in FILES:
        text = path.read_text()
        assert str(ROOT) not in text, path
