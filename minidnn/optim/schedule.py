"""Schedules of the learning rate, with the names, arguments and values of `torch.optim.lr_scheduler`.

A schedule sets the rate of every parameter group, when it is made (epoch 0) and at each `step()`. All but
LambdaLR compute the next rate from the present one, so several schedules on one optimiser multiply.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from kernels.array import check_integer, check_number
from minidnn.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules. A subclass returns the rates of epoch `last_epoch` from `get_lr`.

    Args:
        optimizer: whose `param_groups` are driven.

    Attributes:
        base_lrs: every group's rate before any schedule.
        last_epoch: the epoch whose rates are set, from 0.
    """

    _unsaved: ClassVar[frozenset[str]] = frozenset({"optimizer"})

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = 0
        self._set_rates()

    def get_lr(self) -> list[float]:
        """Return every group's rate at `last_epoch`, given the rates of the epoch before."""
        raise TypeError(f"{type(self).__name__} must define get_lr")

    def get_last_lr(self) -> list[float]:
        """Return every group's present rate."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:
        """Go to the next epoch."""
        self.last_epoch += 1
        self._set_rates()

    def restart(self) -> None:
        """Go back to epoch 0 and the rates from before any schedule."""
        self.last_epoch = 0
        for group, rate in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = rate
        self._set_rates()

    def _set_rates(self) -> None:
        if len(self.optimizer.param_groups) != len(self.base_lrs):
            raise ValueError(
                f"optimizer had {len(self.base_lrs)} parameter groups when the schedule was made, "
                f"it has {len(self.optimizer.param_groups)} now"
            )
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate

    def _scaled(self, factor: float) -> list[float]:
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser (whose own state holds the present rates)."""
        return {name: copy.copy(value) for name, value in vars(self).items() if name not in self._unsaved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned for a schedule of the same kind.

        Raises:
            TypeError: not a mapping.
            ValueError: names missing or unknown.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, got {type(state_dict).__name__}")
        own = self.state_dict().keys()
        if state_dict.keys() != own:
            raise ValueError(
                f"state_dict of a {type(self).__name__} must have the keys {', '.join(own)}, "
                f"got {', '.join(state_dict)}"
            )
        vars(self).update(state_dict)


class LambdaLR(LRScheduler):
    """lr = base_lr * lr_lambda(epoch).

    Args:
        optimizer: whose rates are driven.
        lr_lambda: a function of the epoch, or one per parameter group. `state_dict` leaves it out.
    """

    _unsaved = frozenset({"optimizer", "lr_lambdas"})

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        groups = len(optimizer.param_groups) if isinstance(optimizer, Optimizer) else 1
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(
                f"lr_lambda must be one function or one per group, got {len(self.lr_lambdas)} for {groups}"
            )
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return base_lr * lr_lambda(last_epoch) for every group."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * function(self.last_epoch) for base, function in pairs]


class StepLR(LRScheduler):
    """lr = base_lr * gamma ** floor(epoch / step_size).

    Args:
        optimizer: whose rates are driven.
        step_size: every how many epochs the rate drops.
        gamma: the factor it drops by.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = check_integer("step_size", step_size, minimum=1)
        self.gamma = check_number("gamma", gamma, minimum=0)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rates, lower by gamma where an interval begins."""
        begins = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma if begins else 1.0)


class MultiStepLR(LRScheduler):
    """lr = base_lr * gamma ** (how many milestones have been reached).

    Args:
        optimizer: whose rates are driven.
        milestones: epochs at which the rate drops (one that is given twice counts twice).
        gamma: the factor it drops by.
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(check_integer("milestones", epoch, minimum=0) for epoch in milestones)
        self.gamma = check_number("gamma", gamma, minimum=0)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rates, lower by gamma for every milestone at this epoch."""
        return self._scaled(self.gamma ** self.milestones.count(self.last_epoch))


class ExponentialLR(LRScheduler):
    """lr = base_lr * gamma ** epoch.

    Args:
        optimizer: whose rates are driven.
        gamma: the factor from one epoch to the next.
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = check_number("gamma", gamma, minimum=0)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rates, lower by gamma from the first step on."""
        return self._scaled(self.gamma if self.last_epoch > 0 else 1.0)


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2.

    Args:
        optimizer: whose rates are driven.
        T_max: the epoch at which the rate is lowest; afterwards it rises again.
        eta_min: the lowest rate.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    equation 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803
        self.T_max = check_integer("T_max", T_max, minimum=1)
        self.eta_min = check_number("eta_min", eta_min, minimum=0)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rates, by the ratio of this epoch's cosine to the last one's."""
        if self.last_epoch == 0:
            return self._scaled(1.0)
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The last cosine was -1 and the rate eta_min: no ratio leads up from there.
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            pairs = zip(self.get_last_lr(), self.base_lrs, strict=True)
            return [rate + (base - self.eta_min) * rise for rate, base in pairs]
        ratio = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [self.eta_min + ratio * (rate - self.eta_min) for rate in self.get_last_lr()]

    def _height(self, epoch: int) -> float:
        return 1 + math.cos(math.pi * epoch / self.T_max)


class PolynomialLR(LRScheduler):
    """lr = base_lr * (1 - min(epoch, total_iters) / total_iters) ** power.

    Args:
        optimizer: whose rates are driven.
        total_iters: the epoch at which the rate reaches 0.
        power: the polynomial's degree.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = check_integer("total_iters", total_iters, minimum=1)
        self.power = check_number("power", power, minimum=0)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rates, by the ratio of what is left now to what was left an epoch ago."""
        if self.last_epoch == 0 or self.last_epoch > self.total_iters:
            return self._scaled(1.0)
        left = self.total_iters - self.last_epoch
        return self._scaled((left / (left + 1)) ** self.power)


class LinearLR(LRScheduler):
    """lr = base_lr * (start_factor + (end_factor - start_factor) * min(epoch, total_iters) / total_iters).

    With the defaults a warm-up.

    Args:
        optimizer: whose rates are driven.
        start_factor: the factor at epoch 0, in (0, 1].
        end_factor: the factor from epoch total_iters on, in [0, 1].
        total_iters: how many epochs it takes.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start_factor = check_number("start_factor", start_factor)
        if not 0 < self.start_factor <= 1:
            raise ValueError(f"start_factor must be in (0, 1], got {start_factor}")
        self.end_factor = check_number("end_factor", end_factor)
        if not 0 <= self.end_factor <= 1:
            raise ValueError(f"end_factor must be in [0, 1], got {end_factor}")
        self.total_iters = check_integer("total_iters", total_iters, minimum=1)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rates, by the ratio of this epoch's factor to the last one's."""
        if self.last_epoch == 0:
            return self._scaled(self.start_factor)
        if self.last_epoch > self.total_iters:
            return self._scaled(1.0)
        return self._scaled(self._factor(self.last_epoch) / self._factor(self.last_epoch - 1))

    def _factor(self, epoch: int) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * epoch / self.total_iters


class SequentialLR(LRScheduler):
    """One schedule after another, each from its own epoch 0: a warm-up, then a decay.

        warmup = LinearLR(optimizer, start_factor=0.1, total_iters=5)
        decay = CosineAnnealingLR(optimizer, T_max=95)
        schedule = SequentialLR(optimizer, [warmup, decay], milestones=[5])

    Args:
        optimizer: whose rates are driven.
        schedulers: the schedules in order, all made on this optimiser.
        milestones: the epochs at which the next one takes over, increasing, one fewer than schedulers.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        if not schedulers:
            raise ValueError("schedulers must hold at least one schedule, got none")
        for schedule in schedulers:
            if not isinstance(schedule, LRScheduler):
                raise TypeError(f"schedulers must hold schedules, got {type(schedule).__name__}")
            if schedule.optimizer is not optimizer:
                raise ValueError("schedulers must all be made on the optimizer that is given")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"milestones must be one fewer than schedulers, "
                f"got {len(milestones)} for {len(schedulers)} schedulers"
            )
        self.milestones = [check_integer("milestones", epoch, minimum=1) for epoch in milestones]
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones must increase, got {self.milestones}")
        self.schedulers = list(schedulers)
        # As every schedule does, this one starts from the rates before any; its parts have changed them.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        super().__init__(optimizer)

    def _set_rates(self) -> None:
        schedule = self.schedulers[bisect_right(self.milestones, self.last_epoch)]
        if self.last_epoch == 0 or self.last_epoch in self.milestones:
            schedule.restart()
        else:
            schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser, with the state of every schedule in order."""
        states = [schedule.state_dict() for schedule in self.schedulers]
        return {**super().state_dict(), "schedulers": states}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned for the same sequence of schedules."""
        schedulers = self.schedulers
        given = state_dict.get("schedulers", schedulers) if isinstance(state_dict, Mapping) else schedulers
        if len(given) != len(schedulers):
            raise ValueError(f"state_dict has {len(given)} schedulers, this one has {len(schedulers)}")
        super().load_state_dict(state_dict)
        self.schedulers = schedulers
        for schedule, state in zip(schedulers, state_dict["schedulers"], strict=True):
            schedule.load_state_dict(state)
