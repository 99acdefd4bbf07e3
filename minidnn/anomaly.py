"""Finding the operation that first produced a NaN or an infinity, for `anomaly_mode`."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable

from kernels.array import Array
from kernels.device import to_host
from kernels.elementwise import is_finite

_ENGINE = os.path.join(os.path.dirname(__file__), "")


def check_anomaly(
    operation: str,
    created_at: str | None,
    result: Array,
    what: str,
    source: str,
    sources: Iterable[Array | None],
) -> None:
    """Raise ValueError naming the operation if the floating `result` holds NaN or an infinity.

    Where one of the arrays it was computed from held such a value already, that is said instead: every
    operation is checked, so the value was given from outside (a leaf, or an upstream gradient).
    """
    place = _first_not_finite(result)
    if place is None:
        return
    sentence = f"{operation} produced {_value_at(result, place)} in {what}"
    for position, array in enumerate(sources):
        given = None if array is None else _first_not_finite(array)
        if array is not None and given is not None:
            sentence += f", but its {source} {position} already held {_value_at(array, given)}"
            break
    origin = f"it was called at {created_at}" if created_at else f"seen at {calling_line()}"
    raise ValueError(f"{sentence}; {origin}")


def _first_not_finite(array: Array) -> int | None:
    """Flat index of the first NaN or infinity in a floating array."""
    if array.dtype.kind not in "fc" or array.size == 0:
        return None
    finite = to_host(is_finite(array))
    return None if finite.all() else int((~finite).reshape(-1).argmax())


def _value_at(array: Array, place: int) -> str:
    return f"{to_host(array).reshape(-1)[place]} (shape {array.shape}, flat index {place})"


def calling_line() -> str:
    """The innermost line outside the engine that led here, as `file:line in function`."""
    for frame in reversed(traceback.extract_stack()):
        if not frame.filename.startswith(_ENGINE):
            return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return "an unknown line"
