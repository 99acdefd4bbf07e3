"""The receptive field of every operation's units, from a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from minidnn.receptive_field.axis import AxisField, union
from minidnn.receptive_field.rules import rule_for, unchanged
from minidnn.tracing import MODEL_INPUT, ArrayRecord, OperationRecord, Trace


@dataclass(frozen=True)
class ReceptiveField:
    """Which part of the model's input the units of an operation's first output see.

    Attributes:
        operation: its index in the trace.
        module: the path of its module.
        rows, columns: the field along both axes.
        input_size: rows and columns of the model's input.
    """

    operation: int
    module: str
    rows: AxisField
    columns: AxisField
    input_size: tuple[int, int]

    def region(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the rows and columns that the unit at (row, column) sees, as slices of the input."""
        return _clipped(self.rows, row, self.input_size[0]), _clipped(
            self.columns, column, self.input_size[1]
        )


def _clipped(field: AxisField, unit: int, length: int) -> slice:
    first, last = field.seen_by(unit)
    return slice(max(first, 0), max(min(last + 1, length), 0))


def receptive_fields(trace: Trace) -> tuple[ReceptiveField | None, ...]:
    """Return the receptive field of every operation in a trace, None where it does not depend on the input.

    Batch norm counts as it works in inference, place by place. Where branches meet, a unit sees what it sees
    through either. Fields of windows are exact; those behind an enlargement, behind bins of different sizes
    and where branches of different strides meet are bounds (see `AxisField`), as they are at the far edges
    where strides leave a rest of the rows or columns that no window reads. What is not known to work place by
    place (flattening, products of matrices) sees everything.

    Args:
        trace: of a model whose input is a batch of images (N, C, H, W).

    Raises:
        ValueError: the model's input has no rows and columns, or no operation reads it.
    """
    size = _input_size(trace)
    rows: list[AxisField | None] = []
    columns: list[AxisField | None] = []
    for record in trace.operations:
        rows.append(_behind(record, 0, rows))
        columns.append(_behind(record, 1, columns))
    return tuple(
        None
        if along_rows is None or along_columns is None
        else ReceptiveField(record.index, record.module, along_rows, along_columns, size)
        for record, along_rows, along_columns in zip(trace.operations, rows, columns, strict=True)
    )


def _input_size(trace: Trace) -> tuple[int, int]:
    """Rows and columns of what the model was given."""
    for record in trace.operations:
        for array, source in zip(record.inputs, record.sources, strict=True):
            if source == MODEL_INPUT:
                if len(array.shape) < 3:
                    raise ValueError(
                        f"trace must be of a model that is given images, it was given shape {array.shape}"
                    )
                return array.shape[-2], array.shape[-1]
    raise ValueError("trace must be of a model that reads its input")


def _behind(record: OperationRecord, axis: int, fields: Sequence[AxisField | None]) -> AxisField | None:
    """The field of an operation's units along one axis: what they see through any of the inputs."""
    made = _length(record.outputs[0], axis)
    through = list(_through_inputs(record, axis, made, fields))
    return union(through, made) if through else None


def _through_inputs(
    record: OperationRecord, axis: int, made: int, fields: Sequence[AxisField | None]
) -> Iterator[AxisField]:
    rule = rule_for(record)
    for array, source in zip(record.inputs, record.sources, strict=True):
        field = AxisField() if source == MODEL_INPUT else None if source is None else fields[source]
        if field is None:
            continue
        length = _length(array, axis)
        if rule is unchanged and length != made:  # one number for all places, or places that were moved
            field = field.of_all(length)
        yield rule(field, record.arguments, axis, length, made)


def _length(array: ArrayRecord, axis: int) -> int:
    """Rows or columns of an array (..., H, W); what has no such axes is one unit."""
    return array.shape[axis - 2] if len(array.shape) >= 3 else 1
