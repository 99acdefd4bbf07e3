"""The ladders of kernels as text: every version with its idea and the source of what it consists of.

A version's source is its function and what that uses of the operation's own folder: compiled bodies, helpers,
and the `.cu` files that it launches. What several versions use is kept once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from kernels import registry
from models.explorer.schema import Ladder, Text, VersionText

ROOT = Path(registry.__file__).parent.parent


class Library:
    """Source texts, each kept once.

    Attributes:
        texts: the pieces, in the order in which they were asked for.
    """

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self._places: dict[tuple[str, int], int] = {}

    def add(self, text: Text) -> int:
        """Return the piece's number."""
        place = text.file, text.line
        if place not in self._places:
            self._places[place] = len(self.texts)
            self.texts.append(text)
        return self._places[place]

    def ladder(self, operation: str) -> Ladder:
        """Return an operation's ladder; its pieces are added to the texts.

        Raises:
            ValueError: an unknown operation.
        """
        contract = registry.contract(operation)
        folder = Path(contract.__code__.co_filename).parent
        versions = tuple(
            VersionText(row.backend, row.name, row.idea, tuple(map(self.add, pieces(row, folder))))
            for row in registry.ladders(operation)
        )
        return Ladder(operation, inspect.getdoc(contract) or "", versions)


def pieces(version: registry.Version, folder: Path) -> list[Text]:
    """Return a version's source: its function and what that uses of its file's folder or of `folder`.

    What stands in the backend's own files comes first: the way there leads through helpers of all backends.
    """
    homes = {_home(version.function), folder}
    found: dict[int, Text] = {}
    waiting: list[Any] = [version.function]
    while waiting:
        value = waiting.pop(0)
        text = None if id(value) in found else _text(value)
        if text is not None:
            found[id(value)] = text
            waiting += [used for used in _used(value) if _home(used) in homes]
    texts = {(text.file, text.line): text for text in found.values()}.values()
    return sorted(texts, key=lambda text: not _is_of(version.backend, text))


def _is_of(backend: str, text: Text) -> bool:
    return Path(text.file).name.startswith(backend) or text.file.endswith(".cu")


def _home(value: Any) -> Path | None:
    """The folder where a function or a CUDA source stands."""
    path = getattr(value, "path", None)
    if isinstance(path, Path):
        return path.parent
    function = _python_function(value)
    return None if function is None else Path(function.__code__.co_filename).parent


def _python_function(value: Any) -> FunctionType | None:
    """The Python function in a partial, a compiled function or a kernel."""
    if isinstance(value, functools.partial):
        return _python_function(value.func)
    value = getattr(value, "__wrapped__", getattr(value, "py_func", value))
    return value if isinstance(value, FunctionType) else None


def _text(value: Any) -> Text | None:
    path = getattr(value, "path", None)
    if isinstance(path, Path):
        return Text(_relative(path), 1, path.read_text("utf-8"))
    function = _python_function(value)
    if function is None:
        return None
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):  # made by a program
        return None
    return Text(_relative(Path(function.__code__.co_filename)), first, inspect.cleandoc("".join(lines)))


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def _used(value: Any) -> Iterator[Any]:
    """The functions and CUDA sources that a function names or holds in its cells."""
    if isinstance(value, functools.partial):
        yield from (part for part in (*value.args, *value.keywords.values()) if callable(part))
    function = _python_function(value)
    if function is None:
        return
    for cell in function.__closure__ or ():
        yield from _candidates(cell.cell_contents)
    for name in _names(function.__code__):
        yield from _candidates(function.__globals__.get(name))


def _candidates(value: Any) -> Iterator[Any]:
    if callable(value) or isinstance(getattr(value, "path", None), Path):
        yield value


def _names(code: CodeType) -> Iterator[str]:
    """The global names in a function and in the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
