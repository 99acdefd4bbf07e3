"""A trace as a graph in Graphviz's DOT language, folded by module, and as SVG by its program `dot`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from minidnn.tracing.records import ModuleRecord, OperationRecord
from minidnn.tracing.runs import Run, runs
from minidnn.units import in_seconds, short

Part: TypeAlias = Run | OperationRecord
_HEAD = (
    "digraph trace {",
    'node [shape=box, style="rounded,filled", fillcolor="#f4f6fa", color="#5b6b8c", fontname="sans-serif", '
    "fontsize=11];",
    'edge [color="#5b6b8c"];',
    'graph [color="#a9b4ca", fontname="sans-serif", fontsize=11, style=rounded];',
)


def trace_as_dot(
    operations: Sequence[OperationRecord], modules: Sequence[ModuleRecord], depth: int | None
) -> str:
    """Return the graph: a node per operation, a cluster around those of a module.

    Operations on which no result depends are left out.

    Args:
        operations: what is drawn.
        modules: of the model.
        depth: modules that deep (1: the model's children) become one node each; None: nothing is folded.
    """
    return "\n".join(_Drawing(operations, modules, depth).lines()) + "\n"


def as_svg(dot: str) -> bytes:
    """Return the picture that Graphviz's program `dot` makes of a graph.

    Raises:
        FileNotFoundError: the program is not installed.
    """
    program = shutil.which("dot")
    if program is None:
        raise FileNotFoundError(
            "to_svg needs the program dot of Graphviz, not installed here; install graphviz, or take to_dot"
        )
    return subprocess.run([program, "-Tsvg"], input=dot.encode(), capture_output=True, check=True).stdout


class _Drawing:
    """The text of one graph."""

    def __init__(
        self, operations: Sequence[OperationRecord], modules: Sequence[ModuleRecord], depth: int | None
    ) -> None:
        self.operations = _reaching_a_result(operations)
        self.modules = {module.path: module for module in modules}
        self.depth = depth
        self.nodes: dict[int, str] = {}  # by the operation's index, the node that shows it

    def lines(self) -> Iterator[str]:
        """The lines of the graph."""
        yield from _HEAD
        for part in runs(self.operations):
            yield from self._part(part, level=1)
        yield from self._edges()
        yield "}"

    def _part(self, part: Part, level: int) -> Iterator[str]:
        if not isinstance(part, Run):
            yield self._node((part,), self._of_operation(part))
        elif len(part.operations) == 1:  # a layer: a frame around a single box would say nothing
            yield self._node(part.operations, self._of_operation(part.operations[0]))
        elif level == self.depth:
            yield self._node(part.operations, self._of_run(part))
        else:
            yield f"subgraph {_quoted(f'cluster_{part.operations[0].index}_{part.path}')} {{"
            yield f"label={_quoted(self._title(part.path))};"
            for inner in part.parts:
                yield from self._part(inner, level + 1)
            yield "}"

    def _node(self, operations: Sequence[OperationRecord], label: Sequence[str]) -> str:
        name = f"n{operations[0].index}"
        self.nodes.update((record.index, name) for record in operations)
        return f"{name} [label={_quoted(chr(10).join(label))}];"

    def _of_operation(self, record: OperationRecord) -> list[str]:
        title = f"{record.module}: {record.function}" if record.module else record.function
        return [title, *_figures((record,))]

    def _of_run(self, run: Run) -> list[str]:
        return [self._title(run.path), *_figures(run.operations)]

    def _title(self, path: str) -> str:
        return f"{path}: {self.modules[path].class_name}"

    def _edges(self) -> Iterator[str]:
        """Between nodes, each once; from the input, and to the output."""
        edges: dict[tuple[str, str], None] = {}
        for record in self.operations:
            here = self.nodes[record.index]
            if record.reads_input:
                edges["input", here] = None
            edges.update({(self.nodes[parent], here): None for parent in record.parents})
            if record.makes_result:
                edges[here, "output"] = None
        for name in ("input", "output"):
            yield f'{name} [shape=plain, style=""];'
        yield from (f"{start} -> {end};" for start, end in edges if start != end)


def _reaching_a_result(operations: Sequence[OperationRecord]) -> list[OperationRecord]:
    """Those on whose outputs a result depends: without the counting of batches and the like."""
    wanted: set[int] = set()
    for record in reversed(operations):
        if record.makes_result or record.index in wanted:
            wanted.update((record.index, *record.parents))
    return [record for record in operations if record.index in wanted]


def _figures(operations: Sequence[OperationRecord]) -> Iterator[str]:
    """The shape that comes out, and sums."""
    yield "x".join(map(str, operations[-1].outputs[0].shape))
    parameters = {name: array.size for record in operations for name, array in record.parameters.items()}
    multiply_adds = sum(record.multiply_adds for record in operations)
    if parameters:
        yield f"{sum(parameters.values()):,} parameters"
    if multiply_adds:
        yield f"{short(multiply_adds)} mult-adds"
    yield in_seconds(sum(record.forward_seconds + (record.backward_seconds or 0.0) for record in operations))


def _quoted(text: str) -> str:
    """A DOT string: quotes and backslashes escaped, line breaks as \\n."""
    return json.dumps(text, ensure_ascii=False)
