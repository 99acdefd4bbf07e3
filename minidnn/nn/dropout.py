"""Dropout as a layer."""

from __future__ import annotations

from typing import Any

from minidnn.functional.dropout import check_probability, dropout
from minidnn.nn.module import Module
from minidnn.tensor import Tensor


class Dropout(Module):
    """In training, drops each element with probability p and scales the others by 1 / (1 - p).

    In evaluation it returns its input. See `minidnn.functional.dropout`.

    Args:
        p: the probability of dropping an element.
        inplace: write the result over the input.

    Raises:
        ValueError: p outside [0, 1].
        TypeError: p is not a number.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def forward(self, x: Any) -> Tensor:
        """Drop in training, pass in evaluation."""
        return dropout(x, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """All arguments."""
        return f"p={self.p}, inplace={self.inplace}"
