"""Running a model without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kernels.device import overwrite, to_host
from minidnn import random
from minidnn.nn import Module
from minidnn.tensor import Tensor


@contextmanager
def preserved(model: Module) -> Iterator[None]:
    """Put back the model's gradients and buffers (running statistics) and the engine's random state.

    The parameters have no gradients while the context lasts, so that what a backward pass adds is its own.
    """
    random_state = random.get_state()
    gradients = {id(parameter): parameter.grad for parameter in model.parameters()}
    buffers = [(buffer, buffer._array, buffer._array.copy()) for buffer in model.buffers()]
    model.zero_grad()
    try:
        yield
    finally:
        random.set_state(random_state)
        for parameter in model.parameters():  # a lazy layer has more of them now
            parameter.grad = gradients.get(id(parameter))
        for buffer, array, before in buffers:
            buffer._array = array
            if not _equal(array, before):  # marked as changed, a backward that needs it would refuse
                overwrite(array, before)
                buffer.mark_changed()


def _equal(array: Any, other: Any) -> bool:
    """Whether two arrays hold the same bits."""
    return bool(to_host(array).tobytes() == to_host(other).tobytes())


def map_tensors(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """Return a nesting of tuples, lists and mappings with `change(tensor)` in the place of each Tensor."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(item, change) for item in value))
    if isinstance(value, tuple | list):
        return type(value)(map_tensors(item, change) for item in value)
    if isinstance(value, dict):
        return type(value)((name, map_tensors(item, change)) for name, item in value.items())
    return value


def tensors_in(value: Any) -> list[Tensor]:
    """Return the Tensors in a nesting of tuples, lists and mappings, in order."""
    found: list[Tensor] = []
    map_tensors(value, found.append)
    return found
