"""What a trace consists of: records of operations, arrays, kernels and modules.

Records are plain values: they can be compared, stored and sent, and they keep no memory of the run alive
unless `trace(..., keep_arrays=True)` asked for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from kernels.array import Array
from minidnn.statistics import Statistics

Direction: TypeAlias = Literal["forward", "backward"]
# Among an operation's sources: what the model was given.
MODEL_INPUT = -1


class SourceLine(NamedTuple):
    """Where a method stands.

    Attributes:
        file: relative to the project, with slashes; absolute for a Function from elsewhere.
        line: of the word `def`, counted from 1.
    """

    file: str
    line: int


@dataclass(frozen=True)
class ArrayRecord:
    """An array that an operation read, made or was given as a gradient.

    Attributes:
        role: what the operation calls it: "x", "weight", "output".
        name: a parameter's dotted path in the model, or None.
        shape: sizes along the axes.
        dtype: the elements' type by name.
        statistics: of its elements as they were then; None where there is no finite one.
    """

    role: str
    name: str | None
    shape: tuple[int, ...]
    dtype: str
    statistics: Statistics | None

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What the elements take."""
        return self.size * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class KernelCall:
    """A kernel that an operation ran; those that a kernel calls itself are counted with it.

    Attributes:
        operation: the contract's name, such as "conv2d_forward".
        backend: "reference", "cpu" or "gpu".
        version: the name on the ladder of the version that ran.
        direction: in which pass.
        seconds: how long it took.
    """

    operation: str
    backend: str
    version: str
    direction: Direction
    seconds: float


@dataclass(frozen=True)
class OperationArrays:
    """The arrays of one operation, copies in host memory, as OperationRecord's fields of these names."""

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    gradients: tuple[Array | None, ...] = ()
    input_gradients: tuple[Array | None, ...] = ()


@dataclass(frozen=True)
class OperationRecord:
    """One operation: a Function that was applied, and what became of it in backward.

    Attributes:
        index: its place in the order of execution.
        module: dotted path of the module in whose forward it ran; "" is the model itself, and the loss.
        function: the Function's class name.
        arguments: stride, padding and the like, as plain values by name.
        parents: indices of the operations whose outputs it read, in order.
        inputs: what forward read; operands that were left out (no bias) are not here.
        sources: for each input the index of the operation that made it; `MODEL_INPUT` for what the model was
            given; None for parameters and constants.
        outputs: what forward made.
        makes_result: whether the model, or the loss, returned what it made.
        gradients: for each output what arrived in backward, None where nothing did; empty without backward.
        input_gradients: for each input what this operation's backward returned, None where it is not wanted.
            Where an array is read by several operations its gradient is the sum of theirs.
        kernels: what it ran, forward then backward.
        multiply_adds: of the forward pass, by `minidnn.costs`.
        bytes_moved: of all arrays that forward reads and writes, each once; 0 for a view.
        forward_seconds: how long forward took.
        backward_seconds: how long backward took; None where it did not run.
        backward_position: as how many-th its backward ran, from 0; None where it did not.
        forward_source, backward_source: where its methods stand.
        arrays: with `keep_arrays=True`, the arrays themselves.
    """

    index: int
    module: str
    function: str
    arguments: Mapping[str, Any]
    parents: tuple[int, ...]
    inputs: tuple[ArrayRecord, ...]
    sources: tuple[int | None, ...]
    outputs: tuple[ArrayRecord, ...]
    kernels: tuple[KernelCall, ...]
    multiply_adds: int
    bytes_moved: int
    forward_seconds: float
    forward_source: SourceLine
    backward_source: SourceLine
    makes_result: bool = False
    gradients: tuple[ArrayRecord | None, ...] = ()
    input_gradients: tuple[ArrayRecord | None, ...] = ()
    backward_seconds: float | None = None
    backward_position: int | None = None
    arrays: OperationArrays | None = field(default=None, repr=False, compare=False)

    @property
    def reads_input(self) -> bool:
        """Whether it reads what the model was given."""
        return MODEL_INPUT in self.sources

    @property
    def parameters(self) -> dict[str, ArrayRecord]:
        """The model's parameters that it read, by path."""
        return {record.name: record for record in self.inputs if record.name is not None}

    @property
    def parameter_count(self) -> int:
        """How many trained numbers these are."""
        return sum(record.size for record in self.parameters.values())

    @property
    def parameter_gradients(self) -> dict[str, ArrayRecord]:
        """This operation's gradient of each parameter, by the parameter's path."""
        pairs = zip(self.inputs, self.input_gradients, strict=False)
        return {
            record.name: gradient
            for record, gradient in pairs
            if record.name is not None and gradient is not None
        }


@dataclass(frozen=True)
class ModuleRecord:
    """A module of the model; one that stands in several places has a record for each.

    Attributes:
        path: dotted, "" for the model.
        class_name: the class's name.
        description: the class and its arguments in one line, such as "Conv2d(1, 6, kernel_size=(5, 5))".
        parameters: trained numbers that it holds itself, without its children.
        children: the paths of the modules below it.
    """

    path: str
    class_name: str
    description: str
    parameters: int
    children: tuple[str, ...]
