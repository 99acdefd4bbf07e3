"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kernels.array import Array, check_flag, check_number
from kernels.optimizer_step import sgd_step
from minidnn.optim.optimizer import Optimizer, zeros_like


class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum.

    The formula is `kernels.optimizer_step.sgd_step`'s.

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: the learning rate.
        momentum: how much of the previous direction is kept, 0 for none.
        dampening: takes this share off what a new gradient adds to the direction.
        weight_decay: adds this multiple of the parameter to its gradient (an L2 penalty of half of it).
        nesterov: look ahead along the momentum (needs momentum, and no dampening).

    Raises:
        ValueError: a negative option, or nesterov without momentum or with dampening.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening}
        super().__init__(params, {**options, "weight_decay": weight_decay, "nesterov": nesterov})

    def _check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            check_number(name, group[name], minimum=0)
        check_number("dampening", group["dampening"])
        if check_flag("nesterov", group["nesterov"]) and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                "nesterov needs a momentum above 0 and a dampening of 0, "
                f"got {group['momentum']} and {group['dampening']}"
            )

    def _update(
        self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        first = "momentum_buffer" not in state
        if group["momentum"] != 0 and first:
            state["momentum_buffer"] = zeros_like(parameter)
        sgd_step(
            parameter,
            gradient,
            state["momentum_buffer"].data if group["momentum"] != 0 else None,
            group["lr"],
            group["momentum"],
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            first,
        )
