"""What `amp.autocast` does to an operation: float16 in, float32 out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernels.array import HALF, SINGLE
from minidnn.modes import MODES
from minidnn.tensor import Tensor, as_tensor


def wanted_in_half(*operands: Any) -> bool:
    """Whether `amp.autocast` holds and all operands (None is passed over) are float32, which it is for."""
    if not MODES.get().autocast:
        return False
    return all(operand is None or as_tensor(operand).dtype == SINGLE for operand in operands)


def in_half(function: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Any, *arguments: Any) -> Tensor:
    """Return the function of the three operands, rounded to float16, in float32.

    The conversions are part of the graph: gradients come back through float16, which is what losses are
    scaled for, and are float32 at x, weight and bias.
    """
    halves = [None if operand is None else as_tensor(operand).to(HALF) for operand in (x, weight, bias)]
    return function(*halves, *arguments).to(SINGLE)
