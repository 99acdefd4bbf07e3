"""The border of a module in the graph, where backward hooks see and replace gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernels.array import Array
from minidnn.autograd import Function
from minidnn.modes import no_grad
from minidnn.tensor import Tensor, apply_many

Gradients = tuple[Tensor | None, ...]


class Boundary(Function):
    """The identity on several tensors; its backward shows the gradients that cross a module's border."""

    is_view = True

    def __init__(self, cross: Callable[[Gradients], Gradients]) -> None:
        self.cross = cross

    def forward(self, *arrays: Array) -> tuple[Array, ...]:
        """Return a view of every array."""
        return tuple(array[...] for array in arrays)

    def backward(self, *grad_outputs: Array | None) -> tuple[Array | None, ...]:
        """Pass the gradients on, or what the hooks put in their place."""
        with no_grad():
            given = tuple(None if array is None else Tensor(array) for array in grad_outputs)
            return tuple(None if gradient is None else gradient.data for gradient in self.cross(given))


def pass_boundary(cross: Callable[[Gradients], Gradients], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Send the floating tensors among `values` through one Boundary and leave the rest alone.

    Args:
        cross: what is called with the gradients, and returns those that go on.
        values: a module's inputs or outputs.
    """
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.dtype.kind == "f"]
    if not places:
        return values
    crossed = apply_many(Boundary(cross), *(values[i] for i in places))
    replaced = dict(zip(places, crossed, strict=True))
    return tuple(replaced.get(i, value) for i, value in enumerate(values))
