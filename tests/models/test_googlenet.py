"""GoogLeNet and its relatives: the paper's table, the heads, the arguments."""

from __future__ import annotations

import numpy as np
import pytest

import models
from minidnn import Tensor
from minidnn.nn import Conv2d, Linear, Module
from models.googlenet import GoogLeNet, GoogLeNetOutputs, Inception
from models.inception_blocks import FromImageNetScale
from tests.models.shapes import output_shapes

# Szegedy et al. 2014, table 1, the column of output sizes: channels, rows and columns for 224x224.
TABLE = {
    "conv1": (64, 112, 112),
    "maxpool1": (64, 56, 56),
    "conv3": (192, 56, 56),
    "maxpool2": (192, 28, 28),
    "inception3a": (256, 28, 28),
    "inception3b": (480, 28, 28),
    "maxpool3": (480, 14, 14),
    "inception4a": (512, 14, 14),
    "inception4b": (512, 14, 14),
    "inception4c": (512, 14, 14),
    "inception4d": (528, 14, 14),
    "inception4e": (832, 14, 14),
    "maxpool4": (832, 7, 7),
    "inception5a": (832, 7, 7),
    "inception5b": (1024, 7, 7),
    "avgpool": (1024, 1, 1),
    "fc": (1000,),
}


def count(model: Module) -> int:
    return sum(parameter.data.size for parameter in model.parameters())


def images(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(5).normal(size=shape).astype(np.float32))


@pytest.mark.parametrize(
    "builder",
    [models.googlenet, models.googlenet_bn, models.googlenet_d2l, models.inceptionnet_with_heads],
)
def test_maps_are_the_tables(builder: type[GoogLeNet]) -> None:
    shapes = output_shapes(builder(num_classes=1000, in_channels=3), (1, 3, 224, 224))
    assert {name: shapes[name] for name in TABLE} == TABLE


def test_first_concatenation_has_256_channels() -> None:
    branches = output_shapes(models.googlenet().inception3a, (1, 192, 9, 7))
    channels = [branches[f"branch{i}"][0] for i in (1, 2, 3, 4)]
    assert channels == [64, 128, 32, 32]
    assert branches[""] == (256, 9, 7)


def test_22_layers_and_nine_modules() -> None:
    """The paper counts layers with weights along a path: the stem's three, two in each module, the last."""
    model = models.googlenet(aux_logits=False)
    modules = [module for module in model.modules() if isinstance(module, Inception)]
    assert len(modules) == 9
    outside = [
        path
        for path, module in model.named_modules()
        if isinstance(module, Conv2d | Linear) and "inception" not in path
    ]
    assert outside == ["conv1.conv", "conv2.conv", "conv3.conv", "fc"]
    depths = [
        max(sum(isinstance(part, Conv2d) for part in branch.modules()) for branch in module.children())
        for module in modules
    ]
    assert depths == [2] * 9
    assert len(outside) + sum(depths) == 22


def test_third_branch_is_5x5_as_published_and_3x3_in_torchvision() -> None:
    for model, size in ((models.googlenet(), 5), (models.googlenet_d2l(), 5), (models.googlenet_bn(), 3)):
        for name in ("inception3a", "inception4e", "inception5b"):
            branch = model.get_submodule(name).branch3
            assert branch[1].conv.kernel_size == (size, size)


def test_parameters_without_heads() -> None:
    assert count(models.googlenet(aux_logits=False)) == 6_998_552
    assert count(models.googlenet_bn(aux_logits=False)) == 6_624_904


def test_heads_speak_in_training_only() -> None:
    model = models.googlenet_bn(num_classes=5)
    out = model(images(2, 3, 32, 48))
    assert isinstance(out, GoogLeNetOutputs)
    assert out._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [logits.shape for logits in out] == [(2, 5)] * 3
    assert model.eval()(images(2, 3, 32, 48)).shape == (2, 5)
    without = models.googlenet_bn(num_classes=5, aux_logits=False)
    assert without.train()(images(2, 3, 32, 48)).shape == (2, 5)
    assert not [key for key in without.state_dict() if key.startswith("aux")]


def test_every_head_receives_gradients() -> None:
    model = models.googlenet_bn(num_classes=5)
    out = model(images(2, 3, 32, 32))
    models.auxiliary_loss(out, np.array([1, 4])).backward()
    for head in (model.fc, model.aux1.fc2, model.aux2.fc2):
        assert np.abs(head.weight.grad.data).max() > 0


def test_dropouts_are_the_papers() -> None:
    for model in (models.googlenet(), models.inceptionnet_with_heads()):
        assert (model.dropout.p, model.aux1.dropout.p, model.aux2.dropout.p) == (0.4, 0.7, 0.7)
    model = models.googlenet(num_classes=3, in_channels=1, dropout=0.1, dropout_aux=0.3)
    assert (model.dropout.p, model.aux1.dropout.p) == (0.1, 0.3)
    assert output_shapes(model, (2, 1, 65, 48))[""] == (3,)


def test_rescaled_images_are_in_minus_one_to_one() -> None:
    image = np.random.default_rng(2).uniform(size=(2, 3, 4, 5)).astype(np.float32)
    mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
    std = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)
    rescaled = FromImageNetScale()(Tensor((image - mean) / std))
    np.testing.assert_allclose(rescaled.data, 2 * image - 1, atol=1e-6)


@pytest.mark.parametrize("builder", [models.googlenet_bn, models.inception_v3])
def test_transform_input_rescales_and_adds_no_keys(builder: type[Module]) -> None:
    plain = builder(num_classes=3, aux_logits=False).eval()
    rescaling = builder(num_classes=3, aux_logits=False, transform_input=True).eval()
    rescaling.load_state_dict(plain.state_dict())
    x = images(1, 3, 75, 75)
    np.testing.assert_array_equal(rescaling(x).data, plain(FromImageNetScale()(x)).data)
    with pytest.raises(ValueError, match="transform_input needs images of 3 channels, got in_channels=1"):
        builder(in_channels=1, transform_input=True)


def test_naive_module_keeps_all_pooled_maps() -> None:
    model = models.inception_naive()
    assert output_shapes(model, (1, 192, 28, 28))["inception"] == (64 + 128 + 32 + 192, 28, 28)
    assert output_shapes(models.inception_naive(7, 3), (2, 3, 5, 8))[""] == (7,)


def test_three_towers() -> None:
    model = models.inceptionnet_three_towers()
    assert output_shapes(model, (1, 3, 32, 32))["towers"] == (192, 32, 32)
    other = models.inceptionnet_three_towers(num_classes=4, in_channels=1, input_size=(9, 7))
    assert output_shapes(other, (2, 1, 9, 7))[""] == (4,)


def test_keras_pads_odd_maps_on_all_sides() -> None:
    """ceil(H / 2) rows whatever H is, as TensorFlow's "same" gives."""
    shapes = output_shapes(models.inceptionnet_with_heads(), (1, 3, 101, 75))
    assert shapes["conv1"] == (64, 51, 38)
    assert shapes["maxpool1"] == (64, 26, 19)
    assert shapes["maxpool2"] == (192, 13, 10)


def test_dlibs_modules() -> None:
    shapes = output_shapes(models.dlib_inception(), (1, 1, 28, 28))
    assert [shapes[f"incept_a.a{i}"] for i in (1, 2, 3, 4)] == [(10, 28, 28)] * 4
    assert [shapes[f"incept_b.b{i}"] for i in (1, 2, 3)] == [(4, 14, 14)] * 3
    assert shapes["fc1"] == (32,)
    assert output_shapes(models.dlib_inception(3, 2), (2, 2, 28, 28))[""] == (3,)
