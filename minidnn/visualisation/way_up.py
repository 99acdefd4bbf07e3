"""The way from an image up to a layer: the operations, one after the other, with what they read and made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kernels.array import Array
from minidnn.autograd import Function


@dataclass(frozen=True, eq=False)
class Step:
    """An operation that the image reaches.

    Attributes:
        function: what ran.
        inputs: its arrays.
        outputs: likewise; of max pooling the maxima and the switches.
        before: the step that made the input which the image reaches; None for the image itself.
        joins: whether several inputs are reached, so that there is more than one way.
    """

    function: Function
    inputs: list[Array | None]
    outputs: tuple[Array, ...]
    before: Step | None
    joins: bool


class WayUp:
    """The observer that notes every operation which the image reaches, with the one before it.

    Args:
        image: the model's input.
    """

    def __init__(self, image: Array) -> None:
        self._made_by: dict[int, Step | None] = {id(image): None}
        self._kept: list[Any] = [image]  # while arrays live, their ids stay theirs

    def run(self, function: Function, arrays: list[Array | None]) -> Any:
        """Run forward, and note it."""
        result = function.forward(*arrays)
        reached = [self._made_by[id(array)] for array in arrays if id(array) in self._made_by]
        if reached:
            outputs = result if isinstance(result, tuple) else (result,)
            step = Step(function, arrays, outputs, reached[0], len(reached) > 1)
            self._kept.append(step)
            self._made_by.update((id(output), step) for output in outputs)
        return result

    def assign(self, target: Array, source: Array) -> None:
        """The target holds from now on what the source's step made."""
        if id(source) in self._made_by:
            self._made_by[id(target)] = self._made_by[id(source)]

    def steps_to(self, array: Array) -> list[Step]:
        """The steps from the one that made the array back to the image, or to one that joins several ways.

        Raises:
            ValueError: the image does not reach the array.
        """
        if id(array) not in self._made_by:
            raise ValueError("layer must depend on the image, this one's output does not")
        steps = []
        step = self._made_by[id(array)]
        while step is not None:
            steps.append(step)
            step = None if step.joins else step.before
        return steps
