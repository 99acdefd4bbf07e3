"""Dropout as a function."""

from __future__ import annotations

from typing import Any

from kernels.array import Array, check_flag, check_number
from kernels.dropout import dropout_backward, dropout_forward
from minidnn.autograd import Function
from minidnn.random import next_seed
from minidnn.tensor import Tensor, apply, as_tensor


class Dropout(Function):
    """y = mask * x / (1 - p), dx = mask * dy / (1 - p); the mask is a function of the seed, drawn twice."""

    def __init__(self, probability: float, seed: int) -> None:
        self.probability = probability
        self.seed = seed

    def forward(self, x: Array) -> Array:
        """Drop and scale."""
        return dropout_forward(x, self.probability, self.seed)

    def backward(self, grad_output: Array) -> Array:
        """Drop and scale the gradient alike."""
        return dropout_backward(grad_output, self.probability, self.seed)


def dropout(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, set each element to zero with probability p and multiply the others by 1 / (1 - p).

    The mask comes from a seed that the engine's generator draws (`minidnn.manual_seed` makes it reproducible)
    and the element's index; see kernels/dropout. Otherwise, and for p = 0, x itself is returned.

    Shapes: x of any rank; output as x.
    Dtypes: float32 or float64.

    Args:
        x: the input.
        p: the probability of dropping an element.
        training: whether to drop anything.
        inplace: write the result over x and return x.

    Raises:
        ValueError: p outside [0, 1].
        TypeError: another dtype, or p is not a number.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15
    (2014).
    """
    check_probability(p)
    training, inplace = check_flag("training", training), check_flag("inplace", inplace)
    tensor = as_tensor(x)
    if not training or p == 0:
        return tensor
    result = apply(Dropout(p, next_seed()), tensor)
    return tensor._assign_(result) if inplace else result


def check_probability(p: Any) -> float:
    """Return p as a float; TypeError unless it is a number, ValueError unless it is in [0, 1]."""
    if check_number("p", p, minimum=0) > 1:
        raise ValueError(f"p must be at most 1, got {p}")
    return float(p)
