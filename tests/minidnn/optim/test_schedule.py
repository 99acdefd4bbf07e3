"""The schedules against PyTorch's: rates and trained weights, alone, chained and in sequence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn import optim
from minidnn.nn import Parameter
from minidnn.optim import schedule
from tests.minidnn.optim import problem

Make = Callable[[Any, Any], Any]


def _warmup_then_cosine(module: Any, optimizer: Any) -> Any:
    parts = [
        module.LinearLR(optimizer, start_factor=0.1, total_iters=8),
        module.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.001),
    ]
    return module.SequentialLR(optimizer, parts, milestones=[8])


def _three_in_sequence(module: Any, optimizer: Any) -> Any:
    parts = [
        module.LambdaLR(optimizer, lambda epoch: 0.2 + epoch / 10),
        module.PolynomialLR(optimizer, total_iters=12, power=2.0),
        module.StepLR(optimizer, step_size=4, gamma=0.7),
    ]
    return module.SequentialLR(optimizer, parts, milestones=[5, 17])


CASES: dict[str, list[Make]] = {
    "step": [lambda m, o: m.StepLR(o, step_size=7, gamma=0.5)],
    "step-defaults": [lambda m, o: m.StepLR(o, 20)],
    "multi-step": [lambda m, o: m.MultiStepLR(o, milestones=[30, 10, 30], gamma=0.3)],
    "multi-step-at-0": [lambda m, o: m.MultiStepLR(o, milestones=[0, 5], gamma=0.5)],
    "exponential": [lambda m, o: m.ExponentialLR(o, gamma=0.93)],
    "cosine": [lambda m, o: m.CosineAnnealingLR(o, T_max=50)],
    "cosine-up-again": [lambda m, o: m.CosineAnnealingLR(o, T_max=9, eta_min=0.01)],
    "cosine-of-1": [lambda m, o: m.CosineAnnealingLR(o, T_max=1)],
    "polynomial": [lambda m, o: m.PolynomialLR(o, total_iters=30, power=1.7)],
    "polynomial-defaults": [lambda m, o: m.PolynomialLR(o)],
    "linear": [lambda m, o: m.LinearLR(o, start_factor=0.05, end_factor=0.8, total_iters=20)],
    "linear-defaults": [lambda m, o: m.LinearLR(o)],
    "linear-to-0": [lambda m, o: m.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=45)],
    "lambda": [lambda m, o: m.LambdaLR(o, lambda epoch: 1 / (1 + epoch))],
    "lambdas": [lambda m, o: m.LambdaLR(o, [lambda epoch: 0.9**epoch, lambda epoch: 1 + epoch % 3])],
    "chained": [
        lambda m, o: m.LinearLR(o, start_factor=0.2, total_iters=10),
        lambda m, o: m.StepLR(o, step_size=15, gamma=0.5),
        lambda m, o: m.ExponentialLR(o, gamma=0.98),
    ],
    "warm-up-then-cosine": [_warmup_then_cosine],
    "three-in-sequence": [_three_in_sequence],
    "sequence-of-one": [lambda m, o: m.SequentialLR(o, [m.ExponentialLR(o, gamma=0.9)], milestones=[])],
}
OPTIONS = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
def test_matches_torch_over_50_steps(make: list[Make]) -> None:
    pytest.importorskip("torch")
    got, rates = problem.run("SGD", OPTIONS, {"lr": 0.03}, make)
    want, wanted_rates = problem.run_torch("SGD", OPTIONS, {"lr": 0.03}, make)
    np.testing.assert_allclose(rates, wanted_rates, rtol=1e-9, atol=1e-15)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def optimizer() -> optim.SGD:
    return optim.SGD(
        [{"params": [Parameter(np.ones(1))]}, {"params": [Parameter(np.ones(2))], "lr": 0.5}], lr=0.1
    )


@pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("at", [0, 6, 20])
def test_loaded_states_continue_with_the_same_rates(make: list[Make], at: int) -> None:
    whole = optimizer()
    schedules = [part(schedule, whole) for part in make]
    want = []
    for epoch in range(40):
        if epoch == at:
            states = [part.state_dict() for part in schedules]
            rates = whole.state_dict()
        want.append([group["lr"] for group in whole.param_groups])
        for part in schedules:
            part.step()
    resumed = optimizer()
    others = [part(schedule, resumed) for part in make]
    resumed.load_state_dict(rates)
    for part, state in zip(others, states, strict=True):
        part.load_state_dict(state)
    got = []
    for _ in range(at, 40):
        got.append([group["lr"] for group in resumed.param_groups])
        for part in others:
            part.step()
    assert got == want[at:]


def test_the_textbook_formulas() -> None:
    """Closed forms, worked out by hand."""
    for make, at, want in (
        (lambda o: schedule.StepLR(o, 3, 0.5), 7, 0.25),
        (lambda o: schedule.CosineAnnealingLR(o, 8), 4, 0.5),
        (lambda o: schedule.PolynomialLR(o, 10, power=2), 5, 0.25),
        (lambda o: schedule.LinearLR(o, 0.5, 1.0, 4), 2, 0.75),
    ):
        one = optim.SGD([Parameter(np.ones(1))], lr=1.0)
        part = make(one)
        for _ in range(at):
            part.step()
        assert part.last_epoch == at
        assert part.get_last_lr() == pytest.approx([want])


def test_a_state_dict_is_not_changed_by_later_steps() -> None:
    whole = optimizer()
    part = _three_in_sequence(schedule, whole)
    part.step()
    state = part.state_dict()
    part.step()
    assert state["last_epoch"] == 1
    assert state["schedulers"][0]["last_epoch"] == 1


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (TypeError, "optimizer must be an Optimizer, got str", lambda o: schedule.StepLR("sgd", 1)),
        (TypeError, "optimizer must be an Optimizer, got str", lambda o: schedule.LambdaLR("sgd", float)),
        (ValueError, "step_size must be at least 1, got 0", lambda o: schedule.StepLR(o, 0)),
        (TypeError, "step_size must be an integer, got 1.5", lambda o: schedule.StepLR(o, 1.5)),
        (ValueError, "gamma must be at least 0, got -1.0", lambda o: schedule.ExponentialLR(o, -1)),
        (TypeError, "milestones must be an integer, got 'a'", lambda o: schedule.MultiStepLR(o, ["a"])),
        (ValueError, "T_max must be at least 1, got 0", lambda o: schedule.CosineAnnealingLR(o, 0)),
        (ValueError, "total_iters must be at least 1, got 0", lambda o: schedule.PolynomialLR(o, 0)),
        (ValueError, "start_factor must be in (0, 1], got 0", lambda o: schedule.LinearLR(o, 0)),
        (ValueError, "end_factor must be in [0, 1], got 2", lambda o: schedule.LinearLR(o, 1, 2)),
        (
            ValueError,
            "lr_lambda must be one function or one per group, got 1 for 2",
            lambda o: schedule.LambdaLR(o, [float]),
        ),
        (
            ValueError,
            "schedulers must hold at least one schedule",
            lambda o: schedule.SequentialLR(o, [], []),
        ),
        (
            ValueError,
            "schedulers must all be made on the optimizer that is given",
            lambda o: schedule.SequentialLR(o, [schedule.StepLR(optimizer(), 1)], []),
        ),
        (TypeError, "schedulers must hold schedules, got int", lambda o: schedule.SequentialLR(o, [1], [])),
        (
            ValueError,
            "milestones must be one fewer than schedulers, got 2 for 1 schedulers",
            lambda o: schedule.SequentialLR(o, [schedule.StepLR(o, 1)], [1, 2]),
        ),
        (
            ValueError,
            "milestones must increase, got [5, 5]",
            lambda o: schedule.SequentialLR(o, [schedule.StepLR(o, 1)] * 3, [5, 5]),
        ),
    ],
)
def test_refuses(error: type[Exception], message: str, make: Any) -> None:
    with pytest.raises(error, match=re.escape(message)):
        make(optimizer())


def test_refuses_a_state_of_another_schedule() -> None:
    step = schedule.StepLR(optimizer(), 3)
    with pytest.raises(ValueError, match="state_dict of a StepLR must have the keys"):
        step.load_state_dict(schedule.ExponentialLR(optimizer(), 0.5).state_dict())
    with pytest.raises(TypeError, match="must be a mapping, got list"):
        step.load_state_dict([])
    short = optimizer()
    single = schedule.SequentialLR(short, [schedule.StepLR(short, 1)], [])
    with pytest.raises(ValueError, match="state_dict has 3 schedulers, this one has 1"):
        single.load_state_dict(_three_in_sequence(schedule, optimizer()).state_dict())


def test_refuses_groups_added_after_it_was_made() -> None:
    whole = optimizer()
    step = schedule.StepLR(whole, 3)
    whole.add_param_group({"params": [Parameter(np.ones(3))]})
    with pytest.raises(ValueError, match="had 2 parameter groups when the schedule was made, it has 3 now"):
        step.step()
