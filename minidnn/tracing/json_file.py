"""A trace as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from minidnn.tracing.records import ModuleRecord, OperationRecord, SourceLine

FORMAT = "minidnn trace, version 1"


def trace_as_json(operations: tuple[OperationRecord, ...], modules: tuple[ModuleRecord, ...]) -> str:
    """Return the records under their fields' names, without arrays. Infinite arguments become texts."""
    content = {"format": FORMAT, "operations": _plain(operations), "modules": _plain(modules)}
    return json.dumps(content, allow_nan=False, indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, SourceLine):
        return value._asdict()
    if is_dataclass(value) and not isinstance(value, type):
        return dict(_fields(value))
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(record):
        if field.name != "arrays":
            yield field.name, _plain(getattr(record, field.name))
