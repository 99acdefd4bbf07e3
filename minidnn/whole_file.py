"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import time
from pathlib import Path

_ABANDONED = 600  # seconds after which a partial file of another process is taken for a killed run's


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write beside `path`, flush to the disk, then rename: a reader sees the old file or the new one.

    Raises:
        OSError: the file cannot be written; it is then what it was.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, a file is needed")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _remove_abandoned(path)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if os.name == "posix":
        _flush_entries(path.parent)


def _flush_entries(folder: Path) -> None:
    """Have the operating system put a folder's entries on the disk: the rename is there to stay."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(path: Path) -> None:
    """Remove what runs left behind that were killed while they wrote this file."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _ABANDONED:
                leftover.unlink()
