"""A trace leaves the model, the input and the engine as they were, whatever happens."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import minidnn
from kernels import registry
from minidnn import Tensor, nn, random
from minidnn.modes import MODES
from tests.minidnn.tracing.networks import CASES, build


class Fails(nn.Module):
    """Raises in the middle, when asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.linear(x))
        self.calls += 1
        if self.calls == 2:  # the first call is not observed
            raise ZeroDivisionError
        return y


def state(model: nn.Module) -> dict:
    """Everything that a pass could change, as bytes and identities."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return {
        "values": {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()},
        "objects": [id(tensor) for tensor in (*model.parameters(), *model.buffers())],
        "arrays": [id(tensor._array) for tensor in (*model.parameters(), *model.buffers())],
        "gradients": [(id(gradient), gradient.numpy().tobytes()) for gradient in gradients],
        "modes": [module.training for module in model.modules()],
        "hooks": [(dict(m._forward_hooks), dict(m._forward_pre_hooks)) for m in model.modules()],
        "random": random.get_state(),
    }


def engine() -> tuple:
    """What a trace puts into the engine while it lasts."""
    return MODES.get(), registry._to_run, registry._listener.get(), minidnn.apply, registry.dispatch


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"googlenet"}))  # nothing that others do not have
@pytest.mark.parametrize("backward", [True, False])
def test_nothing_is_changed(name: str, backward: bool) -> None:
    model, inputs = build(name)
    for parameter in list(model.parameters())[::2]:
        parameter.grad = Tensor(np.full(parameter.shape, 0.5, np.float32))
    list(model.modules())[-1].eval()
    before, quiet, given = state(model), engine(), [x.numpy().copy() for x in inputs]
    minidnn.trace(model, inputs, backward=backward)
    assert state(model) == before
    assert engine() == quiet
    assert registry._to_run is registry._chosen
    assert all(np.array_equal(x.numpy(), copy) for x, copy in zip(inputs, given, strict=True))


def test_nothing_is_changed_by_a_pass_that_fails() -> None:
    model = Fails()
    before, quiet = state(model), engine()
    with pytest.raises(ZeroDivisionError):
        minidnn.trace(model, np.ones((4, 3), np.float32))
    assert model.calls == 2
    assert state(model) == before
    assert engine() == quiet


def test_a_graph_that_waits_for_its_backward_still_works() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 3)).eval()
    x = Tensor(np.random.default_rng(5).standard_normal((2, 3, 5, 4)).astype(np.float32), requires_grad=True)
    waiting = (model(x) ** 2).sum()
    minidnn.trace(model, x)
    assert x.grad is None
    assert model[1].weight.grad is None
    waiting.backward()
    assert x.grad is not None


def test_an_input_with_a_history_keeps_it() -> None:
    w = Tensor(np.float32([[1.0, 2.0]]), requires_grad=True)
    x = w * 3.0
    trace = minidnn.trace(nn.ReLU(), x)
    assert trace.operations[0].input_gradients[0] is not None
    assert w.grad is None
    x.sum().backward()
    assert w.grad.numpy().tolist() == [[3.0, 3.0]]


def test_an_input_that_a_layer_overwrites_stays() -> None:
    x = Tensor(np.float32([[-1.0, 2.0]]))
    trace = minidnn.trace(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(2, 1)), x)
    assert x.numpy().tolist() == [[-1.0, 2.0]]
    assert trace.operations[0].inputs[0].statistics.minimum == -1
    assert trace.operations[1].inputs[0].statistics.minimum == 0


def test_lazy_layers_are_built_and_keep_no_gradient() -> None:
    model = nn.Sequential(nn.LazyLinear(2))
    trace = minidnn.trace(model, np.ones((1, 3), np.float32))
    assert trace.operations[0].parameters.keys() == {"0.weight", "0.bias"}
    assert all(parameter.grad is None for parameter in model.parameters())


def test_recording_of_gradients_is_switched_on_for_backward_and_back() -> None:
    with minidnn.no_grad():
        trace = minidnn.trace(nn.Linear(2, 1), np.ones((1, 2), np.float32))
        assert not minidnn.is_grad_enabled()
    assert trace.operations[0].backward_seconds is not None


def test_listeners_hear_only_their_own_thread() -> None:
    heard: list[str] = []

    def listener(version, *arguments, **keywords):
        heard.append(version.operation)
        return version.function(*arguments, **keywords)

    def elsewhere() -> None:
        Tensor(np.float32([1.0])).exp()

    with registry.listen(listener):
        assert registry._to_run is not registry._chosen
        Tensor(np.float32([1.0])) + Tensor(np.float32([2.0]))
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert heard == ["add"]
    assert registry._to_run is registry._chosen


def test_listeners_may_be_nested() -> None:
    heard: list[str] = []

    def named(name: str):
        def listener(version, *arguments, **keywords):
            heard.append(name)
            return version.function(*arguments, **keywords)

        return listener

    x = Tensor(np.float32([1.0]))
    with registry.listen(named("outer")):
        with registry.listen(named("inner")):
            x.exp()
        x.exp()
    x.exp()
    assert heard == ["inner", "outer"]
