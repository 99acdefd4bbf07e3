"""The pages of docs/ as the tests see them: their blocks, and the definitions that they include."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if "_build" not in path.relative_to(DOCS).parts
)

sys.path.append(str(DOCS / "extensions"))

FENCE = re.compile(r"^(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)", re.M | re.S)
DIRECTIVE = re.compile(r"^:::\{source\} (?P<path>\S+)(?: (?P<name>\S+))?$", re.M)
TERMINAL = re.compile(r"^:::\{terminal\} (?P<command>.+)$", re.M)


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        language: what stands behind the fence.
        line: the line of the page where its text begins, from 1.
        text: what is in it.
    """

    language: str
    line: int
    text: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in their order."""
    text = (DOCS / page).read_text()
    return [
        Block(match["language"].strip(), text.count("\n", 0, match.start("text")) + 1, match["text"])
        for match in FENCE.finditer(text)
    ]


def commands(page: str) -> list[str]:
    """The commands of a page's shell blocks, and those whose output it shows."""
    lines = [
        line.partition(" #")[0].strip()
        for block in blocks(page)
        if block.language == "sh"
        for line in block.text.splitlines()
    ]
    shown = [match["command"] for match in TERMINAL.finditer((DOCS / page).read_text())]
    return [line for line in lines + shown if line]


def sources(page: str) -> list[tuple[str, str | None]]:
    """The (file, name) of every definition that a page includes; no name stands for the whole file."""
    return [(match["path"], match["name"]) for match in DIRECTIVE.finditer((DOCS / page).read_text())]
