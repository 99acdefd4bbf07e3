"""A file's text, or a function's, class's or CUDA kernel's in it, found by its name.

The pages include code through this file, so what they show is what runs; a name that is gone is an error.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Excerpt(NamedTuple):
    """A piece of a source file.

    Attributes:
        line: the number of its first line in the file.
        text: its lines, without common indentation.
        language: the highlighter's name for it.
    """

    line: int
    text: str
    language: str


def excerpt(path: str, name: str | None = None, *, docstring: bool = True) -> Excerpt:
    """Return what `name` is in a file of the project, or the whole file.

    Args:
        path: the file, relative to the project: Python (`.py`) or CUDA C (`.cu`, `.cuh`, `.h`).
        name: in Python a function, a class, `Class.method` or an assigned name; in CUDA C a kernel, device
            function, struct or macro.
        docstring: whether a Python definition is shown with its docstring.

    Raises:
        LookupError: the file has no such name.
        FileNotFoundError: there is no such file.
    """
    text = (ROOT / path).read_text()
    if name is None:
        return Excerpt(1, text, "python" if path.endswith(".py") else "cuda")
    lines = text.splitlines()
    if path.endswith(".py"):
        return _from_python(path, lines, name, docstring)
    return _from_cuda(path, lines, name)


# ---- Python ----------------------------------------------------------------------------------------


def _from_python(path: str, lines: list[str], name: str, docstring: bool) -> Excerpt:
    node: ast.AST = ast.parse("\n".join(lines))
    for part in name.split("."):
        node = _member(node, part, f"{path} has no {name}")
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])  # type: ignore[attr-defined]
    kept = list(range(first - 1, node.end_lineno))  # type: ignore[attr-defined]
    if not docstring:
        hidden = _docstring_lines(node)
        kept = [number for number in kept if number not in hidden]
    return Excerpt(first, _dedented([lines[number] for number in kept]), "python")


def _member(node: ast.AST, name: str, message: str) -> ast.AST:
    """The definition or assignment of a name directly inside a module or class."""
    for child in getattr(node, "body", []):
        if getattr(child, "name", None) == name:
            return child
        targets = child.targets if isinstance(child, ast.Assign) else [getattr(child, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return child
    raise LookupError(message)


def _docstring_lines(node: ast.AST) -> set[int]:
    """The lines, counted from 0, of a definition's docstring and of a blank line after it."""
    body = getattr(node, "body", None)
    if not body or ast.get_docstring(node) is None:  # type: ignore[arg-type]
        return set()
    following = body[1].lineno if len(body) > 1 else body[0].end_lineno + 1
    return set(range(body[0].lineno - 1, following - 1))


# ---- CUDA C ----------------------------------------------------------------------------------------


def _from_cuda(path: str, lines: list[str], name: str) -> Excerpt:
    found = _definition(lines, name)
    if found is None:
        raise LookupError(f"{path} has no {name}")
    first = last = found
    if lines[found].startswith("#define"):
        while lines[last].endswith("\\"):
            last += 1
    else:
        depth, opened = 0, False
        while not opened or depth > 0:
            line = lines[last].partition("//")[0]
            depth += line.count("{") - line.count("}")
            opened = opened or "{" in line
            last += 1
        last -= 1
    # A signature's first lines, and the comment that says what the function computes.
    while first > 0 and lines[first - 1].startswith(("//", "extern", "template")):
        first -= 1
    return Excerpt(first + 1, "\n".join(lines[first : last + 1]), "cuda")


def _definition(lines: list[str], name: str) -> int | None:
    """The line where a kernel, function, struct or macro of this name begins to be defined."""
    escaped = re.escape(name)
    pattern = re.compile(
        rf"^(#define {escaped}\b|struct {escaped}\b"
        rf"|((extern|__device__|__global__|static)\b.*\b)?(?<!\.){escaped}\()"
    )
    for number, line in enumerate(lines):
        if pattern.match(line):
            return number
    return None


def _dedented(lines: list[str]) -> str:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)
