"""Effective receptive fields: of linear networks by hand, of others against the theoretical field."""

from __future__ import annotations

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn
from minidnn.receptive_field import effective_receptive_field, receptive_fields


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(31).standard_normal(shape).astype(np.float32)


def test_of_one_convolution_it_is_the_filter() -> None:
    """The absolute value of the filters summed over both kinds of channels, at the unit's window."""
    model = nn.Conv2d(3, 4, (3, 2), stride=2, padding=1)
    field = effective_receptive_field(model, images(5, 3, 9, 8), unit=(2, 1))
    expected = np.zeros((9, 8))
    expected[3:6, 1:3] = abs(model.weight.numpy().astype(np.float64).sum(axis=(0, 1)))
    np.testing.assert_allclose(field, expected, rtol=1e-5, atol=1e-7)


def test_ones_convolved_become_a_bell() -> None:
    """n layers of ones (3): the coefficients of (1 + z + z^2)^n, which tend to a Gaussian (Luo et al.)."""
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(4)))
    for parameter in model.parameters():
        parameter.data[...] = 1
    field = effective_receptive_field(model, images(1, 1, 15, 15))
    line = np.array([1.0])
    for _ in range(4):
        line = np.convolve(line, [1, 1, 1])
    expected = np.zeros((15, 15))
    expected[3:12, 3:12] = np.outer(line, line)
    np.testing.assert_allclose(field, expected, rtol=1e-6)


def test_it_lies_in_the_theoretical_field_and_leaves_the_model_alone() -> None:
    minidnn.manual_seed(0)
    model = nn.Sequential(
        nn.ReLU(inplace=True), nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 3, 3), nn.Linear(6, 2)
    ).eval()
    x = images(6, 2, 16, 18)
    before = x.copy()
    field = effective_receptive_field(model, x, layer="3", unit=(1, 4))
    theoretical = receptive_fields(minidnn.trace(model, x, backward=False))[3]
    outside = np.ones((16, 18), bool)
    outside[theoretical.region(1, 4)] = False
    assert (field[outside] == 0).all()
    assert (field[~outside] > 0).mean() > 0.5
    assert np.array_equal(x, before)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model[3]._forward_hooks == {}


class Picky(nn.Module):
    """Has a layer that it does not use, and one that does not see x."""

    def __init__(self) -> None:
        super().__init__()
        self.unused, self.blind = nn.Conv2d(1, 1, 1), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        self.blind(Tensor(np.ones((1, 1, 2, 2), np.float32)))
        return x.flatten(1)


@pytest.mark.parametrize(
    ("layer", "shape", "unit", "message"),
    [
        ("", (1, 1, 2), None, r"x must be images \(N, C, H, W\), got shape \(1, 1, 2\)"),
        ("nowhere", (1, 1, 2, 2), None, "target 'nowhere' leads to no module"),
        ("unused", (1, 1, 2, 2), None, "layer must run when the model does, 'unused' did not"),
        ("blind", (1, 1, 2, 2), None, "layer must depend on x, 'blind' does not"),
        ("", (1, 1, 2, 2), None, r"layer must return maps \(N, C, H, W\), '' returned shape \(1, 4\)"),
    ],
)
def test_refused(layer: str, shape: tuple[int, ...], unit: None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        effective_receptive_field(Picky(), images(*shape), layer, unit)


def test_a_unit_outside_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unit must lie in a map of 3 x 4, got \(3, 0\)"):
        effective_receptive_field(nn.Conv2d(1, 1, 1), images(1, 1, 3, 4), unit=(3, 0))
