"""Adam and AdamW, which differ in how the weights decay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from kernels.array import Array, check_flag, check_number, shown
from kernels.optimizer_step import adam_step, adamw_step
from minidnn.optim.optimizer import Optimizer, zeros_like


class Adam(Optimizer):
    """Adaptive moment estimation.

    The formula is `kernels.optimizer_step.adam_step`'s.

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: the learning rate.
        betas: how much of the running averages of the gradient and of its square is kept, each in [0, 1).
        eps: added to the denominator.
        weight_decay: adds this multiple of the parameter to its gradient.
        amsgrad: divide by the largest average square so far instead of the present one.

    Raises:
        ValueError: a negative option, or a beta outside [0, 1).

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; AMSGrad from Reddi et al.,
    "On the convergence of Adam and beyond", ICLR 2018.
    """

    _kernel: ClassVar[Callable[..., None]] = staticmethod(adam_step)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps}
        super().__init__(params, {**options, "weight_decay": weight_decay, "amsgrad": amsgrad})

    def _check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay"):
            check_number(name, group[name], minimum=0)
        check_flag("amsgrad", group["amsgrad"])
        betas = group["betas"]
        if not isinstance(betas, list | tuple) or len(betas) != 2:
            raise TypeError(f"betas must be two numbers, got {shown(betas)}")
        for position, beta in enumerate(betas):
            check_number(f"betas[{position}]", beta, minimum=0, below=1)

    def _update(
        self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        names = ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))
        for name in names:
            if name not in state:
                state[name] = zeros_like(parameter)
        state["step"] = state.get("step", 0) + 1
        self._kernel(
            parameter,
            gradient,
            state["exp_avg"].data,
            state["exp_avg_sq"].data,
            state["max_exp_avg_sq"].data if group["amsgrad"] else None,
            state["step"],
            group["lr"],
            *group["betas"],
            group["eps"],
            group["weight_decay"],
        )


class AdamW(Adam):
    """Adam with decoupled weight decay.

    The formula is `kernels.optimizer_step.adamw_step`'s.

    Args:
        params: tensors or groups, see `Optimizer`.
        lr: the learning rate.
        betas: how much of the running averages of the gradient and of its square is kept, each in [0, 1).
        eps: added to the denominator.
        weight_decay: each step shrinks the parameter by this share of the learning rate.
        amsgrad: divide by the largest average square so far instead of the present one.

    Raises:
        ValueError: a negative option, or a beta outside [0, 1).

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    _kernel: ClassVar[Callable[..., None]] = staticmethod(adamw_step)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
