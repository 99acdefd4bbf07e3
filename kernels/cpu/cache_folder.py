"""Where compiled code is kept between processes."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


def cache_folder() -> Path | None:
    """Return where compiled kernels are kept: $MINIDNN_CACHE_DIR, or the user's cache folder.

    Where that cannot be written, or where others could have put files, a folder among the temporary files
    takes its place. None if that is no better; kernels are then compiled anew by every process.
    """
    return _safe_folder(os.environ.get("MINIDNN_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME"))


@functools.cache
def _safe_folder(own: str | None, shared: str | None) -> Path | None:
    for candidate in _candidates(own, shared):
        try:
            candidate.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_ours(candidate):
                tempfile.TemporaryFile(dir=candidate).close()
                return candidate
        except OSError:
            continue
    return None


def _candidates(own: str | None, shared: str | None) -> Iterator[Path]:
    if own:
        yield Path(own)
    else:
        with contextlib.suppress(RuntimeError):  # a user without a home
            yield Path(shared or Path.home() / ".cache") / "minidnn"
    user = os.getuid() if hasattr(os, "getuid") else 0
    with contextlib.suppress(FileNotFoundError):  # a system where nothing temporary can be written
        yield Path(tempfile.gettempdir()) / f"minidnn-{user}"


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have put files there: code is loaded from this folder."""
    if not hasattr(os, "getuid"):
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & stat.S_IWOTH
