"""The optimisers' updates on the GPU: a launch per parameter, a thread per element, see optimizer_step.cu.

Coefficients are combined in Python's float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cuda.launch import Source, c_type, contiguous, floating, written_in_place
from kernels.optimizer_step import adam_step, adamw_step, rmsprop_step, sgd_step
from kernels.registry import implements

SOURCE = Source(__file__, "optimizer_step.cu")
IDEA = "the whole update in one launch, one thread per element"


def _step(
    kernel: str,
    gradient: Any,
    parameter: Any,
    states: Sequence[Any],
    coefficients: Sequence[float],
    *flags: np.int32,
) -> None:
    """Run a kernel that writes the parameter and its states (None where the form of the update has none)."""
    with written_in_place(parameter, *states) as (values, *others):
        scalars = map(parameter.dtype.type, coefficients)
        arguments = (values, contiguous(gradient), *others, np.int64(parameter.size), *scalars, *flags)
        SOURCE.launch_each(kernel, parameter.size, arguments, {"REAL": c_type(parameter.dtype)})


@implements(sgd_step, "fused", IDEA, fits=floating)
def sgd_step_fused(
    parameter: Array,
    gradient: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    first: bool,
) -> None:
    """Gradient, buffer and parameter are read once."""
    coefficients = (lr, momentum, 1 - dampening, weight_decay)
    flags = np.int32(nesterov), np.int32(first)
    _step("sgd_step", gradient, parameter, (momentum_buffer,), coefficients, *flags)


@implements(adam_step, "fused", IDEA, fits=floating)
def adam_step_fused(
    parameter: Array,
    gradient: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """The decay goes through the gradient."""
    states = (exp_avg, exp_avg_sq, max_exp_avg_sq)
    coefficients = (*_adam(step, lr, beta1, beta2), eps, weight_decay, 0.0)
    _step("adam_step", gradient, parameter, states, coefficients)


@implements(adamw_step, "fused", IDEA, fits=floating)
def adamw_step_fused(
    parameter: Array,
    gradient: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """The decay shrinks the parameter first."""
    states = (exp_avg, exp_avg_sq, max_exp_avg_sq)
    coefficients = (*_adam(step, lr, beta1, beta2), eps, 0.0, lr * weight_decay)
    _step("adam_step", gradient, parameter, states, coefficients)


def _adam(step: int, lr: float, beta1: float, beta2: float) -> tuple[float, ...]:
    """The kernel's parameters lr to correction2."""
    return lr, beta1, 1 - beta1, beta2, 1 - beta2, 1 - beta1**step, 1 - beta2**step


@implements(rmsprop_step, "fused", IDEA, fits=floating)
def rmsprop_step_fused(
    parameter: Array,
    gradient: Array,
    square_avg: Array,
    grad_avg: Array | None,
    momentum_buffer: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> None:
    """Gradient, averages, buffer and parameter are read once."""
    states = (square_avg, grad_avg, momentum_buffer)
    coefficients = (lr, alpha, 1 - alpha, eps, weight_decay, momentum)
    _step("rmsprop_step", gradient, parameter, states, coefficients)
