"""Averages of weights: against the written formula and PyTorch's AveragedModel, buffers included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn import manual_seed, nn
from minidnn.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_swa_avg_fn

STEPS = 6


def model() -> nn.Module:
    manual_seed(3)
    return nn.Sequential(nn.Conv2d(2, 3, (1, 2)), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2)).double()


def states() -> list[dict[str, np.ndarray]]:
    """What the model's parameters and buffers are after every step."""
    generator = np.random.default_rng(4)
    return [
        {
            name: np.array(step * 7, np.int64)
            if tensor.dtype.kind == "i"
            else generator.standard_normal(tensor.shape)
            for name, tensor in model().state_dict().items()
        }
        for step in range(1, STEPS + 1)
    ]


def averaged(average: Callable[[nn.Module], AveragedModel]) -> dict[str, np.ndarray]:
    network = model()
    running = average(network)
    for state in states():
        network.load_state_dict(state)
        running.update_parameters(network)
    return {name: tensor.numpy() for name, tensor in running.state_dict().items()}


def is_buffer(name: str) -> bool:
    return "running" in name or "num_batches" in name


@pytest.mark.parametrize("use_buffers", [False, True])
def test_exponential_by_its_formula(use_buffers: bool) -> None:
    """In closed form: the first state weighs decay^(n-1), the k-th after it (1 - decay) decay^(n-1-k)."""
    decay = 0.7
    got = averaged(lambda network: AveragedModel(network, get_ema_avg_fn(decay), use_buffers))
    assert got.pop("n_averaged") == STEPS
    weights = [decay ** (STEPS - 1), *((1 - decay) * decay ** (STEPS - 1 - k) for k in range(1, STEPS))]
    assert sum(weights) == pytest.approx(1)
    for name, value in got.items():
        history = [state[name.removeprefix("module.")] for state in states()]
        copied = "num_batches" in name or (is_buffer(name) and not use_buffers)
        want = history[-1] if copied else np.tensordot(weights, history, 1)
        np.testing.assert_allclose(value, want, rtol=1e-12, err_msg=name)


def test_plain_is_the_mean() -> None:
    got = averaged(AveragedModel)
    for name in ("0.weight", "3.bias"):
        want = np.mean([state[name] for state in states()], axis=0)
        np.testing.assert_allclose(got[f"module.{name}"], want, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("kind", ["exponential", "plain"])
def test_as_pytorch(use_buffers: bool, kind: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.optim import swa_utils as theirs

    network = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, (1, 2)), torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(3, 2)
    ).double()
    function = theirs.get_ema_avg_fn(0.9) if kind == "exponential" else None
    running = theirs.AveragedModel(network, avg_fn=function, use_buffers=use_buffers)
    for state in states():
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
        running.update_parameters(network)
    mine = get_ema_avg_fn(0.9) if kind == "exponential" else get_swa_avg_fn()
    got = averaged(lambda network: AveragedModel(network, mine, use_buffers))
    want = {name: tensor.numpy() for name, tensor in running.state_dict().items()}
    assert got.keys() == want.keys()
    for name, value in want.items():
        if not (use_buffers and "num_batches" in name):  # which PyTorch averages and rounds
            np.testing.assert_allclose(got[name], value, rtol=1e-12, err_msg=name)


def test_the_model_is_left_alone_and_the_average_is_not_trained() -> None:
    network = model()
    running = AveragedModel(network, get_ema_avg_fn(0.5))
    running.update_parameters(network)
    before = network[0].weight.numpy().copy()  # type: ignore[index]
    network[0].weight.data[...] += 1  # type: ignore[index]
    running.update_parameters(network)
    np.testing.assert_allclose(running.module[0].weight.numpy(), before + 0.5)  # type: ignore[index]
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in running.parameters())


def test_it_goes_on_from_its_state() -> None:
    network, function = model(), get_ema_avg_fn(0.6)
    whole, first = AveragedModel(network, function), AveragedModel(network, function)
    for number, state in enumerate(states()):
        network.load_state_dict(state)
        whole.update_parameters(network)
        if number == 2:
            saved = {name: tensor.numpy().copy() for name, tensor in whole.state_dict().items()}
    first.load_state_dict(saved)
    for state in states()[3:]:
        network.load_state_dict(state)
        first.update_parameters(network)
    for name, tensor in whole.state_dict().items():
        np.testing.assert_array_equal(first.state_dict()[name].numpy(), tensor.numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: get_ema_avg_fn(1.5), ValueError, r"decay must be in \[0, 1\], got 1.5"),
        (lambda: AveragedModel("resnet18"), TypeError, "model must be a Module, got str"),  # type: ignore[arg-type]
        (
            lambda: AveragedModel(nn.Linear(2, 3)).update_parameters(nn.Linear(2, 4)),
            ValueError,
            r"weight has shape \(4, 2\) where \(3, 2\) is needed",
        ),
    ],
)
def test_what_is_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
