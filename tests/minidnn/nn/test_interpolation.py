"""The resizing layer: printing and bad input."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import nn


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Upsample(size=(2, 3)), "Upsample(size=(2, 3), mode='nearest')"),
        (nn.Upsample(scale_factor=2.0, mode="bilinear"), "Upsample(scale_factor=2.0, mode='bilinear')"),
    ],
)
def test_printing(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text


def test_refuses_when_called() -> None:
    with pytest.raises(ValueError, match="exactly one of size and scale_factor must be given, got neither"):
        nn.Upsample()(np.ones((1, 2, 3, 4)))
