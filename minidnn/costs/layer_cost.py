"""What a layer costs forward and backward."""

from __future__ import annotations

import math
from dataclasses import dataclass

from minidnn.costs.count import Count


@dataclass(frozen=True)
class Moved:
    """An array that a pass reads or writes.

    Attributes:
        name: as in the formulas: x, weight, y, grad_x.
        shape: its shape.
        itemsize: bytes of an element.
    """

    name: str
    shape: tuple[int, ...]
    itemsize: int = 4

    @property
    def bytes(self) -> int:
        """Of the whole array."""
        return math.prod(self.shape) * self.itemsize


@dataclass(frozen=True)
class Pass:
    """One direction.

    Attributes:
        multiply_adds: of convolutions and matrix products.
        operations: all others.
        reads: the arrays that must be read.
        writes: the arrays that are made.
    """

    multiply_adds: Count
    operations: Count
    reads: tuple[Moved, ...]
    writes: tuple[Moved, ...]

    @property
    def flops(self) -> int:
        """2 multiply-adds + operations."""
        return 2 * self.multiply_adds.value + self.operations.value

    @property
    def bytes(self) -> int:
        """Of all arrays, each once."""
        return sum(array.bytes for array in (*self.reads, *self.writes))

    @property
    def intensity(self) -> float:
        """FLOPs per byte; what falls below a machine's ratio of the two waits for memory."""
        return self.flops / self.bytes if self.bytes else 0.0

    def then(self, other: Pass) -> Pass:
        """Both passes, one after the other."""
        return Pass(
            self.multiply_adds + other.multiply_adds,
            self.operations + other.operations,
            self.reads + other.reads,
            self.writes + other.writes,
        )


@dataclass(frozen=True)
class LayerCost:
    """A layer's cost.

    Attributes:
        input: x's shape.
        output: y's shape.
        parameters: trained numbers.
        forward: the forward pass.
        backward: the gradients of x and of all parameters.
    """

    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: Count
    forward: Pass
    backward: Pass

    def then(self, following: LayerCost) -> LayerCost:
        """This layer and another one on its output."""
        return LayerCost(
            self.input,
            following.output,
            self.parameters + following.parameters,
            self.forward.then(following.forward),
            following.backward.then(self.backward),
        )
