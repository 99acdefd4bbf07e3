"""Compiled kernels on disk, so that only the first process on a machine waits for the compiler.

A compiled function is kept under a hash of everything it was made from: its own code, the sources of its file
and of all kernel files that this one imports, the versions of Numba and Python, the processor. Numba's own
cache looks only at the function's own file and misses an edited callee, and two processes that write it at
the same time can give one kernel's file another kernel's name.

A compiled function is found by its symbol, in which Numba writes its name, its arguments' types and a number
that tells functions of one name apart. Numba counts these numbers from 1 in every process; but of two
functions of one name that two processes compiled as their 86th, a third process, which loads both, would take
the first for both. So every process counts from a random number here.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import itertools
import logging
import os
import pickle
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import bytecode, compiler, config, serialize
from numba.core.caching import _Cache

from kernels.cpu.cache_folder import cache_folder

VERSIONS = numba.__version__, llvmlite.__version__, np.__version__, sys.version
# Part of every key: changes when what a file holds means something else.
FORMAT = 2
DIGEST_SIZE = hashlib.sha256().digest_size


def _count_from_a_random_number() -> None:
    """Make the symbols of functions that are compiled from now on different from those of other processes."""
    bytecode.FunctionIdentity._unique_ids = itertools.count(secrets.randbits(62))


_count_from_a_random_number()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_from_a_random_number)


@functools.cache
def _announce() -> None:
    """Say once why the first use of a kernel takes seconds; shown where logging shows INFO."""
    logging.getLogger("kernels").info("compiling kernels for this machine; later runs find them compiled")


class _Store(_Cache):  # type: ignore[misc]
    """What Numba asks before it compiles `function`, and tells after; one file per signature.

    A file's name is the hash of all that it depends on, and it appears whole or not at all: processes that
    compile the same kernel at the same time write the same file. It begins with the hash of its content; one
    that was damaged is not read but written again.
    """

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any], role: str) -> None:
        self._function = function
        self._options = options
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
        content = None if path is None else _read(path)
        if content is None:
            _announce()
            return None
        return compiler.CompileResult._rebuild(target_context, *pickle.loads(content))

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a compilation."""
        path = self._path(signature, result.codegen)
        if path is None or result.library.has_dynamic_globals or any(not x.can_cache for x in result.lifted):
            return
        _write(path, serialize.dumps(result._reduce()))

    def _path(self, signature: Any, codegen: Any) -> Path | None:
        folder = cache_folder() if self._enabled else None
        if folder is None:
            return None
        made_from = (
            identity(self._function),
            [(name, _ordered(value)) for name, value in sorted(self._options.items())],
            self._role,
            str(signature),
            codegen.magic_tuple(),
            VERSIONS,
            FORMAT,
        )
        digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:32]
        return folder / f"{self._function.__module__}-{self._role}-{digest}.kernel"


def kept(dispatcher: Any, function: Callable[..., Any], role: str = "body") -> Any:
    """Give a Numba dispatcher our store; with the JIT switched off there is none.

    Args:
        dispatcher: what compiles.
        function: what it is made from.
        role: tells what is made from the same function apart.
    """
    if not config.DISABLE_JIT:
        _source(function.__module__)  # now: it may be edited while this process runs
        dispatcher._cache = _Store(function, dispatcher.targetoptions, role)
    return dispatcher


def _ordered(value: Any) -> Any:
    """Sets print in another order in every process."""
    return sorted(value) if isinstance(value, set) else value


# ---- files -----------------------------------------------------------------------------------------


def _read(path: Path) -> bytes | None:
    """Return a file's content; None if there is none, or one that is not as it was written."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, content = data[:DIGEST_SIZE], data[DIGEST_SIZE:]
    return content if hashlib.sha256(content).digest() == digest else None


def _write(path: Path, content: bytes) -> None:
    """Write a file at once; a full or read-only disk only costs the next process its time."""
    try:
        file = tempfile.NamedTemporaryFile(dir=path.parent, delete=False)  # noqa: SIM115 - closed below
    except OSError:
        return
    try:
        with file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(file.name, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(file.name)


# ---- what a kernel is made from --------------------------------------------------------------------


def identity(function: Callable[..., Any]) -> str:
    """Return a text that says which code a function is, and everything that it is made from.

    Functions made by the same lines differ by what their closures hold, lambdas of one line by their code.
    """
    place = f"{function.__module__}.{function.__qualname__}:{function.__code__.co_firstlineno}"
    held = [_described(cell.cell_contents) for cell in function.__closure__ or ()]
    code = _code_text(function.__code__)
    return f"{place} {code} {function.__defaults__} {held} {source_hash(function.__module__)}"


def _code_text(code: CodeType) -> str:
    """A function's instructions with the names and constants they refer to, those of inner functions too."""
    constants = [_code_text(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {code.co_freevars} {constants}"


def _described(value: Any) -> str:
    """What a closure holds: a function, compiled or not, by its identity, anything else as it prints."""
    function = getattr(getattr(value, "body", value), "py_func", value)
    return identity(function) if isinstance(function, FunctionType) else repr(value)


@functools.cache
def source_hash(module: str) -> str:
    """Return a hash of the sources of a module and of all modules of `kernels` that it imports."""
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            source = _source(name)
            seen[name] = hashlib.sha256(source).hexdigest()
            waiting += _imports(source)
    return hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()


@functools.cache
def _source(module: str) -> bytes:
    """The source of a loaded module; nothing for what is none."""
    path = getattr(sys.modules.get(module), "__file__", None)
    return b"" if path is None else Path(path).read_bytes()


@functools.cache
def _imports(source: bytes) -> list[str]:
    """What a source imports from `kernels`; of `from kernels import simd` both may be a module."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.partition(".")[0] == "kernels"]
