"""Comparisons and logic in NumPy: a table of questions run in loops, and NumPy's array operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import comparison
from kernels.array import Array
from kernels.operands import element_by_element
from kernels.registry import implements

# contract, question to scalars, operation on arrays
QUESTIONS: list[tuple[Callable[..., Array], Callable[..., Any], Callable[..., Any]]] = [
    (comparison.equal, lambda a, b: a == b, np.equal),
    (comparison.not_equal, lambda a, b: a != b, np.not_equal),
    (comparison.less, lambda a, b: a < b, np.less),
    (comparison.less_equal, lambda a, b: a <= b, np.less_equal),
    (comparison.greater, lambda a, b: a > b, np.greater),
    (comparison.greater_equal, lambda a, b: a >= b, np.greater_equal),
    (comparison.logical_and, lambda a, b: a and b, np.logical_and),
    (comparison.logical_or, lambda a, b: a or b, np.logical_or),
    (comparison.logical_xor, lambda a, b: a != b, np.logical_xor),
    (comparison.logical_not, lambda x: not x, np.logical_not),
]


def _loops(question: Callable[..., Any]) -> Callable[..., Array]:
    def loops(*operands: Array) -> Array:
        return element_by_element(question, np.bool_, operands)

    return loops


def _arrays(operation: Callable[..., Any]) -> Callable[..., Array]:
    """The array operation, with an array also where NumPy would return a scalar."""

    def ufunc(*operands: Array) -> Array:
        return np.asarray(operation(*operands))

    return ufunc


for _contract, _question, _operation in QUESTIONS:
    implements(_contract, "loops", "the question, one element after the other", backend="reference")(
        _loops(_question)
    )
    implements(_contract, "ufunc", "NumPy's question to whole arrays", backend="reference")(
        _arrays(_operation)
    )
