"""Linear, LazyLinear, Flatten and Identity beyond their cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import nn, optim
from minidnn.nn.lazy import UninitializedParameter


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Linear(2, 3), "Linear(in_features=2, out_features=3, bias=True)"),
        (nn.LazyLinear(3, bias=False), "LazyLinear(in_features=0, out_features=3, bias=False)"),
        (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
        (nn.Identity(), "Identity()"),
    ],
)
def test_repr_is_pytorchs(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text


def test_initialisation_has_pytorchs_bounds() -> None:
    layer = nn.Linear(100, 200)
    values = layer.weight.numpy()
    assert 0.098 < np.abs(values).max() <= 0.1
    assert values.var() == pytest.approx(0.01 / 3, rel=0.1)
    assert layer.bias is not None
    assert 0.09 < np.abs(layer.bias.numpy()).max() <= 0.1


def test_no_features_leave_the_bias() -> None:
    """PyTorch warns when it initialises an empty weight, so this is no case; its bias is 0 then, too."""
    layer = nn.Linear(0, 3)
    assert layer(np.zeros((2, 0), np.float32)).numpy().tolist() == [[0.0] * 3] * 2


def test_lazy_layer_becomes_the_plain_one_and_its_optimiser_follows() -> None:
    layer = nn.LazyLinear(3)
    assert all(isinstance(parameter, UninitializedParameter) for parameter in layer.parameters())
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    y = layer(np.ones((2, 4), np.float32))
    assert type(layer) is nn.Linear
    assert (layer.in_features, layer.weight.shape) == (4, (3, 4))
    before = layer.weight.numpy().copy()
    y.backward(np.ones((2, 3), np.float32))
    optimizer.step()
    np.testing.assert_allclose(layer.weight.numpy(), before - 1, rtol=1e-6, atol=1e-6)


def test_lazy_layer_takes_its_size_from_a_state() -> None:
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    plain = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    model.load_state_dict(plain.state_dict())
    assert type(model[1]) is nn.Linear
    x = np.random.default_rng(0).normal(size=(2, 2, 3)).astype(np.float32)
    assert np.array_equal(model(x).numpy(), plain(x).numpy())


def test_lazy_layer_without_a_size_refuses_a_state_that_has_none() -> None:
    layer = nn.LazyLinear(3)
    with pytest.raises(ValueError, match=r"state_dict\['weight'\] has shape \(3,\)"):
        layer.load_state_dict({"weight": np.zeros(3), "bias": np.zeros(3)})
    assert type(layer) is nn.LazyLinear


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Linear(-1, 3), ValueError, "in_features must be at least 0, got -1"),
        (lambda: nn.Linear(2, 3.0), TypeError, "out_features must be an integer, got 3.0"),
        (lambda: nn.LazyLinear(-2), ValueError, "out_features must be at least 0, got -2"),
        (lambda: nn.LazyLinear(3)(np.float32(1)), ValueError, "x must have at least 1 dimension"),
        (lambda: nn.Linear(2, 3)(np.zeros((1, 3), np.float32)), ValueError, "x has 3 features but weight"),
        (lambda: nn.Flatten(1.5), TypeError, "start_dim must be an integer, got 1.5"),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
