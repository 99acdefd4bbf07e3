"""One row of the table of gradient checks (`minidnn.layer_checks`): a layer in one configuration.

`function(name, configuration, *inputs, **keywords)` stands for `minidnn.functional.name`,
`module(name, configuration, arguments, *inputs, **keywords)` for `minidnn.nn.name(*arguments, **keywords)`,
and `operation(name, configuration, callable, *inputs)` for what Tensors do. Inputs drawn by `normal`,
`positive`, `negative`, `zeros`, `distinct`, `given` and `probabilities` are differentiated, and so are a
module's parameters; `fixed`, `indices` and plain values are not.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array
from kernels.device import CPU, Device
from minidnn import functional, nn, random
from minidnn.gradcheck import GradcheckReport, gradcheck_report
from minidnn.tensor import Tensor

# ---- inputs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Input:
    """A tensor to be drawn: by `draw` from a generator, differentiated or not."""

    draw: Callable[[np.random.Generator], Array]
    requires_grad: bool = True


def normal(*shape: int) -> Input:
    """Normal values."""
    return Input(lambda generator: generator.normal(size=shape))


def positive(*shape: int) -> Input:
    """Values in [0.5, 2)."""
    return Input(lambda generator: generator.uniform(0.5, 2.0, shape))


def negative(*shape: int) -> Input:
    """Values in [-2, -0.5)."""
    return Input(lambda generator: generator.uniform(-2.0, -0.5, shape))


def zeros(*shape: int) -> Input:
    """Zeros: where many functions have a kink."""
    return Input(lambda generator: np.zeros(shape))


def distinct(*shape: int) -> Input:
    """A shuffle of multiples of 1/8, so that no maximum is a close call."""
    return Input(lambda generator: (generator.permutation(int(np.prod(shape))) / 8 - 1).reshape(shape))


def given(values: Any) -> Input:
    """These values."""
    return Input(lambda generator: np.array(values, np.float64))


def fixed(values: Any) -> Input:
    """Given floating values, not differentiated."""
    return Input(lambda generator: np.array(values, np.float64), requires_grad=False)


def indices(values: Any) -> Input:
    """Given integers."""
    return Input(lambda generator: np.array(values, np.int64), requires_grad=False)


def probabilities(*shape: int) -> Input:
    """Positive values that sum to one along axis 1, differentiated."""

    def draw(generator: np.random.Generator) -> Array:
        values = generator.uniform(0.1, 1.0, shape)
        drawn: Array = values / values.sum(axis=1, keepdims=True)
        return drawn

    return Input(draw)


# ---- rows --------------------------------------------------------------------------------------


class Built(NamedTuple):
    """What a row checks.

    Attributes:
        compute: called with the row's inputs and then the members.
        members: the module's parameters and floating buffers by name, to be drawn.
        names: what the inputs are called.
    """

    compute: Callable[..., Any]
    members: dict[str, Input]
    names: list[str]


@dataclass(frozen=True)
class LayerCheck:
    """One row: a layer in one configuration.

    Attributes:
        layer: name in `minidnn.functional` or `minidnn.nn`, or of an operation on Tensors.
        configuration: what is odd about it.
        build: makes what is checked.
        inputs: the positional arguments: Inputs, lists of them, or plain values.
        keywords: further arguments, likewise.
        seeded: the layer is random; every call sees the same draw.
    """

    layer: str
    configuration: str
    build: Callable[[], Built]
    inputs: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    seeded: bool = False

    def prepare(
        self, seed: int = 0, device: Device = CPU
    ) -> tuple[Callable[..., Any], tuple[Tensor, ...], list[str]]:
        """Return the function of tensors to check, its inputs drawn from `seed`, and their names.

        The function takes and returns tensors in host memory and computes on the device.
        """
        generator = np.random.default_rng([seed, *map(ord, self.layer + self.configuration)])
        compute, members, names = self.build()
        drawn = [*_leaves(self.inputs), *_leaves(self.keywords), *members.values()]
        tensors = tuple(Tensor(item.draw(generator), item.requires_grad) for item in drawn)

        def call(*passed: Tensor) -> Any:
            tensors = iter([tensor.to(device) for tensor in passed])
            positional, keywords = _filled(self.inputs, tensors), _filled(self.keywords, tensors)
            with _fixed_seed(seed) if self.seeded else nullcontext():
                return _in_host_memory(compute(*positional, *tensors, **keywords))

        return call, tensors, [*_input_names(names, self.inputs, self.keywords), *members]

    def run(
        self, mode: str = "full", method: str = "central", seed: int = 0, device: Device = CPU
    ) -> GradcheckReport:
        """Check the gradients of all its inputs and parameters on a device; see `minidnn.gradcheck`."""
        compute, inputs, names = self.prepare(seed, device)
        seeds = (seed, seed + 1, seed + 2)
        return gradcheck_report(compute, inputs, mode=mode, method=method, seeds=seeds, names=names)


def function(
    layer: str, configuration: str, *inputs: Any, seeded: bool = False, **keywords: Any
) -> LayerCheck:
    """A row for `functional.layer(*inputs, **keywords)`."""

    def build() -> Built:
        compute = getattr(functional, layer)
        return Built(compute, {}, _argument_names(compute))

    return LayerCheck(layer, configuration, build, inputs, keywords, seeded)


def module(
    layer: str,
    configuration: str,
    arguments: tuple[Any, ...] | Callable[[], tuple[Any, ...]],
    *inputs: Any,
    training: bool = True,
    seeded: bool = False,
    **keywords: Any,
) -> LayerCheck:
    """A row for `nn.layer(*arguments, **keywords)` called with `inputs`; its parameters are checked too.

    Where the arguments are modules they are given by a function, so that every check makes its own.
    """
    return LayerCheck(
        layer,
        configuration,
        lambda: _build_module(layer, arguments, keywords, training),
        inputs,
        seeded=seeded,
    )


def operation(layer: str, configuration: str, compute: Callable[..., Any], *inputs: Any) -> LayerCheck:
    """A row for something that Tensors do."""
    return LayerCheck(layer, configuration, lambda: Built(compute, {}, _argument_names(compute)), inputs)


def _build_module(
    layer: str,
    arguments: tuple[Any, ...] | Callable[[], tuple[Any, ...]],
    keywords: dict[str, Any],
    training: bool,
) -> Built:
    """A module that takes its parameters and its floating buffers (positive, like variances) as arguments."""
    made = getattr(nn, layer)(*(arguments() if callable(arguments) else arguments), **keywords)
    made.train(training)
    members = {name: normal(*parameter.shape) for name, parameter in made.named_parameters()}
    for name, buffer in made.named_buffers():
        if buffer.dtype.kind == "f":
            members[name] = replace(positive(*buffer.shape), requires_grad=False)

    def compute(*passed: Any) -> Any:
        count = len(passed) - len(members)
        for name, tensor in zip(members, passed[count:], strict=True):
            _put(made, name, tensor)
        return made(*passed[:count])

    return Built(compute, members, _argument_names(made.forward))


def _put(module: nn.Module, name: str, tensor: Tensor) -> None:
    """Make a tensor stand where the parameter or buffer of this name was."""
    path, _, attribute = name.rpartition(".")
    owner = module.get_submodule(path)
    # Past `register_parameter`: not a Parameter but an input of the check, the very tensor that was passed.
    owner._keep(owner._parameters if attribute in owner._parameters else owner._buffers, attribute, tensor)


@contextmanager
def _fixed_seed(seed: int) -> Iterator[None]:
    """Draw the same numbers in every call, and leave the engine's generator as it was."""
    state = random.get_state()
    random.manual_seed(seed)
    try:
        yield
    finally:
        random.set_state(state)


def _in_host_memory(outputs: Any) -> Any:
    """What a layer returned, a Tensor or a nest of tuples of them, for the checker to look at."""
    if isinstance(outputs, Tensor):
        return outputs.cpu()
    return tuple(map(_in_host_memory, outputs)) if isinstance(outputs, list | tuple) else outputs


def _leaves(value: Any) -> Iterator[Input]:
    """All Inputs in a nest of lists, tuples and dictionaries, in order."""
    if isinstance(value, Input):
        yield value
    elif isinstance(value, list | tuple | Mapping):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(item)


def _filled(value: Any, tensors: Iterator[Tensor]) -> Any:
    """The same nest with the next tensor in the place of each Input."""
    if isinstance(value, Input):
        return next(tensors)
    if isinstance(value, Mapping):
        return {name: _filled(item, tensors) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_filled(item, tensors) for item in value)
    return value


def _argument_names(compute: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(compute).parameters.values()
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _input_names(names: Sequence[str], inputs: Sequence[Any], keywords: Mapping[str, Any]) -> list[str]:
    """A name for every Input: that of its argument, with a number where the argument holds several."""
    positional = [(names[k] if k < len(names) else "x", value) for k, value in enumerate(inputs)]
    result = []
    for name, value in (*positional, *keywords.items()):
        count = len(list(_leaves(value)))
        result += [name] if count == 1 else [f"{name}[{number}]" for number in range(count)]
    return result
