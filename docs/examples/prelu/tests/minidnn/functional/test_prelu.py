"""The parametric rectifier's gradients, and what follows from its definition."""

from __future__ import annotations

import numpy as np
import pytest

import minidnn
from minidnn.functional.prelu import prelu
from minidnn.nn.prelu import PReLU


def test_gradients() -> None:
    generator = np.random.default_rng()
    x = minidnn.Tensor(generator.standard_normal((2, 3, 4, 5)), requires_grad=True)
    slope = minidnn.Tensor(generator.standard_normal(3), requires_grad=True)
    assert minidnn.gradcheck(prelu, [x, slope])


def test_a_slope_of_one_bends_nothing() -> None:
    x = np.random.default_rng().standard_normal((2, 3, 4)).astype(np.float32)
    assert (PReLU(3, slope=1)(x).numpy() == x).all()


def test_a_slope_is_learned() -> None:
    """The data bend with 0.7; the layer finds out."""
    x = np.random.default_rng().standard_normal((64, 1)).astype(np.float32)
    wanted = np.where(x > 0, x, np.float32(0.7) * x)
    layer = PReLU(1)
    optimizer = minidnn.optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(50):
        optimizer.zero_grad()
        minidnn.functional.mse_loss(layer(x), wanted).backward()
        optimizer.step()
    assert np.allclose(layer.weight.detach().numpy(), 0.7, atol=1e-3)


def test_slopes_must_be_as_many_as_channels() -> None:
    with pytest.raises(ValueError, match=r"slope must have shape \(3,\), got \(2,\)"):
        prelu(np.zeros((1, 3)), np.zeros(2))
