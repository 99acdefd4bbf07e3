"""Filters and feature maps."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import nn, visualisation
from tests.minidnn.visualisation.networks import images, network


def test_filters_are_the_first_convolution_s_around_grey() -> None:
    model = network()
    filters = visualisation.first_layer_filters(model)
    weight = model[0].weight.detach().numpy()
    assert filters.shape == weight.shape == (6, 3, 5, 4)
    for picture, kernel in zip(filters, weight, strict=True):
        np.testing.assert_allclose(picture, 0.5 + 0.5 * kernel / np.abs(kernel).max())
    assert visualisation.first_layer_filters(model, "4").shape == (8, 3, 3, 3)


def test_maps_are_the_layers_outputs_in_inference() -> None:
    torch_twin = pytest.importorskip("tests.minidnn.visualisation.in_torch", exc_type=ImportError)
    model, x = network(), images()
    copy = torch_twin.twin(model)
    for layer in (0, 3, 5):
        want = copy[: layer + 1](torch_twin.torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(visualisation.feature_maps(model, x, str(layer)), want, atol=1e-12)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="layer must be a Conv2d, '1' is a ReLU"):
        visualisation.first_layer_filters(network(), "1")
    with pytest.raises(ValueError, match="layer must name a module of Sequential, got '99'"):
        visualisation.first_layer_filters(network(), "99")
    with pytest.raises(ValueError, match="model must have a Conv2d, Linear has none"):
        visualisation.first_layer_filters(nn.Linear(2, 2))
