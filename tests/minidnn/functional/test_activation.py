"""Activations and softmax as functions: in-place forms, arguments, bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, functional

INPLACE: list[Callable[..., Tensor]] = [
    functional.relu,
    functional.relu6,
    functional.leaky_relu,
    functional.hardsigmoid,
    functional.hardswish,
    functional.silu,
]
ALL = [*INPLACE, functional.sigmoid, functional.tanh, functional.gelu]
X = np.linspace(-7, 7, 15).reshape(3, 5)
DY = np.random.default_rng(0).standard_normal((3, 5))


def gradients(function: Callable[..., Tensor], **keywords: Any) -> tuple[np.ndarray, np.ndarray]:
    """The result of function(2 x) and its gradient with respect to x."""
    x = Tensor(X.copy(), requires_grad=True)
    y = function(x * 2, **keywords)
    y.backward(DY)
    assert x.grad is not None
    return y.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("function", INPLACE)
def test_inplace_gives_the_same_values_and_gradients(function: Callable[..., Tensor]) -> None:
    for plain, inplace in zip(gradients(function), gradients(function, inplace=True), strict=True):
        assert np.array_equal(plain, inplace)


def test_a_negative_slope_in_place() -> None:
    """The output's sign does not say the input's, so backward must have kept the input."""
    keywords = {"negative_slope": -0.5}
    want = gradients(functional.leaky_relu, **keywords)
    got = gradients(functional.leaky_relu, **keywords, inplace=True)
    assert np.array_equal(got[1], want[1])
    assert np.array_equal(want[1], DY * np.where(X > 0, 2, -1))


@pytest.mark.parametrize("function", INPLACE)
def test_inplace_writes_over_its_input(function: Callable[..., Tensor]) -> None:
    x = Tensor(X.copy())
    y = function(x, inplace=True)
    assert y is x
    assert np.array_equal(x.numpy(), function(X).numpy())
    assert not np.array_equal(x.numpy(), X)


@pytest.mark.parametrize("function", INPLACE)
def test_inplace_refuses_a_leaf_that_requires_grad(function: Callable[..., Tensor]) -> None:
    x = Tensor(X.copy(), requires_grad=True)
    with pytest.raises(ValueError, match="a leaf that requires grad cannot be changed in place"):
        function(x, inplace=True)
    assert np.array_equal(x.detach().numpy(), X)
    with minidnn.no_grad():
        function(x, inplace=True)
    assert np.array_equal(x.detach().numpy(), function(X).numpy())


def test_a_change_of_the_saved_input_is_noticed() -> None:
    x = Tensor(X.copy(), requires_grad=True) * 1
    y = functional.silu(x)
    functional.relu(x, inplace=True)
    with pytest.raises(ValueError, match="backward of SiLU needs was changed in place"):
        y.backward(DY)


@pytest.mark.parametrize("function", ALL)
def test_arrays_are_taken_and_integers_refused(function: Callable[..., Tensor]) -> None:
    before = X.copy()
    assert isinstance(function(X), Tensor)
    assert np.array_equal(X, before)
    with pytest.raises(TypeError, match=r"x must have dtype float32 or float64.*, got int64"):
        function(np.arange(3))


def test_bad_parameters() -> None:
    with pytest.raises(TypeError, match="negative_slope must be a number, got None"):
        functional.leaky_relu(X, None)
    with pytest.raises(ValueError, match='approximate must be "none" or "tanh", got \'sigmoid\''):
        functional.gelu(X, "sigmoid")


@pytest.mark.parametrize("function", [functional.softmax, functional.log_softmax])
def test_softmax_arguments(function: Callable[..., Tensor]) -> None:
    converted = function(X.astype(np.float32), 1, dtype=np.float64)
    assert converted.dtype == np.float64
    assert np.array_equal(converted.numpy(), function(X.astype(np.float32).astype(np.float64), 1).numpy())
    with pytest.raises(ValueError, match=r"dim must be in \[-2, 1\] for 2 dimensions, got 2"):
        function(X, 2)
    with pytest.raises(TypeError, match="dim must be an integer, got None"):
        function(X, None)
    with pytest.raises(TypeError, match="x must have dtype float32 or float64 or complex128, got int64"):
        function(np.arange(3), 0)
