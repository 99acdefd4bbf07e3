"""Compiled kernels on disk, so that only the first process on a machine waits for the compiler.

A compiled function is kept under a hash of everything it was made from: its own code, the sources of its file
and of all kernel files that this one imports, the versions of Numba and Python, the processor. Numba's own
cache looks only at the function's own file and misses an edited callee, and two processes that write it at
the same time can give one kernel's file another kernel's name.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import compiler, config, serialize
from numba.core.caching import _Cache


def cache_folder() -> Path | None:
    """Return where compiled kernels are kept: $MINIDNN_CACHE_DIR, or the user's cache folder.

    None where nothing can be written; kernels are then compiled anew by every process.
    """
    return _writable_folder(os.environ.get("MINIDNN_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME"))


@functools.cache
def _writable_folder(own: str | None, shared: str | None) -> Path | None:
    folder = Path(own) if own else Path(shared or Path.home() / ".cache") / "minidnn"
    temporary = Path(tempfile.gettempdir()) / f"minidnn-{os.getuid() if hasattr(os, 'getuid') else 0}"
    for candidate in (folder, temporary):
        try:
            candidate.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=candidate).close()
        except OSError:
            continue
        if _is_ours(candidate):
            return candidate
    return None


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have put files there: code is loaded from this folder."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


class _Store(_Cache):  # type: ignore[misc]
    """What Numba asks before it compiles `function`, and tells after; one file per signature.

    A file's name is the hash of all that it depends on, and it appears whole or not at all: processes that
    compile the same kernel at the same time write the same file.
    """

    def __init__(self, function: Callable[..., Any], role: str) -> None:
        self._function = function
        self._role = role
        self._enabled = True

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Files are never stale: whatever changes changes their name."""

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the kept compilation, or None."""
        target_context.refresh()
        path = self._path(signature, target_context.codegen())
        if path is None:
            return None
        try:
            payload = pickle.loads(path.read_bytes())
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        return compiler.CompileResult._rebuild(target_context, *payload)

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a compilation; a full or read-only disk only costs the next process its time."""
        path = self._path(signature, result.codegen)
        if path is None or result.library.has_dynamic_globals or any(not x.can_cache for x in result.lifted):
            return
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(serialize.dumps(result._reduce()))
            os.replace(file.name, path)
        except OSError:
            pass

    def _path(self, signature: Any, codegen: Any) -> Path | None:
        folder = cache_folder() if self._enabled else None
        if folder is None:
            return None
        made_from = (
            identity(self._function),
            str(signature),
            codegen.magic_tuple(),
            numba.__version__,
            sys.version,
        )
        digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:32]
        return folder / f"{self._function.__module__}-{self._role}-{digest}.kernel"


def kept(dispatcher: Any, function: Callable[..., Any]) -> Any:
    """Give a Numba dispatcher our store; with the JIT switched off there is none."""
    if not config.DISABLE_JIT:
        role = "launch" if dispatcher.targetoptions.get("parallel") else "body"
        dispatcher._cache = _Store(function, role)
    return dispatcher


def identity(function: Callable[..., Any]) -> str:
    """Return a text that says which code a function is, and everything that it is made from.

    Functions made by the same lines differ by what their closures hold, lambdas by their code.
    """
    code = function.__code__
    numbers = [constant for constant in code.co_consts if isinstance(constant, int | float | str)]
    held = [_described(cell.cell_contents) for cell in function.__closure__ or ()]
    place = f"{function.__module__}.{function.__qualname__}:{code.co_firstlineno}"
    return f"{place} {code.co_code.hex()} {numbers} {held} {source_hash(function.__module__)}"


def _described(value: Any) -> str:
    """What a closure holds: a compiled function by its identity, anything else as it prints."""
    function = getattr(value, "py_func", None)
    return repr(value) if function is None else identity(function)


@functools.cache
def source_hash(module: str) -> str:
    """Return a hash of the sources of a module and of all modules of `kernels` that it imports."""
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = getattr(sys.modules.get(name), "__file__", None)
        if name in seen or path is None:
            continue
        seen[name] = Path(path).read_bytes()
        waiting += _imports(seen[name])
    return hashlib.sha256(b"".join(seen[name] for name in sorted(seen))).hexdigest()


def _imports(source: bytes) -> list[str]:
    """The modules of `kernels` that a source imports from."""
    nodes = ast.walk(ast.parse(source))
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return [name for name in names if name.partition(".")[0] == "kernels"]
