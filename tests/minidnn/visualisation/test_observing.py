"""What all methods share: the model is left as it was, and names, shapes and classes are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, nn, visualisation
from minidnn.visualisation.observing import frozen, maps_of
from tests.minidnn.visualisation.networks import images, network

METHODS: dict[str, Callable[[Any, Any, str], Any]] = {
    "feature_maps": lambda model, x, layer: visualisation.feature_maps(model, x, layer),
    "grad_cam": lambda model, x, layer: visualisation.grad_cam(model, x, layer),
    "deconvnet": lambda model, x, layer: visualisation.deconvnet(model, x, layer, 0),
}


@pytest.mark.parametrize("inside", [False, True], ids=["ends", "fails"])
def test_a_frozen_model_is_as_it_was_afterwards(inside: bool) -> None:
    model = network()
    model[8].eval()
    model[4].weight.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    try:
        with frozen(model):
            assert not any(module.training for module in model.modules())
            assert not any(parameter.requires_grad for parameter in model.parameters())
            if inside:
                raise KeyError
    except KeyError:
        assert inside
    assert [module.training for module in model.modules()] == modes
    wanted = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert wanted.pop("4.weight") is False
    assert all(wanted.values())


@pytest.mark.parametrize("method", METHODS)
def test_the_model_keeps_no_gradients_and_no_hooks(method: str) -> None:
    model, x = network(), images()
    before = x.copy()
    METHODS[method](model, x, "5")
    METHODS[method](model, x, "5")
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("method", METHODS)
def test_one_image_gives_what_it_gives_in_a_batch(method: str) -> None:
    model, x = network(), images()
    np.testing.assert_allclose(
        METHODS[method](model, x[1], "5"), METHODS[method](model, x, "5")[1], atol=1e-12
    )


@pytest.mark.parametrize("method", METHODS)
def test_what_is_wrong_is_said(method: str) -> None:
    call, model = METHODS[method], nn.Sequential({"convolution": nn.Conv2d(3, 2, 3), "flatten": nn.Flatten()})
    model.double()
    with pytest.raises(ValueError, match=r"got 'convolutoin'; did you mean 'convolution'\?"):
        call(model, images(), "convolutoin")
    with pytest.raises(ValueError, match=r"got 'x'; there are: convolution, flatten"):
        call(model, images(), "x")
    with pytest.raises(ValueError, match=r"layer must give maps .*'flatten' gives shape"):
        call(model, images(), "flatten")
    with pytest.raises(ValueError, match=r"images must have 3 or 4 dimensions, got shape \(27, 23\)"):
        call(model, images()[0, 0], "convolution")
    with pytest.raises(ValueError, match="images must hold at least one pixel"):
        call(model, images()[:0], "convolution")
    with pytest.raises(TypeError, match="images must be float32 or float64, got int64"):
        call(model, np.zeros((1, 3, 27, 23), np.int64), "convolution")
    with pytest.raises(TypeError, match="model must be a Module, got function"):
        call(lambda x: x, images(), "convolution")


class Shared(nn.Module):
    """Calls one module twice and another never."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.ReLU()
        self.never = nn.ReLU()
        self.pool = nn.MaxPool2d(2, return_indices=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.twice(self.twice(x)))[0]


def test_layers_must_be_called_once_and_give_one_tensor() -> None:
    x = Tensor(images())
    with pytest.raises(ValueError, match="called once, 'twice' is called 2 times"):
        maps_of(Shared(), x, "twice")
    with pytest.raises(ValueError, match="called once, 'never' is called 0 times"):
        maps_of(Shared(), x, "never")
    with pytest.raises(ValueError, match="layer 'pool' must return one Tensor, got tuple"):
        maps_of(Shared(), x, "pool")


def test_outputs_are_from_before_they_are_written_over() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)).double()
    maps = visualisation.feature_maps(model, images(), "0")
    assert maps.min() < 0
    np.testing.assert_array_equal(np.maximum(maps, 0), visualisation.feature_maps(model, images(), "1"))
