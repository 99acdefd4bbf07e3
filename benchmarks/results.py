"""Results on disk: one JSON file per benchmark, machine and thread count, whole after every row.

A file says what it was measured on (its header) and holds its rows by key. A run that was interrupted goes on
where
it stopped: rows that are there are not measured again. Rows of another machine, thread count, package version
or another state of the sources are never mixed with new ones.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
FLOORS = ("kernels", "minidnn", "models")
# Parts of a header that must be equal for rows to stand in one file.
IDENTITY = ("machine", "threads", "quick", "sources")

Row = dict[str, Any]


@dataclass
class Store:
    """A file of results.

    Attributes:
        path: the file.
        header: machine, threads, versions, peak and date.
        rows: measured rows by key.
        refused: why rows were not kept, by key.
    """

    path: Path
    header: dict[str, Any]
    rows: dict[str, Row] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any], fresh: bool = False) -> Store:
        """Open a file to add rows to; `fresh` forgets what is there.

        Raises:
            ValueError: the file's rows were measured on something else.
        """
        if fresh or not path.exists():
            return cls(path, dict(header))
        store = cls.read(path)
        for name in IDENTITY:
            if store.header.get(name) != header.get(name):
                raise ValueError(
                    f"{path.name} was measured with another {name} ({store.header.get(name)}, now "
                    f"{header.get(name)}); pass --fresh to measure anew or --results for another folder"
                )
        return cls(path, {**header, **store.header}, store.rows)

    @classmethod
    def read(cls, path: Path) -> Store:
        """Read a file."""
        stored = json.loads(path.read_text())
        return cls(path, stored["header"], stored["rows"], stored["refused"])

    def add(self, key: str, row: Row) -> None:
        """Keep a row, on disk."""
        self.rows[key] = row
        self.refused.pop(key, None)
        self.write()

    def refuse(self, key: str, reason: str) -> None:
        """Note that a row was not kept, and why."""
        self.refused[key] = reason
        self.rows.pop(key, None)
        self.write()

    def write(self) -> None:
        """Replace the file by a whole new one: a kill at any moment leaves the old or the new."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part")
        content = {"header": self.header, "rows": self.rows, "refused": self.refused}
        temporary.write_text(json.dumps(content, indent=1) + "\n")
        os.replace(temporary, self.path)


def today() -> str:
    """The date, as headers carry it."""
    return datetime.now(UTC).date().isoformat()


@cache
def source_hash() -> str:
    """A short hash of everything that is measured: the sources of the three floors."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for floor in FLOORS:
        for path in sorted((root / floor).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
