"""Comparisons and logic on the GPU: one thread per element of the result, see comparison.cu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import comparison
from kernels.array import Array
from kernels.cuda.broadcasting import MOST_AXES, collapse, front_padded
from kernels.cuda.launch import C_TYPES, Source, c_type, contiguous, empty_beside
from kernels.registry import implements

SOURCE = Source(__file__, "comparison.cu")
BINARY: tuple[Callable[..., Array], ...] = (
    comparison.equal,
    comparison.not_equal,
    comparison.less,
    comparison.less_equal,
    comparison.greater,
    comparison.greater_equal,
    comparison.logical_and,
    comparison.logical_or,
    comparison.logical_xor,
)


def _fits(a: Any, b: Any) -> bool:
    shape = np.broadcast_shapes(a.shape, b.shape)
    return a.dtype in C_TYPES and len(collapse(shape, [a.shape, b.shape])[0]) <= MOST_AXES


def _compare(kernel: str, a: Any, b: Any) -> Any:
    a, b = contiguous(a), contiguous(b)
    shape = np.broadcast_shapes(a.shape, b.shape)
    lengths, strides = collapse(shape, [a.shape, b.shape])
    y = empty_beside(a, shape, np.bool_)
    steps = (step for own in strides for step in front_padded(own, 0))
    numbers = map(np.int64, (y.size, *front_padded(lengths, 1)[1:], *steps))
    SOURCE.launch_each(kernel, y.size, (a, b, y, *numbers), {"ELEMENT": c_type(a.dtype)})
    return y


def _announce(contract: Callable[..., Array]) -> None:
    def strides(a: Any, b: Any) -> Any:
        return _compare(contract.__name__, a, b)

    idea = "one thread per element of the result, which finds its operands by strides over four axes"
    implements(contract, "strides", idea, backend="gpu", fits=_fits)(strides)


for _contract in BINARY:
    _announce(_contract)


@implements(comparison.logical_not, "each", "one thread per element")
def logical_not_each(x: Array) -> Array:
    """Where x does not hold."""
    x = contiguous(x)
    y: Array = empty_beside(x, x.shape, np.bool_)
    SOURCE.launch_each("logical_not", y.size, (x, y, np.int64(y.size)), {"ELEMENT": c_type(x.dtype)})
    return y
