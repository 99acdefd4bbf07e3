"""PyTorch's answer to a case. Import it only where torch is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from tests.kernels.sample import Draw
from tests.minidnn.case import Answer, Case, ModuleCase, leaves, map_arrays, upstreams
from tests.torch_bridge import to_torch


def resolve(path: str) -> Any:
    """The object at a dotted path; ImportError where its package is not to be had."""
    if path.startswith("torchvision."):
        from tests.torchvision_bridge import torchvision_ops

        return getattr(torchvision_ops(), path.rpartition(".")[2])
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def answer(function: Callable[..., Any], case: Case | ModuleCase, inputs: Sequence[Any]) -> Answer:
    """Call PyTorch's function and send the same upstream gradients back as `run_ours` does."""

    def convert(array: np.ndarray, fixed: bool) -> torch.Tensor:
        tensor = to_torch(array)
        return tensor.requires_grad_(tensor.is_floating_point() and not fixed)

    arguments = [
        map_arrays(lambda array, fixed=position in case.constants: convert(array, fixed), value)
        for position, value in enumerate(inputs)
    ]
    keywords = case.keywords if isinstance(case, Case) else {}
    outputs = leaves(function(*arguments, **keywords), torch.Tensor)
    arrays = [output.detach().numpy() for output in outputs]
    for output, upstream in zip(outputs, upstreams(arrays), strict=True):
        if upstream is not None and output.requires_grad:
            output.backward(to_torch(upstream), retain_graph=True)
    gradients = {
        f"input {i}": None if leaf.grad is None else leaf.grad.numpy()
        for i, leaf in enumerate(leaves(arguments, torch.Tensor))
        if leaf.requires_grad
    }
    return Answer(arrays, gradients)


def function_answer(case: Case, inputs: Sequence[Any]) -> Answer:
    return answer(resolve(case.torch or f"torch.nn.functional.{case.function}"), case, inputs)


def module_answer(
    case: ModuleCase, inputs: Sequence[Any]
) -> tuple[Answer, dict[str, np.ndarray], dict[str, Any]]:
    """The answer with parameters' gradients, the state before the call, and the state after it."""
    module = resolve(case.torch or f"torch.nn.{case.module}")(*case.arguments, **case.keywords)
    module.double().train(case.training)
    _materialise(module, inputs)
    draw = Draw(seed=11)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(to_torch(draw.uniform(*tensor.shape, low=0.25, high=1.0)))
    before = {name: value.numpy().copy() for name, value in module.state_dict().items()}
    result = answer(module, case, inputs)
    for name, parameter in module.named_parameters():
        result.gradients[name] = None if parameter.grad is None else parameter.grad.numpy()
    return result, before, {name: value.numpy() for name, value in module.state_dict().items()}


def _materialise(module: torch.nn.Module, inputs: Sequence[Any]) -> None:
    """Let lazy modules take their sizes from a first call."""
    if any(isinstance(p, torch.nn.parameter.UninitializedParameter) for p in module.parameters()):
        with torch.no_grad():
            module(*map_arrays(to_torch, list(inputs)))
