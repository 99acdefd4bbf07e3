"""A trace in Chrome's trace event format: bars over time, modules around operations around kernels.

The times are laid end to end: what passed between operations was the observer's, not the model's. Open the
file at chrome://tracing or https://ui.perfetto.dev.

Source: "Trace Event Format", the Chromium project's description of complete events (ph "X").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from minidnn.tracing.records import Direction, OperationRecord
from minidnn.tracing.runs import Run, runs

Event = dict[str, Any]
_MICROSECONDS = 1e6
_PROCESS = 1
_THREADS: dict[Direction, int] = {"forward": 1, "backward": 2}


def trace_as_chrome(operations: Sequence[OperationRecord], model: str) -> str:
    """Return the events as JSON: forward, then backward, in lines of their own."""
    backward = [record for record in operations if record.backward_position is not None]
    backward.sort(key=lambda record: record.backward_position or 0)
    forward_seconds = sum(record.forward_seconds for record in operations)
    events = [
        *_names(model),
        *_events(operations, "forward", 0.0),
        *_events(backward, "backward", forward_seconds),
    ]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, allow_nan=False)


def _names(model: str) -> Iterator[Event]:
    yield {"ph": "M", "name": "process_name", "pid": _PROCESS, "args": {"name": model}}
    for name, thread in _THREADS.items():
        yield {"ph": "M", "name": "thread_name", "pid": _PROCESS, "tid": thread, "args": {"name": name}}


def _events(operations: Sequence[OperationRecord], direction: Direction, start: float) -> Iterator[Event]:
    """The bars of modules and operations, from `start` on."""
    for part in runs(operations):
        yield from _part(part, direction, start)
        start += _duration(part, direction)


def _part(part: Run | OperationRecord, direction: Direction, start: float) -> Iterator[Event]:
    seconds = _duration(part, direction)
    if isinstance(part, Run):
        yield _bar(part.path, "module", direction, start, seconds, {})
        yield from _events_within(part, direction, start)
        return
    yield _bar(part.function, "operation", direction, start, seconds, _details(part))
    for call in part.kernels:
        if call.direction == direction:
            name = f"{call.operation}: {call.backend} {call.version}"
            yield _bar(name, "kernel", direction, start, call.seconds, {})
            start += call.seconds


def _events_within(run: Run, direction: Direction, start: float) -> Iterator[Event]:
    for part in run.parts:
        yield from _part(part, direction, start)
        start += _duration(part, direction)


def _duration(part: Run | OperationRecord, direction: Direction) -> float:
    records = part.operations if isinstance(part, Run) else (part,)
    if direction == "forward":
        return sum(record.forward_seconds for record in records)
    return sum(record.backward_seconds or 0.0 for record in records)


def _bar(
    name: str, category: str, direction: Direction, start: float, seconds: float, details: Event
) -> Event:
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "ts": start * _MICROSECONDS,
        "dur": seconds * _MICROSECONDS,
        "pid": _PROCESS,
        "tid": _THREADS[direction],
        "args": details,
    }


def _details(record: OperationRecord) -> Event:
    return {
        "module": record.module,
        "shape": "x".join(map(str, record.outputs[0].shape)),
        "mult-adds": record.multiply_adds,
        "bytes": record.bytes_moved,
        "source": f"{record.forward_source.file}:{record.forward_source.line}",
    }
