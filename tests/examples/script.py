"""The scripts of examples/, which is no package, as modules, and the tables that they have left there."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"


def load_example(name: str) -> ModuleType:
    """The script of that name as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(path: Path) -> list[dict[str, str]]:
    """A table's rows by column."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
