"""The receptive fields of the network's units: what they can see of the image, and what moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minidnn.receptive_field import AxisField, ReceptiveField, effective_receptive_field, receptive_fields
from minidnn.tracing import OperationRecord, Trace
from models.explorer.pictures import brightness, data_uri
from models.explorer.subject import Subject

Field = Mapping[str, Any]
# Every effective field takes a run of the network, forward and backward.
MOST_EFFECTIVE = 6


def fields(subject: Subject, trace: Trace) -> dict[int, Field]:
    """Return the fields of all operations that make maps, by their index.

    The theoretical field is told as numbers from which that of any unit follows; the effective field of the
    middle unit is a picture, for some layers along the depth.
    """
    found: dict[int, Field] = {}
    mapped = [
        field for field in receptive_fields(trace) if field and _is_map(trace.operations[field.operation])
    ]
    asked = {field.operation: can_be_asked(subject, trace, field.operation) for field in mapped}
    pictured = _spread([field for field in mapped if asked[field.operation]])
    for field in mapped:
        record = trace.operations[field.operation]
        found[field.operation] = {
            "rows": _numbers(field.rows),
            "columns": _numbers(field.columns),
            "size": field.input_size,
            "asked": asked[field.operation],
            **(effective(subject, record) if field in pictured else {}),
        }
    return found


def _is_map(record: OperationRecord) -> bool:
    shape = record.outputs[0].shape
    return len(shape) == 4 and shape[-2] * shape[-1] > 1


def can_be_asked(subject: Subject, trace: Trace, index: int) -> bool:
    """Whether the operation makes its module's last output, wherever the module stands.

    The engine is asked about modules: of one that is called in several places it tells the last.
    """
    module = subject.network.get_submodule(trace.operations[index].module)
    named = subject.network.named_modules(remove_duplicate=False)
    places = [path for path, other in named if other is module and path]
    return index == max((record.index for path in places for record in trace.within(path)), default=None)


def _numbers(field: AxisField) -> tuple[float, float, float]:
    """Size, jump and start."""
    return float(field.size), float(field.jump), float(field.start)


def _spread(fields: Sequence[ReceptiveField]) -> Sequence[ReceptiveField]:
    """Some of many, at even distances, the last among them."""
    if len(fields) <= MOST_EFFECTIVE:
        return fields
    places = np.linspace(0, len(fields) - 1, MOST_EFFECTIVE).round().astype(int)
    return [fields[place] for place in places]


def effective(subject: Subject, record: OperationRecord, unit: tuple[int, int] | None = None) -> Field:
    """Return the effective receptive field of a unit of a module's last output as a picture.

    Args:
        subject: the network and its image.
        record: the operation that makes the output.
        unit: its row and column; by default the middle.

    Raises:
        ValueError: the unit lies outside the map, or the module makes none.
    """
    _, _, height, width = record.outputs[0].shape
    place = unit or (height // 2, width // 2)
    field = effective_receptive_field(subject.network, subject.x, record.module, place)  # (H, W)
    return {"unit": place, "effective": data_uri(brightness(field, signed=False))}
