"""The pooling layers' text, and how they work together."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import nn
from tests.kernels.sample import Draw


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (
            nn.MaxPool2d(3, 2, 1, ceil_mode=True),
            "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True)",
        ),
        (
            nn.MaxPool2d((3, 2)),
            "MaxPool2d(kernel_size=(3, 2), stride=(3, 2), padding=0, dilation=1, ceil_mode=False)",
        ),
        (nn.AvgPool2d(2), "AvgPool2d(kernel_size=2, stride=2, padding=0)"),
        (nn.AdaptiveAvgPool2d((1, None)), "AdaptiveAvgPool2d(output_size=(1, None))"),
        (nn.AdaptiveMaxPool2d(5), "AdaptiveMaxPool2d(output_size=5)"),
        (nn.MaxUnpool2d(2), "MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"),
    ],
)
def test_repr(module: nn.Module, text: str) -> None:
    assert repr(module) == text


def test_unpooling_takes_what_pooling_returns() -> None:
    x = Draw(1).normal(2, 3, 7, 5)
    y, indices = nn.MaxPool2d(2, return_indices=True)(x)
    restored = nn.MaxUnpool2d(2)(y, indices, output_size=(7, 5))
    again, places = nn.MaxPool2d(2, return_indices=True)(
        np.where(restored.numpy() == 0, -9, restored.numpy())
    )
    assert np.array_equal(again.numpy(), y.numpy())
    assert np.array_equal(places.numpy(), indices.numpy())
