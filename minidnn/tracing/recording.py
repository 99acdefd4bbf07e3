"""`trace`: runs a model under an observer and returns what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from kernels.array import Array, check_flag
from kernels.device import device_of, is_array, to_device
from kernels.registry import listen
from minidnn import autograd
from minidnn.modes import enable_grad, no_grad, observed_by
from minidnn.nn.module import Module, one_line
from minidnn.tensor import Tensor
from minidnn.tracing.preserving import map_tensors, preserved, tensors_in
from minidnn.tracing.records import ModuleRecord
from minidnn.tracing.trace import Trace
from minidnn.tracing.tracer import Tracer

# Of the random upstream gradients.
SEED = 0


def trace(
    model: Module,
    x: Any,
    backward: bool = True,
    keep_arrays: bool = False,
    loss: Callable[[Any], Tensor] | None = None,
) -> Trace:
    """Run a model once and return a record of every operation: what it read and made, what it cost, who ran.

    The model runs in the mode that it is in (`train()` or `eval()`). It runs twice, first without being
    observed, so that the times are not those of compiling kernels; the second pass is recorded. Gradients,
    running statistics, the random state and x are left as they were; hooks of the model's own are called.

    Args:
        model: what to run.
        x: its input, a Tensor or an array; a tuple for several inputs. A Tensor that requires grad is
            differentiated too.
        backward: whether to run backward as well. Without it the model runs under `no_grad`, as in inference.
        keep_arrays: whether the records shall hold copies of all arrays (as much memory again).
        loss: called with the model's output, returns the Tensor with one element from which backward starts;
            its operations are recorded as the model's own. By default the upstream gradient of every output
            is drawn from a normal distribution, with a seed that is always the same.

    Raises:
        TypeError: the model is not a Module, or the loss returned something else than a Tensor.
        ValueError: a loss without backward, a loss with several elements, or backward where no output depends
            on a parameter or on an x that requires grad.
    """
    if not isinstance(model, Module):
        raise TypeError(f"model must be a Module, got {type(model).__name__}")
    if not check_flag("backward", backward) and loss is not None:
        raise ValueError("loss must be None without backward, got a loss and backward=False")
    inputs = x if isinstance(x, tuple) else (x,)
    with preserved(model):
        _run(model, inputs, backward, loss)
    names = {id(tensor._array): path for path, tensor in model.named_parameters()}
    tracer = Tracer(names, backward, check_flag("keep_arrays", keep_arrays))
    with preserved(model), _modules_shown(model, tracer), listen(tracer.hear), observed_by(tracer):
        output = _run(model, inputs, backward, loss, tracer)
    return Trace(tuple(tracer.operations), _module_records(model), map_tensors(output, Tensor.detach))


def _run(
    model: Module,
    inputs: tuple[Any, ...],
    backward: bool,
    loss: Callable[[Any], Tensor] | None,
    tracer: Tracer | None = None,
) -> Any:
    """One pass, on copies of the inputs: a layer may write over them, and they may have a history."""
    copies = map_tensors(tuple(map(_as_tensor, inputs)), _copy)
    if tracer is not None:
        tracer.give(tensors_in(copies))
    with enable_grad() if backward else no_grad():
        output = model(*copies)
        result = output if loss is None else loss(output)
        if tracer is not None:
            tracer.take(tensors_in(result))
        if backward:
            autograd.backward(_random_roots(output) if loss is None else _root(result))
    return output


def _as_tensor(value: Any) -> Any:
    return Tensor(value) if is_array(value) else value


def _copy(tensor: Tensor) -> Tensor:
    return Tensor(tensor._array.copy(), tensor.requires_grad)


def _random_roots(output: Any) -> list[tuple[autograd.Edge, Array]]:
    """Every output that can be differentiated, with an upstream gradient."""
    generator = np.random.default_rng(SEED)
    roots = [
        (tensor._gradient_edge(), _drawn_like(tensor._array, generator))
        for tensor in tensors_in(output)
        if tensor.requires_grad
    ]
    if not roots:
        raise ValueError(
            "backward=True needs an output that depends on a parameter or an input that requires grad; "
            "pass backward=False"
        )
    return roots


def _drawn_like(array: Array, generator: np.random.Generator) -> Array:
    drawn: Array = to_device(generator.standard_normal(array.shape).astype(array.dtype), device_of(array))
    return drawn


def _root(loss: Any) -> list[tuple[autograd.Edge, Array]]:
    if not isinstance(loss, Tensor):
        raise TypeError(f"loss must return a Tensor, got {type(loss).__name__}")
    if loss._array.size != 1:
        raise ValueError(f"loss must return one element, got shape {loss.shape}")
    if not loss.requires_grad:
        raise ValueError("loss must depend on a parameter or an input that requires grad")
    one = to_device(np.ones(loss.shape, loss.dtype), device_of(loss._array))
    return [(loss._gradient_edge(), one)]


@contextmanager
def _modules_shown(model: Module, tracer: Tracer) -> Iterator[None]:
    """Tell the tracer which module is running; one in several places by the place where it is called."""
    paths: dict[Module, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        paths.setdefault(module, []).append(path)
    outer: list[str] = []

    def enter(module: Module, inputs: tuple[Any, ...]) -> None:
        outer.append(tracer.module)
        here = f"{tracer.module}." if tracer.module else ""
        within = [
            path for path in paths[module] if path.startswith(here)
        ]  # one of the places where it stands
        tracer.module = (within or paths[module])[0]

    def leave(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        tracer.module = outer.pop()

    handles = []
    try:
        for module in paths:
            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _module_records(model: Module) -> tuple[ModuleRecord, ...]:
    return tuple(
        ModuleRecord(
            path,
            type(module).__name__,
            one_line(module),
            sum(parameter._array.size for parameter in module.parameters(recurse=False)),
            tuple(f"{path}.{name}" if path else name for name, _ in module.named_children()),
        )
        for path, module in model.named_modules(remove_duplicate=False)
    )
