"""The trace of a model: everything that was recorded while it ran once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minidnn.tracing.records import ModuleRecord, OperationRecord


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
