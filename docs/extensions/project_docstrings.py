"""The project's docstrings as Sphinx wants them.

They are written to be read in an editor: formulas are indented, and what stands in a formula or a name
(`*`, `_`, `|`) means itself. Before napoleon sees a docstring, its formulas become literal blocks and such
marks are escaped.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

SECTIONS = (
    "Shapes:",
    "Dtypes:",
    "Edge contract:",
    "Args:",
    "Raises:",
    "Source:",
    "Sources:",
    "Attributes:",
    "Returns:",
)
CODE = re.compile(r"(`[^`]*`)")
MARKS = re.compile(r"([*|_\\])")


def convert(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring's lines in place."""
    # napoleon takes a property's first line for "type: description", but not a blank one.
    result: list[str] = [""] if what in ("attribute", "data", "property") else []
    in_section = literal = False
    for line in lines:
        indented = line.startswith("    ")
        if line.startswith(SECTIONS):
            in_section, literal = True, False
            heading, _, rest = line.partition(":")
            result += ["", f"{heading}:"]
            if rest.strip():
                result.append("    " + escaped(rest.strip()))
        elif in_section and (indented or not line.strip()):
            result.append(escaped(line))
        elif not line.strip():
            result.append("")
        elif indented:
            if not literal:
                result += ["", "::", ""]
            literal = True
            result.append(line)
        else:
            if literal:
                result.append("")
            in_section = literal = False
            result.append(escaped(line))
    lines[:] = [*result, ""]


def escaped(line: str) -> str:
    """The line with every mark outside of code standing for itself."""
    parts = CODE.split(line)
    return "".join(part if part.startswith("`") else MARKS.sub(r"\\\1", part) for part in parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", convert, priority=400)
    return {"parallel_read_safe": True}
