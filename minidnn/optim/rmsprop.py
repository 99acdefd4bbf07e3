"""RMSProp."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kernels.array import Array, check_flag, check_number
from kernels.optimizer_step import rmsprop_step
from minidnn.optim.optimizer import Optimizer, zeros_like


class RMSprop(Optimizer):
    """Divide the gradient by its running root mean square.

    The formula is `kernels.optimizer_step.rmsprop_step`'s.

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: the learning rate.
        alpha: how much of the running average of squares is kept.
        eps: added to the denominator (outside the root).
        weight_decay: adds this multiple of the parameter to its gradient.
        momentum: how much of the previous direction is kept, 0 for none.
        centered: divide by the running standard deviation instead.

    Raises:
        ValueError: a negative option.

    Source: Hinton, "Neural networks for machine learning", lecture 6e (2012).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
    ) -> None:
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, "momentum": momentum, "centered": centered})

    def _check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "alpha", "eps", "weight_decay", "momentum"):
            check_number(name, group[name], minimum=0)
        check_flag("centered", group["centered"])

    def _update(
        self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        centered, momentum = group["centered"], group["momentum"]
        names = (
            "square_avg",
            *(("grad_avg",) if centered else ()),
            *(("momentum_buffer",) if momentum != 0 else ()),
        )
        for name in names:
            if name not in state:
                state[name] = zeros_like(parameter)
        rmsprop_step(
            parameter,
            gradient,
            state["square_avg"].data,
            state["grad_avg"].data if centered else None,
            state["momentum_buffer"].data if momentum != 0 else None,
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            momentum,
        )
