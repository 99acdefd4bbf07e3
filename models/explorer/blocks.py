"""The modules as blocks that fold: runs of operations that follow each other in one module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from minidnn.tracing import ModuleRecord, OperationRecord, Trace
from minidnn.tracing.runs import Run, runs
from models.explorer.schema import Block


def block_tree(model: str, trace: Trace) -> Block:
    """Return the model as a block of blocks and operations, in order of execution."""
    modules = {module.path: module for module in trace.modules}
    return Block(
        model, "", modules[""].class_name, modules[""].description, _parts(runs(trace.operations), modules)
    )


def _parts(
    parts: Iterable[Run | OperationRecord], modules: Mapping[str, ModuleRecord]
) -> tuple[Block | int, ...]:
    """What stands directly in a module: operations of its own, and its children's runs."""
    found: list[Block | int] = []
    for part in parts:
        if isinstance(part, OperationRecord):
            found.append(part.index)
            continue
        below = _parts(part.parts, modules)
        if len(below) == 1:
            found += below  # a module that holds one operation, or only another module
            continue
        module = modules[part.path]
        name = part.path.rpartition(".")[2]
        found.append(Block(name, part.path, module.class_name, module.description, below))
    return tuple(found)
