"""The convolution layers beyond their cases: initialisation, printing, lazy sizes, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import nn
from minidnn.nn.lazy import UninitializedParameter


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv2d(3, 4, 3), "Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1))"),
        (
            nn.Conv2d(4, 4, (3, 2), 2, 1, (1, 2), 2, False, "reflect"),
            "Conv2d(4, 4, kernel_size=(3, 2), stride=(2, 2), padding=(1, 1), dilation=(1, 2), groups=2, "
            "bias=False, padding_mode=reflect)",
        ),
        (
            nn.Conv2d(4, 4, 3, padding="same"),
            "Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), padding=same)",
        ),
        (
            nn.Conv2d(1, 1, 3, padding=((0, 1), (2, 2))),
            "Conv2d(1, 1, kernel_size=(3, 3), stride=(1, 1), padding=((0, 1), (2, 2)))",
        ),
        (nn.LazyConv2d(8, 3), "LazyConv2d(0, 8, kernel_size=(3, 3), stride=(1, 1))"),
        (
            nn.ConvTranspose2d(4, 4, 3, 2, 1, 1, 2),
            "ConvTranspose2d(4, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1), "
            "groups=2)",
        ),
    ],
)
def test_repr_is_pytorchs(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Conv2d(8, 64, (5, 3), groups=2), 4 * 5 * 3),
        # PyTorch's fan_in of a transposed weight (in, out / groups, KH, KW) counts the second axis.
        (nn.ConvTranspose2d(64, 8, (5, 3), groups=2), 4 * 5 * 3),
    ],
)
def test_initialisation_has_pytorchs_bounds(layer: Any, fan_in: int) -> None:
    """Uniform on +-1/sqrt(fan_in): the extremes come close to the bound, the variance is bound^2 / 3."""
    bound = 1 / np.sqrt(fan_in)
    values = layer.weight.numpy()
    assert 0.98 * bound < np.abs(values).max() <= bound
    assert values.var() == pytest.approx(bound**2 / 3, rel=0.1)
    assert 0 < np.abs(layer.bias.numpy()).max() <= bound


def test_initialisation_follows_the_seed() -> None:
    def weights(seed: int) -> np.ndarray:
        minidnn.manual_seed(seed)
        return nn.Conv2d(2, 3, 3).weight.numpy()

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_lazy_layer_keeps_its_parameters_and_becomes_the_plain_one() -> None:
    layer = nn.LazyConv2d(4, (3, 2), groups=2)
    held = list(layer.parameters())
    assert all(isinstance(parameter, UninitializedParameter) for parameter in held)
    assert layer(np.zeros((1, 6, 5, 5), np.float32)).shape == (1, 4, 3, 4)
    assert type(layer) is nn.Conv2d
    assert layer.in_channels == 6
    assert [id(parameter) for parameter in layer.parameters()] == [id(parameter) for parameter in held]
    assert [type(parameter) for parameter in held] == [nn.Parameter, nn.Parameter]
    assert held[0].shape == (4, 3, 3, 2)
    assert np.abs(held[0].numpy()).max() > 0
    with pytest.raises(ValueError, match="x has 4 channels but weight"):
        layer(np.zeros((1, 4, 5, 5), np.float32))


def test_lazy_layer_takes_its_size_from_a_state() -> None:
    plain, layer = nn.Conv2d(6, 4, 3, groups=2), nn.LazyConv2d(4, 3, groups=2)
    layer.load_state_dict(plain.state_dict())
    assert type(layer) is nn.Conv2d
    assert layer.in_channels == 6
    x = np.random.default_rng(0).normal(size=(1, 6, 4, 5)).astype(np.float32)
    assert np.array_equal(layer(x).numpy(), plain(x).numpy())


def test_lazy_layer_keeps_its_dtype() -> None:
    layer = nn.LazyConv2d(4, 3).double()
    assert layer(np.zeros((1, 2, 3, 3))).dtype == np.float64


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3), r"x must have 3 or 4 dimensions, got shape \(2, 3\)"),
        ((1, 3, 4, 4), "groups must divide x's channels, got groups=2"),
        ((1, 0, 4, 4), "groups must divide x's channels, got groups=2"),
    ],
)
def test_lazy_layer_refuses(shape: tuple[int, ...], message: str) -> None:
    layer = nn.LazyConv2d(4, 3, groups=2)
    with pytest.raises(ValueError, match=message):
        layer(np.zeros(shape, np.float32))
    assert type(layer) is nn.LazyConv2d


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.Conv2d(0, 4, 3), ValueError, "in_channels must be at least 1, got 0"),
        (lambda: nn.Conv2d(4, 2.5, 3), TypeError, "out_channels must be an integer, got 2.5"),
        (
            lambda: nn.Conv2d(4, 3, 3, groups=2),
            ValueError,
            "groups must divide out_channels, got groups=2 and",
        ),
        (
            lambda: nn.Conv2d(3, 4, 3, groups=2),
            ValueError,
            "groups must divide in_channels, got groups=2 and",
        ),
        (lambda: nn.Conv2d(3, 4, 3, groups=0), ValueError, "groups must be at least 1, got 0"),
        (lambda: nn.Conv2d(3, 4, 0), ValueError, "kernel_size must be at least 1, got 0"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), ValueError, "stride must be at least 1, got 0"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (
            lambda: nn.Conv2d(3, 4, 3, padding="big"),
            ValueError,
            "padding must be integers, 'same' or 'valid'",
        ),
        (lambda: nn.Conv2d(3, 4, 3, 2, "same"), ValueError, "padding='same' needs a stride of 1"),
        (
            lambda: nn.Conv2d(3, 4, 3, padding_mode="circular"),
            ValueError,
            "padding_mode must be one of zeros, reflect, replicate, got 'circular'",
        ),
        (lambda: nn.LazyConv2d(4, 3, groups=3), ValueError, "groups must divide out_channels"),
        (lambda: nn.LazyConv2d(4, 3, groups=0), ValueError, "groups must be at least 1, got 0"),
        (
            lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
            ValueError,
            "padding_mode must be 'zeros' for ConvTranspose2d, got 'reflect'",
        ),
        (
            lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1),
            ValueError,
            r"output_padding must be below the stride \(1, 1\)",
        ),
    ],
)
def test_constructors_refuse(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("output_size", "message"),
    [
        ([1, 3, 9], r"output_size must be \(height, width\) or have 4 elements like x, got \(1, 3, 9\)"),
        ([10, 11], r"output_size must be from \(9, 9\) to \(10, 10\) for x of shape .*, got \(10, 11\)"),
        ([8, 9], r"got \(8, 9\)"),
    ],
)
def test_output_size_out_of_reach(output_size: list[int], message: str) -> None:
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2)
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((1, 2, 4, 4), np.float32), output_size=output_size)
