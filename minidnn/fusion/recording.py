"""Turns a model into a program by watching it run once: every operation passes one place, `tensor.apply`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.device import device_of, to_device, to_host
from minidnn.autograd import Function
from minidnn.fusion.program import INPUT, NOTHING, Program, Runner, Step
from minidnn.modes import no_grad, observed_by
from minidnn.nn import Module
from minidnn.tensor import Tensor


class Recorder:
    """The observer that notes every operation that the input reaches; all other arrays are constants."""

    def __init__(self, x: Array) -> None:
        self._slots = {id(x): INPUT}
        self._arrays: list[Array | None] = [None, x]  # by slot; while they live, their ids stay theirs
        self._computed = {INPUT}
        self._steps: list[Step] = []

    def run(self, function: Function, arrays: list[Array | None]) -> Any:
        """Run forward, and note it as a step."""
        untouched = object.__new__(type(function))
        vars(untouched).update(vars(function))
        result = function.forward(*arrays)
        inputs = tuple(self._slot(array) for array in arrays)
        if not self._computed.isdisjoint(inputs):
            results = result if isinstance(result, tuple) else (result,)
            outputs = tuple(self._new_slot(array) for array in results)
            self._computed.update(outputs)
            self._steps.append(Step(untouched, inputs, outputs))
        return result

    def assign(self, target: Array, source: Array) -> None:
        """The target holds from now on what the source's slot holds."""
        self._slots[id(target)] = self._slot(source)
        self._arrays.append(target)

    def program(self, result: Array) -> Program:
        """What was noted, with the model's result as its output."""
        output = self._slot(result)
        arrays = dict(enumerate(self._arrays))
        constants = {slot: array for slot, array in arrays.items() if slot not in self._computed}
        shapes = {slot: array.shape for slot, array in arrays.items() if array is not None}
        return Program(tuple(self._steps), constants, shapes, output)

    def _slot(self, array: Array | None) -> int:
        if array is None:
            return NOTHING
        slot = self._slots.get(id(array))
        return self._new_slot(array) if slot is None else slot

    def _new_slot(self, array: Array) -> int:
        slot = self._slots[id(array)] = len(self._arrays)
        self._arrays.append(array)
        return slot


def record(model: Module, x: Array) -> Program:
    """Return what the model does with an input of x's shape and dtype.

    Only operations on Tensors are seen. What a model computes otherwise, and a way that it takes because
    of the input's values, would be frozen as it was for x; therefore the program has to give the model's bits
    for another input too.

    Raises:
        TypeError: the model's output is not a Tensor.
        ValueError: on another input the program and the model disagree.
    """
    given = Tensor(x)
    recorder = Recorder(given.data)
    with no_grad(), observed_by(recorder):
        output = model(given)
    if not isinstance(output, Tensor):
        raise TypeError(f"model must return one Tensor to be fused, it returns {type(output).__name__}")
    program = recorder.program(output.data)
    other = to_device(np.random.default_rng(0).standard_normal(x.shape).astype(x.dtype), device_of(x))
    with no_grad():
        expected = model(Tensor(other)).data
    if not np.array_equal(to_host(Runner(program)(other)), to_host(expected), equal_nan=True):
        raise ValueError(
            f"model must compute with operations on Tensors only, and the same for every input, to be fused: "
            f"{type(model).__name__} draws random numbers, computes outside Tensors or looks at their values"
        )
    return program
