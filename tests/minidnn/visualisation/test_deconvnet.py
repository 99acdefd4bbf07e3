"""The deconvolutional network by hand, against PyTorch's operations, and on ZFNet and AlexNet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
import models
from minidnn import nn
from minidnn.functional import max_unpool2d
from minidnn.visualisation import deconvnet, feature_maps
from tests.minidnn.visualisation.networks import images, network

TORCH = "tests.minidnn.visualisation.deconvnet_in_torch"


def test_a_unit_of_the_first_layer_shows_its_filter() -> None:
    """Its activation times the filter, at the patch that it saw; the bias has no part."""
    model = nn.Sequential(nn.Conv2d(3, 4, (3, 2), stride=2, dilation=(2, 1)), nn.ReLU()).double()
    x = images(2)
    maps = feature_maps(model, x, "1")
    found = deconvnet(model, x, "1", 3)
    for image in range(2):
        row, column = np.unravel_index(maps[image, 3].argmax(), maps[image, 3].shape)
        want = np.zeros_like(x[image])
        patch = want[:, 2 * row : 2 * row + 5 : 2, 2 * column : 2 * column + 2]
        patch += maps[image, 3, row, column] * model[0].weight.detach().numpy()[3]
        np.testing.assert_allclose(found[image], want, atol=1e-12)


def test_without_overlap_unpooling_is_max_unpool2d() -> None:
    model, x = nn.Sequential(nn.MaxPool2d(2)), images(1)
    _, indices = minidnn.functional.max_pool2d(x, 2, return_indices=True)
    alone = np.zeros_like(indices.numpy(), dtype=np.float64)
    alone[0, 1, 4, 7] = max(feature_maps(model, x, "0")[0, 1, 4, 7], 0)
    want = max_unpool2d(alone, indices, 2, output_size=x.shape[2:]).numpy()
    np.testing.assert_array_equal(deconvnet(model, x, "0", 1, [(4, 7)]), want)
    assert want.any()


def test_only_what_is_positive_comes_down() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(2, 1, 1)).double()
    with minidnn.no_grad():
        model[0].weight.data = np.array([[1.0, 0, 0], [0, 1, 0]]).reshape(2, 3, 1, 1)
        model[2].weight.data = np.array([2.0, -3.0]).reshape(1, 2, 1, 1)
        for convolution in (model[0], model[2]):
            convolution.bias.data = np.zeros_like(convolution.bias.data)
    x = np.ones((1, 3, 1, 1))
    assert deconvnet(model, x, "2", 0).ravel().tolist() == [0, 0, 0]  # the unit itself is at 2 - 3
    x[0, 1] = 0.5
    assert deconvnet(model, x, "2", 0).ravel().tolist() == [1, 0, 0]  # 0.5 through 2, and not through -3


@pytest.mark.parametrize("layer", range(7))
@pytest.mark.parametrize("chosen", [False, True], ids=["strongest", "chosen"])
def test_against_pytorch(layer: int, chosen: bool) -> None:
    in_torch = pytest.importorskip(TORCH, exc_type=ImportError)
    from tests.minidnn.visualisation.in_torch import torch, twin

    model, x = network(), images(3, seed=layer)
    positions = [(1, 2), (0, 0), (2, 1)] if chosen else None
    want = in_torch.projection(list(twin(model))[: layer + 1], torch.from_numpy(x), 5, positions)
    found = deconvnet(model, x, str(layer), 5, positions)
    np.testing.assert_allclose(found, want.numpy(), rtol=1e-9, atol=1e-12)
    assert found.any()


def in_torch_layers(name: str, model: nn.Module) -> list[Any]:
    """The layers before the fully connected ones, with our weights."""
    from tests.minidnn.visualisation.in_torch import state_of, torch
    from tests.reference.catalogue import torchvision_models

    if name == "alexnet":
        copy = torchvision_models().alexnet(weights=None).features
        copy.load_state_dict(state_of(model.features))
        return list(copy)
    layers = torch.nn
    made: list[Any] = []
    for convolution in (model.conv1, model.conv2, model.conv3, model.conv4, model.conv5):
        twin = layers.Conv2d(
            convolution.in_channels,
            convolution.out_channels,
            convolution.kernel_size,
            convolution.stride,
            convolution.padding,
        )
        twin.load_state_dict(state_of(convolution))
        made += [twin, layers.ReLU()]
        if len(made) in (2, 6):
            made += [layers.LocalResponseNorm(5, 1e-4, 0.75, 2.0), layers.MaxPool2d(3, 2, ceil_mode=True)]
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "layer", "depth"), [("zfnet", 224, "conv5", 13), ("alexnet", 96, "features.9", 10)]
)
def test_the_paper_s_networks(name: str, size: int, layer: str, depth: int) -> None:
    in_torch = pytest.importorskip(TORCH, exc_type=ImportError)
    minidnn.manual_seed(1)
    model = models.create(name, num_classes=2)
    x = np.random.default_rng(2).random((1, 3, size, size), dtype=np.float32)
    with in_torch.torch.no_grad():
        pixels = in_torch.torch.from_numpy(x)
        want = in_torch.projection(in_torch_layers(name, model)[:depth], pixels, 17, None).numpy()
    found = deconvnet(model, x, layer, 17)
    assert np.abs(found).max() > 0
    np.testing.assert_allclose(found, want, atol=2e-5 * np.abs(want).max())


class Joined(nn.Module):
    """Adds two ways, and has a layer that the image does not reach."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.last = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1), nn.ReLU()
        self.aside = nn.ReLU()

    def forward(self, x: minidnn.Tensor) -> minidnn.Tensor:
        self.aside(self.one.weight * 1)
        return self.last(self.one(x) + self.other(x))


def test_what_is_wrong_is_said() -> None:
    x = images()
    with pytest.raises(ValueError, match="one after the other; on the way to 'last' there is Add"):
        deconvnet(Joined().double(), x, "last", 0)
    with pytest.raises(ValueError, match="layer must depend on the image, this one's output does not"):
        deconvnet(Joined().double(), x, "aside", 0)
    with pytest.raises(ValueError, match="channel must be below 8, the channels of '5', got 8"):
        deconvnet(network(), x, "5", 8)
    with pytest.raises(ValueError, match=r"positions must have shape \(3, 2\), got \(2,\)"):
        deconvnet(network(), x, "5", 0, [1, 2])
    with pytest.raises(ValueError, match=r"positions must lie in maps of 6x7, got \[\[6, 0\]\]"):
        deconvnet(network(), x[0], "5", 0, [(6, 0)])
    with pytest.raises(TypeError, match="positions must be integers, got dtype float64"):
        deconvnet(network(), x[0], "5", 0, [(0.5, 0)])
