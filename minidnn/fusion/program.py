"""A model's forward pass as a list of steps on numbered slots, and how it is run.

    step                      inputs    outputs
    Conv2d                    1 2 0     4          slot 1: the input, 2: a weight, 0: no bias
    ReLU                      4         5
    Add                       5 1       6          slot 6: the output

Nothing of Tensor, Module or the graph is left: a step costs what its kernel costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

from kernels.array import Array
from minidnn.autograd import Function

# The slots that every program has: for an operand that is left out, and for the input.
NOTHING, INPUT = 0, 1


@dataclass(frozen=True)
class Step:
    """outputs = function.forward(*inputs).

    Attributes:
        function: the operation with its parameters, as it was before it ran.
        inputs: the slots that it reads.
        outputs: the slots that it fills.
    """

    function: Function
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """What a model does with inputs of one shape.

    Attributes:
        steps: in the order in which they run; every slot is filled once.
        constants: slots that are filled from the start: weights, statistics, numbers.
        shapes: of the slots that steps fill, and of the input.
        output: the slot of the result.
    """

    steps: tuple[Step, ...]
    constants: dict[int, Array | None]
    shapes: dict[int, tuple[int, ...]]
    output: int

    def changed(self, steps: list[Step]) -> Self:
        """The same program with other steps."""
        return replace(self, steps=tuple(steps))

    def constant(self, array: Array | None) -> int:
        """The number of a new slot with a constant; for None, of the slot that holds nothing."""
        if array is None:
            return NOTHING
        slot = 1 + max(*self.constants, *self.shapes)
        self.constants[slot] = array
        return slot

    def producers(self) -> dict[int, Step]:
        """For each slot the step that fills it."""
        return {slot: step for step in self.steps for slot in step.outputs}

    def readers(self, slot: int) -> int:
        """How often a slot is read, as an operand or as the result."""
        return sum(step.inputs.count(slot) for step in self.steps) + (slot == self.output)


class Runner:
    """Runs a program. Runs do not disturb each other, so several threads may share it."""

    def __init__(self, program: Program) -> None:
        self._start: list[Array | None] = [None] * (1 + max(*program.constants, *program.shapes))
        used = {slot for step in program.steps for slot in step.inputs} | {program.output}
        for slot, array in program.constants.items():
            if slot in used:
                self._start[slot] = array
        self._output = program.output
        last_uses = _last_uses(program)
        self._calls = [
            (_call(step.function), step.inputs, step.outputs, last_uses[position])
            for position, step in enumerate(program.steps)
        ]

    def __call__(self, x: Array) -> Any:
        """Return the result for an input of the program's shape and dtype."""
        slots = self._start.copy()
        slots[INPUT] = x
        for call, inputs, outputs, finished in self._calls:
            result = call(*[slots[slot] for slot in inputs])
            if type(result) is tuple:
                for slot, array in zip(outputs, result, strict=True):
                    slots[slot] = array
            else:
                slots[outputs[0]] = result
            for slot in finished:  # the memory serves the next outputs
                slots[slot] = None
        return slots[self._output]


def _last_uses(program: Program) -> list[list[int]]:
    """For each step the slots that nobody reads after it."""
    last = {slot: position for position, step in enumerate(program.steps) for slot in step.outputs}
    for position, step in enumerate(program.steps):
        last.update(dict.fromkeys(step.inputs, position))
    finished: list[list[int]] = [[] for _ in program.steps]
    for slot, position in last.items():
        if slot != program.output and slot not in program.constants:
            finished[position].append(slot)
    return finished


def _call(function: Function) -> Callable[..., Any]:
    """What runs a Function's forward on a fresh instance: forward leaves there what backward needs."""
    kind, parameters = type(function), vars(function).copy()

    def call(*arrays: Array | None) -> Any:
        instance = kind.__new__(kind)
        instance.__dict__.update(parameters)
        return instance.forward(*arrays)

    return call
