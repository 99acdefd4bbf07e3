"""What a model consists of: a table of its layers with output shapes, parameters, mult-adds and memory.

The numbers come from one forward pass of one image in evaluation mode, seen through forward hooks. A detector
that can be given its regions gets one, the whole image.

- Mult-adds: multiplications (each with its addition) of convolutions and fully connected layers, as the
  papers count; normalisations, activations, pooling, biases and additions of shortcuts are left out.
- Activation memory: bytes of the arrays that a layer makes. What only looks at its input (flatten, dropout in
  evaluation mode) or overwrites it makes none; a block makes what none of its layers made (a sum, a
  concatenation).
"""

from __future__ import annotations

import inspect
import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels.array import Array
from minidnn import costs
from minidnn.modes import no_grad
from minidnn.nn import Conv2d, ConvTranspose2d, Linear, LocallyConnected2d, Module
from minidnn.tensor import Tensor
from models.lenet import TableConv2d

Shape = tuple[int, ...]


def _of_table_convolution(layer: TableConv2d, inputs: Shape, outputs: Shape) -> int:
    """Every connection is a filter over one map; the weight is (connections, KH, KW)."""
    return outputs[0] * math.prod(outputs[2:]) * math.prod(layer.weight.shape)


RULES: dict[type[Module], Callable[[Any, Shape, Shape], int]] = {
    Conv2d: lambda layer, inputs, outputs: costs.convolution(outputs, layer.weight.shape).value,
    LocallyConnected2d: lambda layer, inputs, outputs: (
        costs.locally_connected(outputs, layer.weight.shape).value
    ),
    ConvTranspose2d: lambda layer, inputs, outputs: (
        costs.transposed_convolution(inputs, layer.weight.shape).value
    ),
    Linear: lambda layer, inputs, outputs: costs.linear(outputs, layer.weight.shape).value,
    TableConv2d: _of_table_convolution,
}


@dataclass
class Row:
    """A module of the model; what it holds itself, without its children.

    Attributes:
        path: dotted, "" for the model.
        kind: the class's name.
        output_shape: of its last call, with the batch axis; empty where it was not called.
        parameters: trained numbers.
        mult_adds: of all its calls.
        activation_bytes: of the arrays it made.
        uncounted: it has a weight of two or more axes, but no rule says what it multiplies.
        children: the rows below it.
    """

    path: str
    kind: str
    output_shape: Shape = ()
    parameters: int = 0
    mult_adds: int = 0
    activation_bytes: int = 0
    uncounted: bool = False
    children: list[Row] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """How deep it stands: 0 for the model, 1 for its children."""
        return self.path.count(".") + 1 if self.path else 0

    def walk(self) -> Iterator[Row]:
        """This row and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def parameters_at_inference(self) -> int:
        """Trained numbers of all modules that ran: without auxiliary heads."""
        return sum(row.parameters for row in self.walk() if row.output_shape)

    def total(self, column: str) -> int:
        """The sum of a column ("parameters", "mult_adds", "activation_bytes") over this row and all below."""
        return sum(getattr(row, column) for row in self.walk())


class _Recorder:
    """Forward hooks that fill in the rows, by path."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self.rows = rows
        self.seen: dict[int, weakref.ref[Array]] = {}

    def new_bytes(self, value: Any) -> int:
        """The size of those arrays among the Tensors in `value` whose memory was not seen before."""
        arrays = [part.data for part in _parts(value) if isinstance(part, Tensor)]
        return sum(array.nbytes for array in arrays if self._is_new(array))

    def _is_new(self, array: Array) -> bool:
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        known = self.seen.get(id(owner))
        self.seen[id(owner)] = weakref.ref(owner)  # an id alone may be a freed array's
        return known is None or known() is not owner

    def see_inputs(self, path: str, inputs: tuple[Any, ...]) -> None:
        """What reaches a module and came from no other was made by the block around it."""
        made = self.new_bytes(inputs)
        if path:
            self.rows[path.rpartition(".")[0]].activation_bytes += made

    def see_output(self, path: str, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Note the shape, what was made and what was multiplied."""
        row = self.rows[path]
        row.activation_bytes += self.new_bytes(output)
        outputs = [part for part in _parts(output) if isinstance(part, Tensor)]
        if outputs:
            row.output_shape = outputs[0].shape
            rule = _rule(module)
            if rule is not None:
                row.mult_adds += rule(module, inputs[0].shape, outputs[0].shape)


def _rule(module: Module) -> Callable[[Any, Shape, Shape], int] | None:
    return next((RULES[base] for base in type(module).__mro__ if base in RULES), None)


def _parts(value: Any) -> list[Any]:
    """The things in a value, which may be a nesting of tuples and lists."""
    if isinstance(value, tuple | list):
        return [part for each in value for part in _parts(each)]
    return [value]


def summarize(model: Module, input_shape: tuple[int, int, int]) -> Row:
    """Run the model on one image and return its table; the model is left as it was.

    Args:
        model: any module that takes images.
        input_shape: (C, H, W).

    Raises:
        ValueError: the model does not take such images.
    """
    modes = [(module, module.training) for module in model.modules()]
    rows: dict[str, Row] = {}
    recorder = _Recorder(rows)
    handles = []
    for path, module in model.named_modules():
        row = rows[path] = _row(path, module)
        if path:
            rows[path.rpartition(".")[0]].children.append(row)
        handles.append(module.register_forward_pre_hook(_input_hook(recorder, path)))
        handles.append(module.register_forward_hook(_output_hook(recorder, path)))
    try:
        model.eval()
        with no_grad():
            model(*_example(model, input_shape))
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
    return rows[""]


def _example(model: Module, input_shape: tuple[int, int, int]) -> tuple[Any, ...]:
    """What the model is called with: an image, and a region if it takes regions."""
    dtype = next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))
    image = Tensor(np.zeros((1, *input_shape), dtype))
    if "proposals" not in inspect.signature(model.forward).parameters:
        return (image,)
    _, height, width = input_shape
    return image, [np.array([[0, 0, width, height]], dtype)]


def _input_hook(recorder: _Recorder, path: str) -> Callable[[Module, tuple[Any, ...]], None]:
    return lambda module, inputs: recorder.see_inputs(path, inputs)


def _output_hook(recorder: _Recorder, path: str) -> Callable[[Module, tuple[Any, ...], Any], None]:
    return lambda module, inputs, output: recorder.see_output(path, module, inputs, output)


def _row(path: str, module: Module) -> Row:
    """What is known of a module before it runs."""
    own = [parameter for _, parameter in module.named_parameters(recurse=False)]
    return Row(
        path,
        type(module).__name__,
        parameters=sum(parameter.data.size for parameter in own),
        uncounted=_rule(module) is None and any(parameter.ndim > 1 for parameter in own),
    )
