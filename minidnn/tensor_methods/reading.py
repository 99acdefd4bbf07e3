"""What a tensor can be made of: numbers, nested lists, arrays and tensors, as an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array, shown
from kernels.device import on_some_device
from minidnn.tensor_methods.base import TensorBase

# What Python's numbers become, by kind.
DEFAULT_DTYPES: dict[str, np.dtype[Any]] = {
    "f": np.dtype(np.float32),
    "i": np.dtype(np.int64),
    "b": np.dtype(np.bool_),
}


def as_array(value: Any, name: str = "array") -> Array:
    """Return an array for numbers, nested lists, arrays and tensors; Python floats become float32.

    Arrays and tensors keep their memory, on whatever device; all else is read into host memory.

    `name` is the argument that a message names.

    Raises:
        ValueError: rows of unequal length.
        TypeError: values that are not numbers.
    """
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, TensorBase):
        array = value._hand_out()
    elif on_some_device(value):
        array = value
    elif isinstance(value, np.generic) or hasattr(value, "__array__"):
        array = np.asarray(value)
    else:
        try:
            array = np.array([item.tolist() for item in value] if _holds_tensors(value) else value)
        except (ValueError, AttributeError):
            raise ValueError(
                f"{name} must hold numbers, in rows of one length if nested, got {shown(value)}"
            ) from None
        with np.errstate(over="ignore"):  # a number beyond float32 is infinite there
            array = np.asarray(array, dtype=DEFAULT_DTYPES.get(array.dtype.kind))
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"{name} must hold numbers, got {shown(value)} of dtype {array.dtype}")
    return array


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, TensorBase) for item in value)
