"""The trace of a model: everything that was recorded while it ran once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernels.array import check_integer
from minidnn.html import html_table
from minidnn.tracing.chrome import trace_as_chrome
from minidnn.tracing.graph import as_svg, trace_as_dot
from minidnn.tracing.json_file import trace_as_json
from minidnn.tracing.records import ModuleRecord, OperationRecord
from minidnn.tracing.table import HEADINGS, make_table, row, sums
from minidnn.whole_file import write_whole

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Trace:
    """What a model did with an input; `minidnn.trace` makes it.

    Attributes:
        operations: in order of execution.
        modules: parents before their children.
        output: what the model returned, without history.
    """

    operations: tuple[OperationRecord, ...]
    modules: tuple[ModuleRecord, ...]
    output: Any

    def within(self, path: str) -> tuple[OperationRecord, ...]:
        """Return the operations of a module and of all below it; "" is the whole model."""
        start = f"{path}." if path else ""
        return tuple(
            record for record in self.operations if record.module == path or record.module.startswith(start)
        )

    def table(self) -> Table:
        """Return a table for the terminal (`rich.print(trace.table())`), one row per operation, and sums.

        Activation and gradient are given as mean ± standard deviation, a kernel as backend and version.
        """
        return make_table(self.operations)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the records as JSON, under their fields' names and without arrays; atomically.

        Raises:
            OSError: the file cannot be written.
        """
        write_whole(path, trace_as_json(self.operations, self.modules).encode())

    def to_chrome(self, path: str | os.PathLike[str]) -> None:
        """Write modules, operations and kernels as bars over time, for chrome://tracing or ui.perfetto.dev.

        Raises:
            OSError: the file cannot be written.
        """
        write_whole(path, trace_as_chrome(self.operations, self.modules[0].class_name).encode())

    def to_dot(self, depth: int | None = None) -> str:
        """Return the graph in Graphviz's language.

        Args:
            depth: modules that deep become one node with summed figures each (1: the model's children, such
                as ResNet's stages); None: every operation is a node.

        Raises:
            ValueError: a depth below 1.
            TypeError: a depth that is not an integer.
        """
        if depth is not None:
            check_integer("depth", depth, minimum=1)
        return trace_as_dot(self.operations, self.modules, depth)

    def to_svg(self, path: str | os.PathLike[str], depth: int | None = None) -> None:
        """Write the graph as a picture; see `to_dot`.

        Raises:
            FileNotFoundError: Graphviz's program `dot` is not installed.
            OSError: the file cannot be written.
            ValueError, TypeError: as `to_dot`.
        """
        write_whole(path, as_svg(self.to_dot(depth)))

    def __repr__(self) -> str:
        return f"<Trace of {self.modules[0].class_name}: {len(self.operations)} operations>"

    def _repr_html_(self) -> str:
        """What Jupyter shows."""
        operations = list(self.operations)
        return html_table(HEADINGS, map(row, operations), sums(operations))
