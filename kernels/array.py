"""What every kernel shares: the array type, and the checks an operation's contract makes before it computes.

A check raises ValueError or TypeError with one sentence: which argument, what was given, what is needed.
Checks stand before every operation, so each tries the usual case first, in as few steps as it can.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Shape4: TypeAlias = tuple[int, int, int, int]

FLOATING = (np.dtype(np.float32), np.dtype(np.float64))
ANALYTIC = (*FLOATING, np.dtype(np.complex128))
HALF = np.dtype(np.float16)
SINGLE = np.dtype(np.float32)
_WITH_HALF = (*ANALYTIC, HALF)
# Sizes, counts and seeds are smaller as a rule; what is not takes the long way through a check.
_USUAL = 2**31
_PLAIN = (float, int)


def check_floating(*, analytic: bool = False, **arrays: Array | None) -> None:
    """Require that all named arrays (None is skipped) have one and the same floating dtype.

    `analytic` says that the formula is complex-differentiable, so complex128 is welcome too
    (complex-step gradient checks).

    Raises:
        TypeError: an argument is not an array, its dtype is not allowed, or two dtypes differ.
    """
    _check_one_dtype(ANALYTIC if analytic else FLOATING, arrays)


def check_floating_or_half(**arrays: Array | None) -> None:
    """Require that all named arrays (None is skipped) have one and the same dtype: float16, a floating one or
    complex128, for formulas that are complex-differentiable and computed in float32 for halves.

    Raises:
        TypeError: as `check_floating`.
    """
    _check_one_dtype(_WITH_HALF, arrays)


def _check_one_dtype(allowed: Sequence[np.dtype[Any]], arrays: dict[str, Array | None]) -> None:
    dtype = None
    try:
        for array in arrays.values():
            if array is None:
                continue
            if dtype is None and array.dtype in allowed:
                dtype = array.dtype
            elif array.dtype != dtype:
                break
        else:
            return
    except AttributeError:
        pass  # what is wrong is said below
    _refuse_dtypes(allowed, arrays)


def _refuse_dtypes(allowed: Sequence[np.dtype[Any]], arrays: dict[str, Array | None]) -> None:
    """Raise TypeError for the first argument that is no array, or whose dtype is not allowed or differs."""
    first_name, first = "", None
    for name, array in arrays.items():
        if array is None:
            continue
        if not hasattr(array, "dtype"):
            raise TypeError(f"{name} must be an array, got {type(array).__name__}")
        if array.dtype not in allowed:
            names = " or ".join(str(dtype) for dtype in allowed)
            raise TypeError(f"{name} must have dtype {names}, got {array.dtype}")
        if first is None:
            first_name, first = name, array
        elif array.dtype != first.dtype:
            raise TypeError(
                f"{name} has dtype {array.dtype} but {first_name} has {first.dtype}; both need the same dtype"
            )


def check_rank(name: str, array: Array, *ranks: int) -> None:
    """Require that `array` has one of the given numbers of dimensions (ValueError otherwise)."""
    if array.ndim not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise ValueError(f"{name} must have {wanted} dimensions, got shape {tuple(array.shape)}")


def check_shape(name: str, array: Array, shape: Sequence[int]) -> None:
    """Require an exact shape (ValueError otherwise)."""
    if array.shape != shape and tuple(array.shape) != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)}, got {tuple(array.shape)}")


def shown(value: Any) -> str:
    """How a message shows what was given: on one short line, arrays and tensors by their shape."""
    if isinstance(getattr(value, "shape", None), tuple) and value.shape:
        return f"{type(value).__name__} of shape {value.shape}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_flag(name: str, value: Any) -> bool:
    """Return `value` as a bool; TypeError unless it is True or False (or 1 or 0)."""
    if value is True or value is False:
        return value
    if not isinstance(value, bool | np.bool_ | int | np.integer) or value not in (0, 1):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def check_integer(name: str, value: Any, minimum: int | None = None, bits: int = 63) -> int:
    """Return `value` as an int; TypeError if it is not integral, ValueError below `minimum` or past 2^bits.

    The default is what an int64 holds: sizes and indices beyond it would fail inside NumPy.
    """
    if type(value) is int and (0 if minimum is None else minimum) <= value < _USUAL and bits > 31:
        return value
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, got {shown(value)}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}") from None
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    if not -(2**bits) <= number < 2**bits:
        side = f"less than 2^{bits}" if number > 0 else f"at least -2^{bits}"
        raise ValueError(f"{name} must be {side}, got {shown(number)}")
    return number


def check_indices(name: str, array: Array) -> None:
    """Require an int64 array, the dtype of every index in this project (TypeError otherwise)."""
    if not hasattr(array, "dtype") or array.dtype != np.int64:
        given = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name} must be an int64 array, got {given}")


def check_number(name: str, value: Any, minimum: float | None = None, below: float | None = None) -> float:
    """Return `value` as a float in [minimum, below); TypeError if it is no real number, ValueError outside.

    NaN and infinities are refused.
    """
    if type(value) in _PLAIN and (0 if minimum is None else minimum) <= value < (
        _USUAL if below is None else below
    ):
        return float(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} must be within float64's range, got {shown(value)}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}")
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    if below is not None and number >= below:
        raise ValueError(f"{name} must be less than {below}, got {number}")
    return number


def widen(array: Array) -> Array:
    """Return the array in float64 (complex128 stays), for sums that need more digits than their terms."""
    return array.astype(np.result_type(array.dtype, np.float64), copy=False)


def input_shape4(shape: Sequence[int]) -> Shape4:
    """Return `input_shape` as four ints (N, C, H, W).

    Raises:
        ValueError: not four of them, or one is negative.
        TypeError: not integers.
    """
    if len(shape) != 4:
        raise ValueError(f"input_shape must be (N, C, H, W), got {tuple(shape)}")
    batch, channels, height, width = (check_integer("input_shape", size, minimum=0) for size in shape)
    return batch, channels, height, width
