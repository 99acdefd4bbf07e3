"""The example of docs/add_a_layer.md, put into a copy of the project, passes the project's own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

EXAMPLE = DOCS / "examples" / "prelu"
CHOSEN = [
    "tests/kernels/test_registry.py",
    "tests/minidnn/functional/test_prelu.py",
    "tests/test_house.py",
]


def copy_of_the_project(folder: Path) -> Path:
    """The floors and their tests, with the example's files where the page says they go."""
    waste = shutil.ignore_patterns("__pycache__", "stored", "references")
    for name in ("kernels", "minidnn", "models", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=waste)
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_the_example_passes_the_projects_tests(tmp_path: Path, *, compiled: bool) -> None:
    """Without the compiler, where a kernel's body runs as Python, and with it."""
    project = copy_of_the_project(tmp_path)
    # What this run's pytest is told, coverage above all, is not for the copy's.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV_", "COVERAGE_", "PYTEST_"))
    }
    environment |= {"PYTHONPATH": str(project), "NUMBA_DISABLE_JIT": str(int(not compiled))}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "prelu", *CHOSEN],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
    assert " passed" in result.stdout


def test_the_page_shows_every_file() -> None:
    page = (DOCS / "add_a_layer.md").read_text()
    for path in EXAMPLE.rglob("*.py"):
        if path.stat().st_size and "__pycache__" not in path.parts:
            assert f":::{{source}} {path.relative_to(ROOT)}\n" in page, path
