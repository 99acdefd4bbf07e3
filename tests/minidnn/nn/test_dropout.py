"""The dropout layer: modes, the in-place form, printing and bad input."""

from __future__ import annotations

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, nn


def test_it_drops_in_training_only() -> None:
    minidnn.manual_seed(0)
    layer, x = nn.Dropout(0.5), Tensor(np.ones((40, 50), np.float32))
    values = layer(x).numpy()
    assert set(np.unique(values)) == {0, 2}
    assert abs((values == 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(values.size)
    assert layer.eval()(x) is x


def test_in_place() -> None:
    x = Tensor(np.ones(100))
    assert nn.Dropout(0.5, inplace=True)(x) is x
    assert (x.numpy() == 0).any()


def test_printing() -> None:
    assert repr(nn.Dropout(0.3, True)) == "Dropout(p=0.3, inplace=True)"


@pytest.mark.parametrize(("p", "error"), [(2, ValueError), (-0.5, ValueError), ("half", TypeError)])
def test_refuses(p: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="p must be"):
        nn.Dropout(p)
