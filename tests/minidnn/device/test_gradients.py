"""Gradient checks of layers that compute on a device; the checker itself stays on the host."""

from __future__ import annotations

import pytest

from minidnn import Device
from minidnn.layer_checks import select

LAYERS = ["Linear", "BatchNorm2d", "MaxPool2d", "Dropout", "cross_entropy", "gelu"]


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_are_right(layer: str, place: Device) -> None:
    rows = [row for group in select((layer,)).values() for row in group]
    report = rows[0].run("fast", "central", 1, place)
    assert report.message == ""
    assert report.evaluations > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer", ["Conv2d", "conv_transpose2d", "roi_align", "interpolate", "LocalResponseNorm"]
)
def test_gradients_of_every_configuration_are_right(layer: str, place: Device) -> None:
    for group in select((layer,)).values():
        for row in group:
            assert row.run("fast", "central", 1, place).message == "", row.configuration
