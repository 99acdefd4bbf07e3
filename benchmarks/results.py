"""Results on disk: one JSON file per benchmark, machine and thread count, whole after every row.

A file says what it was measured on (its header) and holds its rows by key. A run that was interrupted goes on
where it stopped: rows that are there are not measured again. Rows of another machine, thread count or package
version are never mixed with new ones; those of another state of the sources only where a run asks for it, and
a row then names its own.
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
SOURCES = "sources"
# Parts of a header that must be equal for rows to stand in one file.
IDENTITY = ("machine", "threads", "quick", SOURCES)

Row = dict[str, Any]


@dataclass
class Store:
    """A file of results.

    Attributes:
        path: the file.
        header: machine, threads, versions, peak and date.
        rows: measured rows by key.
        refused: why rows were not kept, by key.
        now: sources and date of the present run, where they are not the header's.
    """

    path: Path
    header: dict[str, Any]
    rows: dict[str, Row] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    now: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any], fresh: bool = False, again: bool = False) -> Store:
        """Open a file to add rows to.

        Args:
            path: the file.
            header: what the new rows are measured on.
            fresh: forget what is there.
            again: rows of other sources stay until they are measured again; a new row then says its sources.

        Raises:
            ValueError: the file's rows were measured on something else.
        """
        if fresh or not path.exists():
            return cls(path, dict(header))
        store = cls.read(path)
        for name in IDENTITY:
            if store.header.get(name) != header.get(name) and not (again and name == SOURCES):
                raise ValueError(
                    f"{path.name} was measured with another {name} ({store.header.get(name)}, now "
                    f"{header.get(name)}); pass --fresh to measure anew or --results for another folder"
                )
        same = store.header.get(SOURCES) == header.get(SOURCES)
        now = {} if same else {SOURCES: header[SOURCES], "date": header["date"]}
        return cls(path, {**header, **store.header}, store.rows, now=now)

    @classmethod
    def read(cls, path: Path) -> Store:
        """Read a file."""
        stored = json.loads(path.read_text())
        return cls(path, stored["header"], stored["rows"], stored["refused"])

    def has(self, key: str) -> bool:
        """Whether the row is there, by the sources of the present run."""
        return key in self.rows and self.rows[key].get(SOURCES) == self.now.get(SOURCES)

    def later(self) -> list[Row]:
        """The rows that were measured by other sources than the header's."""
        return [row for row in self.rows.values() if SOURCES in row]

    def add(self, key: str, row: Row) -> None:
        """Keep a row, on disk."""
        self.rows[key] = {**row, **self.now}
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
