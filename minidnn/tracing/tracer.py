"""The observer that turns operations into records while a model runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from kernels.array import Array
from kernels.device import shares_memory, to_host
from kernels.registry import Version
from minidnn.autograd import Function
from minidnn.costs import function_multiply_adds
from minidnn.device import synchronize
from minidnn.statistics import summarize
from minidnn.tensor import Tensor
from minidnn.tracing.function import input_roles, output_roles, plain_arguments, source_of
from minidnn.tracing.records import (
    MODEL_INPUT,
    ArrayRecord,
    Direction,
    KernelCall,
    OperationArrays,
    OperationRecord,
)


@dataclass
class _Known:
    """An array that was seen.

    Attributes:
        array: a weak reference, for an id alone may be a freed array's.
        producer: index of the operation that made its elements, `MODEL_INPUT`, or None.
        record: what was found out about it.
        copy: its elements, where they are kept.
        is_current: whether nothing has been written into its memory since.
    """

    array: weakref.ref[Array]
    producer: int | None
    record: ArrayRecord
    copy: Array | None
    is_current: bool = True


class Tracer:
    """Observes operations (see `minidnn.modes.Observer`) and kernels, and their backward.

    The wish to see a Function's backward is an attribute of that one Function, under the method's name: no
    other operation pays for it, and it goes when the graph is freed.

    Attributes:
        operations: what was recorded, in order of execution.
        module: the path of the module that is running.

    Args:
        names: the paths of parameters, by the ids of their arrays.
        differentiate: whether a backward pass will follow.
        keep_arrays: whether the records shall hold copies of the arrays.
    """

    def __init__(self, names: dict[int, str], differentiate: bool, keep_arrays: bool) -> None:
        self.operations: list[OperationRecord] = []
        self.module = ""
        self._names = names
        self._differentiate = differentiate
        self._keep_arrays = keep_arrays
        self._known: dict[int, _Known] = {}
        self._kernels: list[KernelCall] | None = None  # of the operation that is running
        self._direction: Direction = "forward"
        self._backward_runs = 0

    def give(self, tensors: Iterable[Tensor]) -> None:
        """Say what the model is given."""
        for tensor in tensors:
            self._look(tensor._array, producer=MODEL_INPUT)

    def take(self, tensors: Iterable[Tensor]) -> None:
        """Say what the model, or the loss, has returned."""
        for tensor in tensors:
            index = self._look(tensor._array).producer
            if index is not None and index != MODEL_INPUT:
                self.operations[index] = replace(self.operations[index], makes_result=True)
        self._direction = "backward"  # from here on run gradients, and hooks on them

    # ---- the observer ----------------------------------------------------------------------------

    def run(self, function: Function, arrays: list[Array | None]) -> Any:
        """Run forward and record it; what a hook computes in the middle of a backward is not recorded."""
        if self._direction == "backward":
            return function.forward(*arrays)
        index = len(self.operations)
        arguments = plain_arguments(function)  # before forward adds attributes of its own
        inputs = [None if array is None else self._look(array) for array in arrays]
        with self._listening("forward") as kernels:
            result, seconds = _timed(function.forward, arrays)
        made = result if isinstance(result, tuple) else (result,)
        outputs = [self._look(array, producer=index) for array in made]
        given = [array for array in arrays if array is not None]
        self.operations.append(
            self._record(
                function,
                inputs,
                outputs,
                arguments=arguments,
                kernels=tuple(kernels),
                bytes_moved=_bytes_moved(function, given, made),
                forward_seconds=seconds,
            )
        )
        if self._differentiate and True in function.needs:
            self._watch_backward(index, function, [array is not None for array in arrays])
        return result

    def _record(
        self, function: Function, inputs: Sequence[_Known | None], outputs: Sequence[_Known], **measured: Any
    ) -> OperationRecord:
        """The record of an operation that has run, of all inputs that were not left out."""
        roles = input_roles(function, len(inputs))
        present = [(known, role) for known, role in zip(inputs, roles, strict=True) if known is not None]
        given = [known for known, _ in present]
        shapes = [known.record.shape for known in given]
        return OperationRecord(
            index=len(self.operations),
            module=self.module,
            function=function.name,
            parents=_parents(given),
            inputs=_in_roles(given, [role for _, role in present]),
            sources=tuple(known.producer for known in given),
            outputs=_in_roles(outputs, output_roles(len(outputs))),
            multiply_adds=function_multiply_adds(function.name, shapes, outputs[0].record.shape),
            forward_source=source_of(type(function).forward),
            backward_source=source_of(type(function).backward),
            arrays=self._arrays(given, outputs),
            **measured,
        )

    def assign(self, target: Array, source: Array) -> None:
        """The target's memory is overwritten: it becomes what the source is, and its views something new."""
        written = self._look(source)
        for known in self._known.values():
            array = known.array()
            if array is not None and array is not source and shares_memory(array, target):
                known.producer, known.is_current = written.producer, False
        record = replace(written.record, name=self._names.get(id(target)))
        self._known[id(target)] = replace(written, array=weakref.ref(target), record=record)

    # ---- backward ----------------------------------------------------------------------------------

    def _watch_backward(self, index: int, function: Function, is_present: Sequence[bool]) -> None:
        def run(*grad_outputs: Array | None) -> Any:
            return self._run_backward(index, function, grad_outputs, is_present)

        vars(function)["backward"] = run

    def _run_backward(
        self,
        index: int,
        function: Function,
        grad_outputs: Sequence[Array | None],
        is_present: Sequence[bool],
    ) -> Any:
        with self._listening("backward") as kernels:
            result, seconds = _timed(type(function).backward, (function, *grad_outputs))
        returned = result if isinstance(result, tuple) else (result,)
        record = self.operations[index]
        given = [None if array is None else self._look(array) for array in grad_outputs]
        made = [
            None if array is None else self._look(array)
            for array, present in zip(returned, is_present, strict=False)
            if present
        ]
        self.operations[index] = replace(
            record,
            gradients=_gradients(given, record.outputs),
            input_gradients=_gradients(made, record.inputs),
            kernels=(*record.kernels, *kernels),
            backward_seconds=seconds,
            backward_position=self._backward_runs,
            arrays=record.arrays
            and replace(record.arrays, gradients=_copies(given), input_gradients=_copies(made)),
        )
        self._backward_runs += 1
        return result

    # ---- kernels -------------------------------------------------------------------------------------

    @contextmanager
    def _listening(self, direction: Direction) -> Iterator[list[KernelCall]]:
        outer = self._kernels, self._direction
        kernels: list[KernelCall] = []
        self._kernels, self._direction = kernels, direction
        try:
            yield kernels
        finally:
            self._kernels, self._direction = outer

    def hear(self, version: Version, *arguments: Any, **keywords: Any) -> Any:
        """Run a kernel, and note it if an operation is running and no other kernel asked for it."""
        kernels = self._kernels
        if kernels is None:
            return version.function(*arguments, **keywords)
        self._kernels = None
        try:
            result, seconds = _timed(version.function, arguments, **keywords)
        finally:
            self._kernels = kernels
        kernels.append(KernelCall(version.operation, version.backend, version.name, self._direction, seconds))
        return result

    # ---- arrays --------------------------------------------------------------------------------------

    def _look(self, array: Array, producer: int | None = None) -> _Known:
        """What is known of an array; a new one is looked at. An operation's own output is always new."""
        known = self._known.get(id(array))
        if known is not None and known.array() is array and producer is None:
            if known.is_current:
                return known
            producer = known.producer
        name = self._names.get(id(array))
        record = ArrayRecord("", name, tuple(array.shape), str(array.dtype), summarize(array))
        copy = to_host(array).copy() if self._keep_arrays else None
        known = self._known[id(array)] = _Known(weakref.ref(array), producer, record, copy)
        return known

    def _arrays(self, inputs: Sequence[_Known], outputs: Sequence[_Known]) -> OperationArrays | None:
        if not self._keep_arrays:
            return None
        return OperationArrays(
            tuple(known.copy for known in inputs if known.copy is not None),
            tuple(known.copy for known in outputs if known.copy is not None),
        )


def _timed(function: Callable[..., Any], arguments: Sequence[Any], **keywords: Any) -> tuple[Any, float]:
    """What a function returns, and the seconds until it is there, on a GPU too."""
    synchronize()
    start = perf_counter()
    result = function(*arguments, **keywords)
    synchronize()
    return result, perf_counter() - start


def _parents(inputs: Sequence[_Known]) -> tuple[int, ...]:
    producers = [known.producer for known in inputs if known.producer is not None]
    return tuple(dict.fromkeys(index for index in producers if index != MODEL_INPUT))


def _in_roles(arrays: Sequence[_Known], roles: Sequence[str]) -> tuple[ArrayRecord, ...]:
    return tuple(replace(known.record, role=role) for known, role in zip(arrays, roles, strict=True))


def _gradients(
    gradients: Sequence[_Known | None], arrays: Sequence[ArrayRecord]
) -> tuple[ArrayRecord | None, ...]:
    """The gradients' records, each in the role and under the name of what it is the gradient of."""
    return tuple(
        None if known is None else replace(known.record, role=f"gradient of {of.role}", name=of.name)
        for known, of in zip(gradients, arrays, strict=True)
    )


def _copies(arrays: Sequence[_Known | None]) -> tuple[Array | None, ...]:
    return tuple(None if known is None else known.copy for known in arrays)


def _bytes_moved(function: Function, inputs: Sequence[Array], outputs: Sequence[Array]) -> int:
    """Of all arrays, once each; a view reads and writes nothing."""
    if function.is_view and all(shares_memory(output, inputs[0]) for output in outputs):
        return 0
    distinct = {id(array): array for array in (*inputs, *outputs)}
    return sum(array.nbytes for array in distinct.values())
