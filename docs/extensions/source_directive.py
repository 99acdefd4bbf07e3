"""The directive `source`: a definition of the project, with the file and line where it stands, or a file.

    :::{source} kernels/conv2d/reference.py conv2d_forward_loops
    :::

A name that is not in the file ends the build.
"""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from excerpts import ROOT, excerpt
from sphinx.application import Sphinx
from sphinx.directives.code import container_wrapper
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective


class SourceDirective(SphinxDirective):
    """Show a definition by its file and name, or a whole file."""

    required_arguments = 1
    optional_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"without-docstring": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the highlighted block under a caption that says where it stands."""
        path, name = (*self.arguments, None)[:2]
        try:
            found = excerpt(path, name, docstring="without-docstring" not in self.options)
        except (LookupError, FileNotFoundError) as error:
            raise ExtensionError(f"{self.env.docname}: {error}") from error
        self.env.note_dependency(str(ROOT / path))
        block = nodes.literal_block(found.text, found.text, language=found.language)
        self.set_source_info(block)
        caption = f"`{path}`, line {found.line}" if name else f"`{path}`"
        return [container_wrapper(self, block, caption)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("source", SourceDirective)
    return {"parallel_read_safe": True}
