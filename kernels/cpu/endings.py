"""Activations with which a CPU kernel ends its work on a buffer, while that is in the cache."""

from __future__ import annotations

from typing import Any

from numba.extending import is_jitted

from kernels.activation.cpu import FORWARD
from kernels.cpu.compilation import compiled
from kernels.prepared import ACTIVATIONS

# What a kernel is told instead of a name; 0 is none.
CODES: dict[str | None, int] = {name: 1 + place for place, name in enumerate(ACTIVATIONS)}


def _formula(name: str) -> Any:
    """The compiled form of an activation's formula for one number."""
    formula = FORWARD[ACTIVATIONS[name]]
    return formula if is_jitted(formula) else compiled(formula)


_relu, _relu6, _tanh = _formula("relu"), _formula("relu6"), _formula("tanh")
_hardsigmoid, _hardswish = _formula("hardsigmoid"), _formula("hardswish")
_sigmoid, _silu = _formula("sigmoid"), _formula("silu")
RELU, RELU6, HARDSIGMOID, HARDSWISH, SIGMOID, SILU, TANH = (
    CODES[name] for name in ("relu", "relu6", "hardsigmoid", "hardswish", "sigmoid", "silu", "tanh")
)


@compiled(borrowing=True)
def end_with(code: int, y: Any) -> None:
    """Replace every element of a flat buffer by its activation."""
    if code == RELU:
        for i in range(y.size):
            y[i] = _relu(y[i])
    elif code == RELU6:
        for i in range(y.size):
            y[i] = _relu6(y[i])
    elif code == HARDSIGMOID:
        for i in range(y.size):
            y[i] = _hardsigmoid(y[i])
    elif code == HARDSWISH:
        for i in range(y.size):
            y[i] = _hardswish(y[i])
    elif code == SIGMOID:
        for i in range(y.size):
            y[i] = _sigmoid(y[i])
    elif code == SILU:
        for i in range(y.size):
            y[i] = _silu(y[i])
    elif code == TANH:
        for i in range(y.size):
            y[i] = _tanh(y[i])
