"""Samples of the optimisers' steps. Every array but the gradient is written in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Draw, Sample


def sgd(
    label: str,
    *shape: int,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    first: bool = False,
) -> Sample:
    def make(draw: Draw) -> tuple[Any, ...]:
        buffer = draw.normal(*shape) if momentum else None
        coefficients = (0.1, momentum, dampening, weight_decay, nesterov, first)
        return (draw.normal(*shape), draw.normal(*shape), buffer, *coefficients)

    return Sample("sgd_step", label, make, writes=(0, 2) if momentum else (0,))


def adam(
    operation: str,
    label: str,
    *shape: int,
    step: int = 3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
) -> Sample:
    def make(draw: Draw) -> tuple[Any, ...]:
        squares = draw.uniform(*shape, high=1.5)
        largest = draw.uniform(*shape, high=2.0) if amsgrad else None
        averages = (draw.normal(*shape), squares, largest)
        coefficients = (step, 0.01, beta1, beta2, eps, weight_decay)
        return (draw.normal(*shape), draw.normal(*shape), *averages, *coefficients)

    return Sample(operation, label, make, writes=(0, 2, 3, 4) if amsgrad else (0, 2, 3))


def rmsprop(
    label: str,
    *shape: int,
    alpha: float = 0.9,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
) -> Sample:
    def make(draw: Draw) -> tuple[Any, ...]:
        squares = draw.uniform(*shape, low=0.5, high=1.5)
        mean = draw.uniform(*shape, low=-0.5, high=0.5) if centered else None
        buffer = draw.normal(*shape) if momentum else None
        coefficients = (0.01, alpha, eps, weight_decay, momentum)
        return (draw.normal(*shape), draw.normal(*shape), squares, mean, buffer, *coefficients)

    writes = (0, 2, *((3,) if centered else ()), *((4,) if momentum else ()))
    return Sample("rmsprop_step", label, make, writes=writes)


SAMPLES = [
    sgd("plain", 3, 5),
    sgd("scalar"),
    sgd("empty", 0, 3, momentum=0.9),
    sgd("weight-decay", 2, 3, 4, weight_decay=0.05),
    sgd("first-momentum", 7, momentum=0.9, weight_decay=0.05, first=True),
    sgd("dampening", 7, momentum=0.9, dampening=0.3),
    sgd("first-dampening", 7, momentum=0.9, dampening=0.3, first=True),
    sgd("nesterov", 4, 3, momentum=0.8, weight_decay=0.05, nesterov=True),
    sgd("first-nesterov", 4, 3, momentum=0.8, nesterov=True, first=True),
    *(
        sample
        for operation in ("adam_step", "adamw_step")
        for sample in (
            adam(operation, "plain", 3, 5),
            adam(operation, "scalar"),
            adam(operation, "empty", 0, 3),
            adam(operation, "first-step", 2, 3, 4, step=1),
            adam(operation, "weight-decay", 6, weight_decay=0.05),
            adam(operation, "amsgrad", 4, 3, weight_decay=0.05, amsgrad=True),
            adam(operation, "no-memory", 5, beta1=0.0, beta2=0.0),
            adam(operation, "large-eps", 5, eps=0.1),
            adam(operation, "late", 5, step=100_000),
        )
    ),
    rmsprop("plain", 3, 5),
    rmsprop("scalar"),
    rmsprop("empty", 0, 3, momentum=0.9, centered=True),
    rmsprop("large-eps", 5, eps=0.1),
    rmsprop("weight-decay", 2, 3, 4, weight_decay=0.05),
    rmsprop("momentum", 7, momentum=0.9),
    rmsprop("centered", 7, centered=True),
    rmsprop("everything", 4, 3, alpha=0.99, momentum=0.8, centered=True, weight_decay=0.05),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = draw(st.lists(st.integers(0, 5), max_size=3))
    decay = draw(st.sampled_from([0.0, 0.1]))
    momentum = draw(st.sampled_from([0.0, 0.5, 0.9]))
    flag = draw(st.booleans())
    step = draw(st.integers(1, 50))
    kind = draw(st.sampled_from(["sgd", "adam_step", "adamw_step", "rmsprop"]))
    if kind == "sgd":
        return sgd(
            "drawn",
            *shape,
            momentum=momentum,
            weight_decay=decay,
            nesterov=flag and momentum > 0,
            first=step < 5,
        )
    if kind == "rmsprop":
        return rmsprop("drawn", *shape, weight_decay=decay, momentum=momentum, centered=flag)
    return adam(kind, "drawn", *shape, step=step, beta1=momentum, weight_decay=decay, amsgrad=flag)


STRATEGY = _drawn()


def _step(
    name: str,
    parameter: np.ndarray,
    gradient: np.ndarray,
    state: dict[str, Any],
    fresh: bool = False,
    **options: Any,
) -> None:
    """One step of torch.optim.NAME from a given state (or a fresh one), written into the arrays."""
    import torch

    from tests.torch_bridge import to_torch

    tensor = to_torch(parameter).requires_grad_()
    tensor.grad = to_torch(gradient)
    optimizer = getattr(torch.optim, name)([tensor], foreach=False, **options)
    if not fresh:
        optimizer.state[tensor] = {
            key: to_torch(value) if isinstance(value, np.ndarray) else value for key, value in state.items()
        }
    optimizer.step()
    parameter[...] = tensor.detach().numpy()
    for key, value in state.items():
        if isinstance(value, np.ndarray):
            value[...] = optimizer.state[tensor][key].numpy()


def _sgd(
    p: Any, g: Any, buffer: Any, lr: Any, momentum: Any, dampening: Any, decay: Any, nesterov: Any, first: Any
) -> None:
    state = {} if buffer is None else {"momentum_buffer": buffer}
    options = {"lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    _step("SGD", p, g, state, fresh=first, weight_decay=decay, **options)


def _adam(name: str) -> Any:
    def oracle(
        p: Any,
        g: Any,
        avg: Any,
        avg_sq: Any,
        max_sq: Any,
        step: int,
        lr: Any,
        beta1: Any,
        beta2: Any,
        eps: Any,
        decay: Any,
    ) -> None:
        import torch

        state = {"step": torch.tensor(float(step - 1)), "exp_avg": avg, "exp_avg_sq": avg_sq}
        if max_sq is not None:
            state["max_exp_avg_sq"] = max_sq
        options = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "amsgrad": max_sq is not None}
        _step(name, p, g, state, weight_decay=decay, **options)

    return oracle


def _rmsprop(
    p: Any,
    g: Any,
    square_avg: Any,
    grad_avg: Any,
    buffer: Any,
    lr: Any,
    alpha: Any,
    eps: Any,
    decay: Any,
    momentum: Any,
) -> None:
    import torch

    state = {
        "step": torch.tensor(4.0),
        "square_avg": square_avg,
        "grad_avg": grad_avg,
        "momentum_buffer": buffer,
    }
    given = {key: value for key, value in state.items() if value is not None}
    options = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum, "centered": grad_avg is not None}
    _step("RMSprop", p, g, given, weight_decay=decay, **options)


ORACLES = {
    "sgd_step": _sgd,
    "adam_step": _adam("Adam"),
    "adamw_step": _adam("AdamW"),
    "rmsprop_step": _rmsprop,
}
