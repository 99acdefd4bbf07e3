"""How operands come to one dtype.

Integers and bool follow a floating tensor's dtype, Python numbers any tensor's; two different floating dtypes
do not meet (TypeError): which one was meant only the caller knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels import elementwise
from kernels.array import shown
from kernels.creation import constant
from kernels.device import is_array
from minidnn.tensor_methods.base import TensorBase

_NUMBERS = (int, float, complex, np.generic)
DEFAULT_FLOAT = np.dtype(np.float32)
_LARGE = 1e38


def meet(a: Any, b: Any) -> tuple[Any, Any]:
    """Bring two operands, at least one of them a tensor, to one dtype.

    Raises:
        TypeError: two different floating dtypes, or an operand that is not a number, array or tensor.
        ValueError: a Python number beyond the range of the tensor's dtype.
    """
    if not isinstance(a, TensorBase):
        return swapped(b, a)
    dtype = a._array.dtype
    if not isinstance(b, TensorBase):
        if isinstance(b, _NUMBERS):
            return _meet_number(a, b.item() if isinstance(b, np.generic) else b)
        b = _array_of(b, a)
        other = b.dtype
    else:
        other = b._array.dtype
    if dtype == other:
        return a, b
    common = common_dtype(dtype, other)
    return converted(a, common), converted(b, common)


def swapped(a: Any, b: Any) -> tuple[Any, Any]:
    """`meet`, in the order (b, a): for operators whose left operand is not a tensor."""
    first, second = meet(a, b)
    return second, first


def _meet_number(a: TensorBase, number: Any) -> tuple[Any, Any]:
    """A Python number takes the tensor's dtype, unless that is of a lower kind (bool < int < float)."""
    dtype = a._array.dtype
    if isinstance(number, complex) and dtype.kind != "c":
        raise TypeError(f"the complex number {number} cannot meet a tensor of dtype {dtype}")
    if isinstance(number, float) and dtype.kind not in "fc":
        dtype = DEFAULT_FLOAT
    elif dtype.kind == "b" and not isinstance(number, bool):
        dtype = np.dtype(np.int64)
    try:
        if dtype.kind == "f" and abs(number) > _LARGE:  # may be infinite in float32, silently
            return converted(a, dtype), elementwise.cast(constant(number, np.float64, a._array), dtype)
        return converted(a, dtype), constant(number, dtype, a._array)
    except OverflowError:
        raise ValueError(f"the number {number} is beyond the range of dtype {dtype}") from None


def common_dtype(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which two tensors meet: the floating one, or the wider integer.

    Raises:
        TypeError: two different floating dtypes.
    """
    if a == b:
        return a
    if a.kind in "fc" and b.kind in "fc":
        raise TypeError(f"operands have dtypes {a} and {b}, but need one and the same; convert one with to()")
    if a.kind in "fc" or b.kind in "fc":
        return a if a.kind in "fc" else b
    return np.promote_types(a, b)


def converted(value: Any, dtype: np.dtype[Any]) -> Any:
    """A tensor or array in another dtype; only integers and bool are converted, so no history is lost."""
    array = raw(value)
    return value if array.dtype == dtype else elementwise.cast(array, dtype)


def as_floating(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands of one dtype, integers and bool as float32."""
    if raw(a).dtype.kind in "fc":
        return a, b
    return converted(a, DEFAULT_FLOAT), converted(b, DEFAULT_FLOAT)


def is_operand(value: object) -> bool:
    """Whether `value` can stand beside a tensor in an operation."""
    return isinstance(value, (TensorBase, list, tuple, *_NUMBERS)) or is_array(value)


def raw(value: Any) -> Any:
    """The array of a tensor; anything else unchanged."""
    return value._array if isinstance(value, TensorBase) else value


def _array_of(value: Any, partner: TensorBase) -> Any:
    """An operand as an array; Python floats in a list follow the partner's dtype, as single ones do."""
    if isinstance(value, TensorBase):
        return raw(value)
    try:
        array = value if is_array(value) else np.asarray(value)
    except ValueError:
        raise ValueError(f"an operand must have rows of one length if nested, got {shown(value)}") from None
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"an operand must be a number, an array or a tensor, got {shown(value)}")
    if array.dtype.kind == "f" and isinstance(value, list | tuple):
        kind = partner._array.dtype.kind
        return elementwise.cast(array, partner._array.dtype if kind == "f" else DEFAULT_FLOAT)
    return array
