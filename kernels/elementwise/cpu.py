"""Arithmetic on large arrays in Numba: the same formulas, over all threads and into reused memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kernels import elementwise
from kernels.array import FLOATING, Array
from kernels.cpu.mapping import (
    CHEAP_TASK,
    any_worth_it,
    broadcast_map,
    element_map,
    floating,
    rows_of,
    worth_it,
)
from kernels.registry import implements

BINARY: dict[Callable[..., Array], Callable[..., Any]] = {
    elementwise.add: lambda a, b: a + b,
    elementwise.subtract: lambda a, b: a - b,
    elementwise.multiply: lambda a, b: a * b,
    elementwise.divide: lambda a, b: a / b,
    elementwise.maximum: lambda a, b: a if a != a or a > b else b,
    elementwise.minimum: lambda a, b: a if a != a or a < b else b,
}
UNARY: dict[Callable[..., Array], Callable[..., Any]] = {
    elementwise.negative: lambda x: -x,
    elementwise.absolute: lambda x: abs(x),
    elementwise.square_root: lambda x: math.sqrt(x),
    elementwise.copy: lambda x: x,
}


def _in_rows(a: Array, b: Array) -> bool:
    return a.dtype in FLOATING and (a.shape == b.shape or rows_of(a.shape, b.shape) is not None)


for _contract, _formula in BINARY.items():
    implements(
        _contract,
        "rows",
        "rows shared out to all threads",
        backend="cpu",
        fits=_in_rows,
        pays=any_worth_it,
        compiled=True,
    )(broadcast_map(_formula))
for _contract, _formula in UNARY.items():
    implements(
        _contract,
        "shares",
        "equal shares for all threads",
        backend="cpu",
        fits=floating,
        pays=worth_it,
        compiled=True,
    )(element_map(_formula, 1, CHEAP_TASK))
