"""DenseNet: the paper's table, its dense connections, and dropout."""

from __future__ import annotations

import re

import numpy as np
import pytest

import models
from minidnn import Tensor
from models.densenet import DenseBlock, DenseLayer
from tests.models.shapes import output_shapes


def test_stages_are_the_tables() -> None:
    shapes = output_shapes(models.densenet121(), (1, 3, 96, 64))
    assert shapes["features.conv0"] == (64, 48, 32)
    blocks = [shapes[f"features.denseblock{block}"] for block in (1, 2, 3, 4)]
    assert blocks == [(256, 24, 16), (512, 12, 8), (1024, 6, 4), (1024, 3, 2)]
    transitions = [shapes[f"features.transition{block}"] for block in (1, 2, 3)]
    assert transitions == [(128, 12, 8), (256, 6, 4), (512, 3, 2)]


@pytest.mark.parametrize("name", ["densenet121", "densenet169", "densenet201"])
def test_layers_with_weights_give_the_name(name: str) -> None:
    weights = [path for path, parameter in models.create(name).named_parameters() if parameter.ndim > 1]
    assert len(weights) == int(name.removeprefix("densenet"))


def test_the_papers_largest_has_one_layer_more_than_its_name_says() -> None:
    """Table 1's column 264: blocks of 6, 12, 64 and 48 layers of two convolutions, three transitions."""
    layers = [layer for layer in models.densenet264().modules() if isinstance(layer, DenseLayer)]
    assert len(layers) == 6 + 12 + 64 + 48
    assert 1 + 2 * len(layers) + 3 + 1 == 265


def test_a_block_passes_on_all_that_it_saw() -> None:
    """x and each layer's output stand side by side; a layer sees those before it only."""
    block = DenseBlock(layers=3, in_channels=5, growth_rate=2, dropout=0.0).double().eval()
    x = Tensor(np.random.default_rng(1).normal(size=(2, 5, 4, 3)))
    y = block(x).data
    assert y.shape == (2, 11, 4, 3)
    np.testing.assert_array_equal(y[:, :5], x.data)
    for index in range(3):
        seen = Tensor(y[:, : 5 + 2 * index])
        layer = block.get_submodule(f"denselayer{index + 1}")
        np.testing.assert_array_equal(y[:, 5 + 2 * index : 7 + 2 * index], layer(seen).data)


def test_dropout_is_on_every_layers_output_in_training_only() -> None:
    layer = DenseLayer(in_channels=4, growth_rate=8, dropout=0.5).double()
    x = Tensor(np.random.default_rng(2).normal(size=(4, 4, 6, 6)))
    dropped = (layer(x).data == 0).mean()
    assert 0.4 < dropped < 0.6
    assert (layer.eval()(x).data == 0).mean() < 0.01
    assert {layer.dropout.p for layer in models.densenet121(dropout=0.2).features.denseblock2.children()} == {
        0.2
    }


def test_other_classes_and_channels() -> None:
    assert output_shapes(models.densenet121(num_classes=3, in_channels=1), (2, 1, 33, 40))[""] == (3,)


def test_the_dotted_names_of_torchvisions_published_files() -> None:
    """Those files say denselayer1.norm.1.weight and, being old, do not count batches."""
    model, other = models.DenseNet(4, (1, 2, 1, 1)), models.DenseNet(4, (1, 2, 1, 1))
    published = {
        re.sub(r"(denselayer\d)\.(norm|conv)(\d)", r"\1.\2.\3", name): value
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock2.denselayer2.conv.1.weight" in published
    assert "features.denseblock2.denselayer2.norm.2.running_var" in published
    assert other.load_state_dict(published) == ([], [])
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value.data, model.state_dict()[name].data)
    with pytest.raises(ValueError, match=r"lacks features.denseblock1.denselayer1.norm1.weight"):
        other.load_state_dict(
            {k: v for k, v in published.items() if "denseblock1.denselayer1.norm.1" not in k}
        )
