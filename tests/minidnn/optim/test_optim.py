"""The optimisers against PyTorch's over 50 steps, their states, and what they refuse."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, optim
from minidnn.nn import Parameter
from tests.minidnn.optim import problem

CASES: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("SGD", {"lr": 0.1}, None),
    ("SGD", {}, {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}, {"lr": 0.2, "momentum": 0}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.4}, {"weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}, {"nesterov": False}),
    ("Adam", {}, None),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.02}, {"lr": 0.01, "eps": 1e-4}),
    ("Adam", {"lr": 0.05, "amsgrad": True}, {"betas": (0.0, 0.5), "weight_decay": 0.1}),
    ("AdamW", {}, None),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.2}, {"weight_decay": 0.0, "amsgrad": True}),
    ("RMSprop", {}, None),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.7}, {"momentum": 0, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.02, "centered": True, "eps": 1e-4}, {"centered": False, "momentum": 0.5}),
]


@pytest.mark.parametrize(("name", "options", "second"), CASES)
def test_matches_torch_over_50_steps(
    name: str, options: dict[str, Any], second: dict[str, Any] | None
) -> None:
    pytest.importorskip("torch")
    got, _ = problem.run(name, options, second, [])
    want, _ = problem.run_torch(name, options, second, [])
    for ours, theirs, begin in zip(got, want, problem.start(), strict=True):
        assert (ours != begin).all()
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def make(name: str, options: dict[str, Any]) -> tuple[Any, list[Parameter]]:
    parameters = [Parameter(array) for array in problem.start()]
    return getattr(optim, name)(problem.groups(parameters, {}), **options), parameters


@pytest.mark.parametrize(("name", "options"), [(name, options) for name, options, _ in CASES])
def test_a_loaded_state_continues_bit_for_bit(name: str, options: dict[str, Any]) -> None:
    whole, parameters = make(name, options)
    for step in range(20):
        problem.advance(whole, parameters, step)
        if step == 9:
            state = whole.state_dict()
            halfway = [parameter.numpy().copy() for parameter in parameters]
            resumed, copies = make(name, {**options, "lr": 123})
            resumed.load_state_dict(state)
            for copy, value in zip(copies, halfway, strict=True):
                copy.data[...] = value
    for step in range(10, 20):
        problem.advance(resumed, copies, step)
    for ours, theirs in zip(copies, parameters, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy())


def test_a_loaded_state_is_a_copy_of_its_own_dtype() -> None:
    optimizer, parameters = make("Adam", {})
    problem.advance(optimizer, parameters, 0)
    single = [Parameter(array) for array in problem.start(np.float32)]
    other = optim.Adam(problem.groups(single, {}))
    other.load_state_dict(optimizer.state_dict())
    average = other.state[single[0]]["exp_avg"]
    assert average.dtype == np.float32
    before = average.numpy().copy()
    problem.advance(optimizer, parameters, 1)
    assert np.array_equal(average.numpy(), before)
    problem.advance(other, single, 1)
    assert single[0].dtype == np.float32


def test_state_dict_has_the_form_of_torch() -> None:
    torch = pytest.importorskip("torch")
    optimizer, parameters = make("SGD", {"lr": 0.1, "momentum": 0.9})
    problem.advance(optimizer, parameters, 0)
    tensors = [torch.nn.Parameter(torch.zeros(shape)) for shape in problem.SHAPES]
    theirs = torch.optim.SGD(problem.groups(tensors, {}), lr=0.1, momentum=0.9)
    for tensor in tensors:
        tensor.grad = torch.ones_like(tensor)
    theirs.step()
    got, want = optimizer.state_dict(), theirs.state_dict()
    assert got["state"].keys() == want["state"].keys()
    assert got["state"][0].keys() == want["state"][0].keys()
    for ours, other in zip(got["param_groups"], want["param_groups"], strict=True):
        assert ours["params"] == other["params"]
        assert ours.items() <= {**other, "params": ours["params"]}.items()


def test_parameters_without_gradient_are_left_alone() -> None:
    used, unused = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer = optim.SGD([used, unused], lr=0.5, weight_decay=1)
    used.grad = Tensor(np.zeros(2))
    optimizer.step()
    assert used.numpy().tolist() == [0.5, 0.5]
    assert unused.numpy().tolist() == [1, 1]


def test_changed_options_take_effect_at_the_next_step() -> None:
    parameter = Parameter(np.zeros(1))
    optimizer = optim.SGD([parameter], lr=1.0)
    parameter.grad = Tensor(np.ones(1))
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert parameter.item() == -1.25


def test_zero_grad() -> None:
    parameter = Parameter(np.zeros(2))
    optimizer = optim.SGD([parameter], lr=1.0)
    parameter.grad = Tensor(np.ones(2))
    optimizer.zero_grad(set_to_none=False)
    assert parameter.grad.numpy().tolist() == [0, 0]
    optimizer.zero_grad()
    assert parameter.grad is None


def test_step_runs_a_closure_with_gradients_on() -> None:
    from minidnn import no_grad

    parameter = Parameter(np.full(1, 3.0))
    optimizer = optim.SGD([parameter], lr=0.25)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (parameter * parameter).sum()
        loss.backward()
        return loss

    with no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 9
    assert parameter.item() == 1.5


def test_a_step_counts_as_a_change_in_place() -> None:
    parameter = Parameter(np.ones(2))
    product = (parameter * parameter).sum()
    optimizer = optim.SGD([parameter], lr=0.1)
    parameter.grad = Tensor(np.ones(2))
    optimizer.step()
    with pytest.raises(ValueError, match="changed in place"):
        product.backward()


def test_groups_can_be_added_later() -> None:
    first, second = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizer = optim.SGD([first], lr=0.5)
    optimizer.add_param_group({"params": second, "lr": 0.25})
    for parameter in (first, second):
        parameter.grad = Tensor(np.ones(1))
    optimizer.step()
    assert (first.item(), second.item()) == (0.5, 0.75)
    assert "lr=0.25" in repr(optimizer)


ONE = [Parameter(np.ones(1))]


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (ValueError, "lr must be at least 0, got -1.0", lambda: optim.SGD(ONE, lr=-1)),
        (TypeError, "lr must be a number, got '0.1'", lambda: optim.Adam(ONE, lr="0.1")),
        (ValueError, "lr must be finite, got inf", lambda: optim.AdamW(ONE, lr=float("inf"))),
        (ValueError, "momentum must be at least 0", lambda: optim.SGD(ONE, momentum=-0.1)),
        (ValueError, "weight_decay must be at least 0", lambda: optim.AdamW(ONE, weight_decay=-0.1)),
        (ValueError, "nesterov needs a momentum above 0", lambda: optim.SGD(ONE, nesterov=True)),
        (
            ValueError,
            "nesterov needs a momentum above 0 and a dampening of 0, got 0.9 and 0.1",
            lambda: optim.SGD(ONE, momentum=0.9, dampening=0.1, nesterov=True),
        ),
        (ValueError, "betas[1] must be less than 1, got 1.0", lambda: optim.Adam(ONE, betas=(0.9, 1.0))),
        (TypeError, "betas must be two numbers, got 0.9", lambda: optim.Adam(ONE, betas=0.9)),
        (ValueError, "eps must be at least 0", lambda: optim.Adam(ONE, eps=-1)),
        (ValueError, "alpha must be at least 0", lambda: optim.RMSprop(ONE, alpha=-1)),
        (ValueError, "params must hold at least one parameter, got none", lambda: optim.SGD([])),
        (
            TypeError,
            "params must be an iterable of tensors or groups, got Parameter",
            lambda: optim.SGD(ONE[0]),
        ),
        (TypeError, "params must hold tensors, got ndarray", lambda: optim.SGD([np.ones(1)])),
        (ValueError, "params must differ, one of shape (1,) was given twice", lambda: optim.SGD(ONE * 2)),
        (
            ValueError,
            "params must differ",
            lambda: optim.SGD([{"params": ONE}, {"params": ONE}]),
        ),
        (ValueError, "params must be leaves", lambda: optim.SGD([ONE[0] * 2])),
        (
            ValueError,
            "unknown options learning_rate; SGD knows lr, momentum, dampening, weight_decay, nesterov",
            lambda: optim.SGD([{"params": ONE, "learning_rate": 1}]),
        ),
        (
            TypeError,
            "param_group must be a mapping with the key 'params'",
            lambda: optim.SGD([{"lr": 1}]),
        ),
    ],
)
def test_refuses(error: type[Exception], message: str, make: Any) -> None:
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_load_state_dict_refuses_what_does_not_fit_and_changes_nothing() -> None:
    optimizer, parameters = make("SGD", {"lr": 0.1, "momentum": 0.9})
    problem.advance(optimizer, parameters, 0)
    state = optimizer.state_dict()
    other = optim.SGD([Parameter(np.ones(2))], lr=0.3)
    with pytest.raises(
        ValueError, match=re.escape("groups of [2, 2] parameters, this optimiser has groups of [1]")
    ):
        other.load_state_dict(state)
    with pytest.raises(TypeError, match="with the keys 'state' and 'param_groups'"):
        other.load_state_dict({"state": {}})
    misshapen = {**state, "state": {0: {"momentum_buffer": Tensor(np.ones(7))}}}
    with pytest.raises(
        ValueError, match=re.escape("momentum_buffer has shape (7,), its parameter has shape (3, 4)")
    ):
        optimizer.load_state_dict(misshapen)
    with pytest.raises(ValueError, match="state for parameter 9"):
        optimizer.load_state_dict({**state, "state": {9: {}}})
    bad = [{**group, "lr": -1.0} for group in state["param_groups"]]
    with pytest.raises(ValueError, match="lr must be at least 0"):
        optimizer.load_state_dict({**state, "param_groups": bad})
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert other.param_groups[0]["lr"] == 0.3


def test_a_subclass_must_say_how_to_update() -> None:
    parameter = Parameter(np.ones(1))
    parameter.grad = Tensor(np.ones(1))
    with pytest.raises(TypeError, match="Optimizer must define _update"):
        optim.Optimizer([parameter], {}).step()
    with pytest.raises(TypeError, match="LRScheduler must define get_lr"):
        optim.schedule.LRScheduler(optim.SGD([parameter]))
