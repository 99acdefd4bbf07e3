"""The recorded shapes: the committed table is what the models do, and batches scale it."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
import minidnn
from benchmarks import shapes
from benchmarks.arguments import ArraySpec
from kernels.conv2d import conv2d_forward_prepared, conv2d_prepare_weight
from kernels.window import Window
from minidnn import functional, nn


class Twice(nn.Module):
    """Two equal convolutions and another, a sum and a dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 2, 3, padding=1)
        self.third = nn.Conv2d(2, 4, (1, 2), stride=(2, 1))
        self.drop = nn.Dropout(0.25)

    def forward(self, x: minidnn.Tensor) -> minidnn.Tensor:
        y = functional.relu(self.second(self.first(x)) + x)
        return self.third(self.drop(y))


def test_calls_are_counted_with_the_module_that_makes_them_first() -> None:
    model = Twice().eval()
    with shapes.recording(model) as recorder, minidnn.no_grad():
        model(minidnn.Tensor(np.zeros((1, 2, 5, 4), np.float32)))
    rows = shapes._rows("twice", "inference", recorder)
    assert [(row.layer, row.operation, row.multiplicity) for row in rows] == [
        ("first", "conv2d_forward", 2),
        ("", "add", 1),
        ("", "relu_forward", 1),
        ("third", "conv2d_forward", 1),
    ]
    x, weight, bias, window, groups = rows[0].arguments
    assert (x.shape, weight.shape, bias.shape, groups) == ((1, 2, 5, 4), (2, 2, 3, 3), (2,), 1)
    assert window == Window.of(3, 1, 1)


def test_of_training_only_its_own_calls_are_kept() -> None:
    model = Twice().train()
    with shapes.recording(model) as recorder, minidnn.no_grad():
        model(minidnn.Tensor(np.zeros((1, 2, 5, 4), np.float32)))
    (row,) = shapes._rows("twice", "training", recorder)
    assert (row.operation, row.layer) == ("dropout_forward", "drop")
    assert row.arguments == (ArraySpec((1, 2, 5, 4)), 0.25, 0)


def test_recording_leaves_results_and_the_registry_as_they_were() -> None:
    model = Twice().eval()
    x = minidnn.Tensor(np.random.default_rng(0).standard_normal((2, 2, 5, 4)).astype(np.float32))
    table = kernels.registry.table()
    with minidnn.no_grad():
        before = model(x).numpy()
        with shapes.recording(model):
            during = model(x).numpy()
    assert np.array_equal(before, during)
    assert kernels.registry.table() == table
    assert not model.first._forward_hooks
    assert not model.first._forward_pre_hooks


def test_batches_scale_activations_but_not_weights() -> None:
    conv = next(row for row in shapes.of_network("resnet18") if row.operation == "conv2d_forward")
    x, weight, _, window, groups = conv.arguments_for(8)
    assert (x.shape, weight.shape) == ((8, 3, 224, 224), (64, 3, 7, 7))
    assert (window, groups) == conv.arguments[3:]
    concat = next(row for row in shapes.of_network("googlenet_bn") if row.operation == "concat_forward")
    assert {array.shape[0] for array in concat.arguments_for(8)[0]} == {8}


def test_the_table_is_read_as_it_was_written(tmp_path) -> None:
    rows = shapes.of_network("mobilenet_v2")
    shapes.write(rows, tmp_path / "shapes.csv")
    assert shapes.read(tmp_path / "shapes.csv") == rows


@pytest.mark.parametrize("network", ["squeezenet1_1", "mobilenet_v2"])
def test_the_committed_table_is_what_the_models_do(network: str) -> None:
    assert shapes.record(network) == shapes.of_network(network)


@pytest.mark.slow
@pytest.mark.parametrize("network", [*shapes.NETWORKS, *shapes.ALSO])
def test_the_committed_table_is_what_all_models_do(network: str) -> None:
    assert shapes.record(network) == shapes.of_network(network)


def test_the_table_holds_what_is_known_of_the_networks() -> None:
    """By hand: VGG-16 has 13 convolutions and 3 fully connected layers, ResNet-50 has 53 and 1."""

    def count(network: str, operation: str) -> int:
        rows = shapes.of_network(network)
        return sum(row.multiplicity for row in rows if row.operation == operation and row.mode == "inference")

    assert (count("vgg16", "conv2d_forward"), count("vgg16", "linear_forward")) == (13, 3)
    assert (count("resnet50", "conv2d_forward"), count("resnet50", "linear_forward")) == (53, 1)
    assert count("mobilenet_v1", "depthwise_conv2d_forward") == 13
    assert count("resnet50", "add") == 16


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(ValueError, match="network 'lenet' is not in the table of shapes; it has: alexnet"):
        shapes.of_network("lenet")


def test_a_call_on_a_prepared_weight_is_recorded_as_the_plain_one() -> None:
    window = Window.of(3, 1, 1)
    x, weight = np.ones((1, 2, 5, 4), np.float32), np.ones((3, 2, 3, 3), np.float32)
    with shapes.noting() as recorder:
        prepared = conv2d_prepare_weight(weight, x.shape, window, 1)
        conv2d_forward_prepared(x, prepared, None, window, 1, None)
    (call,) = recorder.calls
    assert call == ("", "conv2d_forward", (ArraySpec(x.shape), ArraySpec(weight.shape), None, window, 1))
