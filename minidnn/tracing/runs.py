"""Operations grouped by the modules in which they ran: what is drawn around them in charts and graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from minidnn.tracing.records import OperationRecord


@dataclass(frozen=True)
class Run:
    """Consecutive operations of one module and of those below it.

    A module that is called in several places (one activation for a whole network) has a run in each: folding
    a run never closes a circle, as folding the module would.

    Attributes:
        path: the module's.
        operations: in their order.
    """

    path: str
    operations: tuple[OperationRecord, ...]

    @property
    def parts(self) -> Iterator[Run | OperationRecord]:
        """The runs of the modules directly below, and between them the operations of the module's own."""
        return runs(self.operations, self.path)


def runs(operations: Sequence[OperationRecord], path: str = "") -> Iterator[Run | OperationRecord]:
    """Yield the operations of the module at `path` itself, and runs of those of each of its children."""
    for child, group in groupby(operations, lambda record: _child(record.module, path)):
        if child == path:
            yield from group
        else:
            yield Run(child, tuple(group))


def _child(module: str, path: str) -> str:
    """The path of the child of `path` that `module` is or stands below; `path` itself if it is no such."""
    if module == path:
        return path
    depth = path.count(".") + 1 if path else 0
    return ".".join(module.split(".")[: depth + 1])
