"""The directive `terminal`: a command of the program, and what it prints when the pages are built.

    :::{terminal} minidnn explain max_pool2d
    :::

A command that fails ends the build.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import Any

from docutils import nodes
from excerpts import ROOT
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

# A terminal of fixed width without colours.
TERMINAL = {"COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": str(ROOT)}


class TerminalDirective(SphinxDirective):
    """Run `minidnn ...` and show the command with its output."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return one block: the command after a prompt, then what it printed."""
        command = self.arguments[0]
        program, *words = shlex.split(command)
        if program != "minidnn":
            raise ExtensionError(f"{self.env.docname}: terminal runs minidnn only, got {command!r}")
        result = subprocess.run(
            [sys.executable, "-m", "models.command_line", *words],
            env={**os.environ, **TERMINAL},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise ExtensionError(f"{self.env.docname}: {command} failed: {result.stderr[-500:]}")
        text = f"$ {command}\n{result.stdout.rstrip()}"
        block = nodes.literal_block(text, text, language="text", classes=["terminal"])
        self.set_source_info(block)
        return [block]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("terminal", TerminalDirective)
    return {"parallel_read_safe": True}
