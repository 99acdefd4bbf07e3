"""Whether an explanation's equations are true: what a reader with a calculator finds."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn.explanation import Explanation

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "erf": math.erf,
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "max": max,
    "min": min,
    "sign": lambda value: float(np.sign(round(value, 9))),
    "round": lambda value: math.copysign(math.floor(abs(value) + 0.5), value),
}


def evaluated(numbers: str) -> float:
    """What a reader with a calculator gets."""
    text = numbers.replace("·", "*").replace("^", "**")
    tree = ast.parse(text, mode="eval")
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert called <= FUNCTIONS.keys() | {"pi"}, numbers
    value = eval(compile(tree, "equation", "eval"), {"__builtins__": {}}, {**FUNCTIONS, "pi": math.pi})
    return float(value)


def check(explanation: Explanation, tolerance: float) -> None:
    equations = list(explanation.equations())
    for equation in equations:
        assert evaluated(equation.numbers) == pytest.approx(equation.value, abs=tolerance, rel=tolerance), (
            equation
        )
