"""Operations element by element on the GPU: one thread per element of the result, see elementwise.cu."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from kernels import elementwise
from kernels.array import FLOATING, HALF, Array
from kernels.cuda.broadcasting import MOST_AXES, collapse, front_padded
from kernels.cuda.half import storage_macros
from kernels.cuda.launch import C_TYPES, Source, c_type, contiguous, empty_beside, floating
from kernels.registry import implements

SOURCE = Source(__file__, "elementwise.cu")
CAST = Source(__file__, "cast.cu")
EACH = "one thread per element"
STRIDES = "one thread per element of the result, which finds its operands by strides over four axes"

Contracts: TypeAlias = tuple[Callable[..., Array], ...]

FLOATING_UNARY: Contracts = (
    elementwise.exponential,
    elementwise.logarithm,
    elementwise.square_root,
    elementwise.sine,
    elementwise.cosine,
    elementwise.floor,
    elementwise.round_half_even,
)
UNARY: Contracts = (elementwise.negative, elementwise.absolute, elementwise.sign, elementwise.copy)
TESTS: Contracts = (elementwise.is_nan, elementwise.is_finite)
FLOATING_BINARY: Contracts = (
    elementwise.divide,
    elementwise.floor_divide,
    elementwise.remainder,
    elementwise.power,
)
BINARY: Contracts = (
    elementwise.add,
    elementwise.subtract,
    elementwise.multiply,
    elementwise.maximum,
    elementwise.minimum,
)


def _known(*arguments: Any) -> bool:
    """Whether the kernels have the arrays' dtypes."""
    return all(x.dtype in C_TYPES for x in arguments if hasattr(x, "dtype") and hasattr(x, "shape"))


def _macros(x: Any) -> dict[str, Any]:
    return {"ELEMENT": c_type(x.dtype), "FLOATING": int(x.dtype in FLOATING)}


def _each(kernel: str, arrays: Sequence[Any], dtype: Any, *parameters: np.generic) -> Any:
    """Run a kernel on arrays of one shape."""
    operands = [contiguous(array) for array in arrays]
    result = empty_beside(operands[0], operands[0].shape, dtype)
    arguments = (*operands, result, np.int64(result.size), *parameters)
    SOURCE.launch_each(f"each_{kernel}", result.size, arguments, _macros(operands[-1]))
    return result


def _strides(kernel: str, arrays: Sequence[Any]) -> Any:
    """Run a kernel on arrays that broadcast; the last one's dtype is the result's."""
    operands = [contiguous(array) for array in arrays]
    shape = np.broadcast_shapes(*(array.shape for array in operands))
    lengths, strides = collapse(shape, [array.shape for array in operands])
    if len(lengths) > MOST_AXES:
        operands = [_expanded(array, shape) for array in operands]
        lengths, strides = collapse(shape, [shape] * len(operands))
    result = empty_beside(operands[0], shape, operands[-1].dtype)
    steps = [front_padded(own, 0) for own in strides]
    numbers = (result.size, *front_padded(lengths, 1)[1:], *(step for own in steps for step in own))
    arguments = (*operands, result, *map(np.int64, numbers))
    SOURCE.launch_each(f"strides_{kernel}", result.size, arguments, _macros(operands[-1]))
    return result


def _expanded(x: Any, shape: tuple[int, ...]) -> Any:
    """Return x in the broadcast shape, one axis after the other: each step is a copy over three axes."""
    x = x.reshape((1,) * (len(shape) - x.ndim) + x.shape)
    for axis, length in enumerate(shape):
        if x.shape[axis] == length:
            continue
        wanted = (*x.shape[:axis], length, *x.shape[axis + 1 :])
        outer, inner = math.prod(wanted[:axis]), math.prod(wanted[axis + 1 :])
        result = empty_beside(x, wanted, x.dtype)
        numbers = (result.size, outer, length, inner, 0, inner, 0, 1)
        SOURCE.launch_each("strides_copy", result.size, (x, result, *map(np.int64, numbers)), _macros(x))
        x = result
    return x


def _announce_unary(contract: Callable[..., Array], fits: Callable[..., bool], dtype: Any = None) -> None:
    def each(x: Any) -> Any:
        return _each(contract.__name__, (x,), dtype or x.dtype)

    implements(contract, "each", EACH, backend="gpu", fits=fits)(each)


def _announce_binary(contract: Callable[..., Array], fits: Callable[..., bool]) -> None:
    def strides(a: Any, b: Any) -> Any:
        return _strides(contract.__name__, (a, b))

    def each(a: Any, b: Any) -> Any:
        return _each(contract.__name__, (a, b), a.dtype)

    implements(contract, "strides", STRIDES, backend="gpu", fits=fits)(strides)
    implements(
        contract,
        "each",
        EACH,
        backend="gpu",
        fits=lambda a, b: fits(a, b) and tuple(a.shape) == tuple(b.shape),
    )(each)


for _contract in UNARY:
    _announce_unary(_contract, _known)
for _contract in FLOATING_UNARY:
    _announce_unary(_contract, floating)
for _contract in TESTS:
    _announce_unary(_contract, _known, np.dtype(np.bool_))
for _contract in BINARY:
    _announce_binary(_contract, _known)
for _contract in FLOATING_BINARY:
    _announce_binary(_contract, floating)


@implements(elementwise.where, "strides", STRIDES, fits=_known)
def where_strides(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition holds, else b."""
    result: Array = _strides("where", (condition, a, b))
    return result


@implements(elementwise.clip, "each", EACH, fits=_known)
def clip_each(x: Array, low: float | None, high: float | None) -> Array:
    """A side that is open is bounded by the dtype's own end."""
    lowest, highest = _ends(x.dtype)
    bounds = [
        x.dtype.type(end if bound is None else min(max(bound, lowest), highest))
        for bound, end in ((low, lowest), (high, highest))
    ]
    result: Array = _each("clip", (x,), x.dtype, *bounds)
    return result


def _ends(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The smallest and the largest value of a dtype."""
    if dtype in FLOATING:
        return -math.inf, math.inf
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _castable(x: Any, dtype: Any) -> bool:
    """Whether both dtypes have C types, of which halves are one here."""
    return all(each in C_TYPES or each == HALF for each in (x.dtype, dtype))


@implements(elementwise.cast, "each", EACH, fits=_castable)
def cast_each(x: Array, dtype: Any) -> Array:
    """One kernel per pair of dtypes."""
    x = contiguous(x)
    result: Array = empty_beside(x, x.shape, dtype)
    macros = {"FROM": storage_macros(x.dtype)["STORED"], "TO": storage_macros(dtype)["STORED"]}
    if HALF in (x.dtype, dtype):
        macros["HALF"] = 1
    CAST.launch_each("each_cast", result.size, (x, result, np.int64(result.size)), macros)
    return result
