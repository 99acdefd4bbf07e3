"""A small training problem, run step by step by minidnn's optimisers and by PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidnn import Tensor, optim
from minidnn.nn import Parameter

SHAPES = ((3, 4), (5,), (), (2, 1, 3, 2))
STEPS = 50


def start(dtype: Any = np.float64) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [np.array(generator.standard_normal(shape), dtype) for shape in SHAPES]


def gradient(parameter: np.ndarray, step: int, number: int) -> np.ndarray | None:
    """Depends on the parameter, so that an error grows; the second parameter sits out every third step."""
    if number == 1 and step % 3 == 1:
        return None
    noise = np.random.default_rng([step, number]).standard_normal(parameter.shape)
    return np.array(np.sin(3 * parameter) + 0.5 * noise, parameter.dtype)


def groups(parameters: list[Any], second: dict[str, Any] | None) -> list[Any]:
    """One group, or two when the second has options of its own."""
    if second is None:
        return parameters
    return [{"params": parameters[:2]}, {"params": parameters[2:], **second}]


def run(
    name: str,
    options: dict[str, Any],
    second: dict[str, Any] | None,
    schedules: list[Callable[[Any, Any], Any]],
) -> tuple[list[np.ndarray], list[list[float]]]:
    """Train with minidnn; `schedules` are called with (the module of schedules, the optimiser)."""
    parameters = [Parameter(array) for array in start()]
    optimizer = getattr(optim, name)(groups(parameters, second), **options)
    running = [schedule(optim.schedule, optimizer) for schedule in schedules]
    rates = []
    for step in range(STEPS):
        rates.append([group["lr"] for group in optimizer.param_groups])
        advance(optimizer, parameters, step)
        for schedule in running:
            schedule.step()
    return [parameter.numpy() for parameter in parameters], rates


def advance(optimizer: Any, parameters: list[Any], step: int) -> None:
    """One step of minidnn's optimiser."""
    optimizer.zero_grad()
    for number, parameter in enumerate(parameters):
        value = gradient(parameter.numpy(), step, number)
        parameter.grad = None if value is None else Tensor(value)
    optimizer.step()


def run_torch(
    name: str,
    options: dict[str, Any],
    second: dict[str, Any] | None,
    schedules: list[Callable[[Any, Any], Any]],
) -> tuple[list[np.ndarray], list[list[float]]]:
    """Train with PyTorch, in the same way."""
    import torch

    from tests.torch_bridge import to_torch

    parameters = [to_torch(array).requires_grad_() for array in start()]
    optimizer = getattr(torch.optim, name)(groups(parameters, second), **options)
    running = [schedule(torch.optim.lr_scheduler, optimizer) for schedule in schedules]
    rates = []
    for step in range(STEPS):
        rates.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.zero_grad()
        for number, parameter in enumerate(parameters):
            value = gradient(parameter.detach().numpy(), step, number)
            parameter.grad = None if value is None else to_torch(value)
        optimizer.step()
        for schedule in running:
            schedule.step()
    return [parameter.detach().numpy() for parameter in parameters], rates
