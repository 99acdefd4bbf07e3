"""Records of integers that Python hands to a kernel as one array, and the kernel reads by name.

A kernel also takes a NamedTuple as it is, but then every field is an argument of its own, here and in each
function that is handed the record.
"""

from __future__ import annotations

from typing import Any, get_type_hints

import numpy as np
from numba import types
from numba.extending import intrinsic

from kernels.array import Array
from kernels.cpu.simd import INDEX, VectorBuilder


def as_numbers(record: tuple[Any, ...]) -> Array:
    """Return a NamedTuple's integers, those of records within it in their place."""
    return np.array(_flat(record), np.int64)


def size_of(kind: type) -> int:
    """Return how many integers a kind of record has."""
    return sum(1 if field is int else size_of(field) for field in get_type_hints(kind).values())


def _flat(record: tuple[Any, ...]) -> list[int]:
    return [number for field in record for number in (_flat(field) if isinstance(field, tuple) else [field])]


@intrinsic
def as_record(typing_context: Any, numbers: Any, kind: Any) -> Any:
    """as_record(numbers, Kind): the record whose integers an array begins with; for compiled code."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        simd = VectorBuilder(context, builder, signature.args[0])
        first = simd.address(signature.args[0], arguments[0], INDEX(0))
        places = iter(range(size_of(kind.instance_class)))

        def read(record: Any) -> Any:
            fields = [
                read(field)
                if isinstance(field, types.BaseTuple)
                else builder.load(simd.after(first, next(places)))
                for field in record
            ]
            return context.make_tuple(builder, record, fields)

        return read(signature.return_type)

    return _typed(kind.instance_class, numbers.dtype)(numbers, kind), emit


def _typed(kind: type, number: Any) -> Any:
    """The Numba type of a kind of record."""
    fields = [number if field is int else _typed(field, number) for field in get_type_hints(kind).values()]
    return types.BaseTuple.from_types(fields, kind)
