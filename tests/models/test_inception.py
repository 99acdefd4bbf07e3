"""Inception v2 to v4, Inception-ResNet and Xception: the papers' tables, the heads, the key maps."""

from __future__ import annotations

import numpy as np
import pytest

import models
from minidnn import Tensor, init
from minidnn.nn import Conv2d, Module
from models.inception_resnet import InceptionResNetV1, pytorchcv_key, residual_a, residual_b, residual_c
from models.inception_v3 import InceptionOutputs
from models.xception import Block, SeparableConv2d
from tests.models.shapes import output_shapes

# The papers' output sizes for their images, of 224 rows for v2 and 299 for the others: channels and rows.
TABLES = {
    "inception_v2": {
        "conv1": (64, 112),
        "maxpool1": (64, 56),
        "conv3": (192, 56),
        "maxpool2": (192, 28),
        "inception3a": (256, 28),
        "inception3b": (320, 28),
        "inception3c": (576, 14),
        "inception4a": (576, 14),
        "inception4b": (576, 14),
        "inception4c": (576, 14),
        "inception4d": (576, 14),
        "inception4e": (1024, 7),
        "inception5a": (1024, 7),
        "inception5b": (1024, 7),
    },
    "inception_v3": {
        "Conv2d_1a_3x3": (32, 149),
        "Conv2d_2a_3x3": (32, 147),
        "Conv2d_2b_3x3": (64, 147),
        "maxpool1": (64, 73),
        "Conv2d_3b_1x1": (80, 73),
        "Conv2d_4a_3x3": (192, 71),
        "maxpool2": (192, 35),
        "Mixed_5d": (288, 35),
        "Mixed_6a": (768, 17),
        "Mixed_6e": (768, 17),
        "Mixed_7a": (1280, 8),
        "Mixed_7c": (2048, 8),
    },
    "inception_v4": {
        "features.2": (64, 147),
        "features.3": (160, 73),
        "features.4": (192, 71),
        "features.5": (384, 35),
        "features.9": (384, 35),
        "features.10": (1024, 17),
        "features.17": (1024, 17),
        "features.18": (1536, 8),
        "features.21": (1536, 8),
    },
    "inception_resnet_v1": {
        "conv2d_4a": (192, 71),
        "conv2d_4b": (256, 35),
        "repeat": (256, 35),
        "mixed_6a": (896, 17),
        "repeat_1": (896, 17),
        "mixed_7a": (1792, 8),
        "block8": (1792, 8),
    },
    "inception_resnet_v2": {
        "conv2d_4a": (192, 71),
        "mixed_5b": (320, 35),
        "mixed_6a": (1088, 17),
        "mixed_7a": (2080, 8),
        "conv2d_7b": (1536, 8),
    },
    "xception": {
        "conv1": (32, 149),
        "conv2": (64, 147),
        "block1": (128, 74),
        "block2": (256, 37),
        "block3": (728, 19),
        "block11": (728, 19),
        "block12": (1024, 10),
        "conv3": (1536, 10),
        "conv4": (2048, 10),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_maps_are_the_tables(name: str) -> None:
    size = 224 if name == "inception_v2" else 299
    shapes = output_shapes(models.create(name), (1, 3, size, size))
    wanted = {path: (channels, rows, rows) for path, (channels, rows) in TABLES[name].items()}
    assert {path: shapes[path] for path in wanted} == wanted


@pytest.mark.parametrize("name", TABLES)
def test_other_classes_and_channels(name: str) -> None:
    model = models.create(name, num_classes=3, in_channels=1)
    assert output_shapes(model, (2, 1, 75, 80))[""] == (3,)


def test_v3_without_its_head() -> None:
    model = models.inception_v3(aux_logits=False)
    assert sum(parameter.data.size for parameter in model.parameters()) == 23_834_568
    assert not [key for key in model.state_dict() if key.startswith("AuxLogits")]
    assert model(images(2, 3, 75, 91)).shape == (2, 1000)


@pytest.mark.slow
def test_v3s_head_speaks_in_training_only() -> None:
    model = models.inception_v3(num_classes=4, dropout=0.1)
    out = model(images(2, 3, 299, 299))
    assert isinstance(out, InceptionOutputs)
    assert out._fields == ("logits", "aux_logits")
    assert [logits.shape for logits in out] == [(2, 4)] * 2
    assert model.eval()(images(1, 3, 75, 80)).shape == (1, 4)


def test_v3_factorises() -> None:
    """Two 3x3 for one 5x5 save 28 % of the weights, 1x3 and 3x1 for 3x3 a third."""
    model = models.inception_v3(aux_logits=False)
    kernels = [model.Mixed_6b.get_submodule(f"branch7x7dbl_{i}").conv.kernel_size for i in (2, 3, 4, 5)]
    assert kernels == [(7, 1), (1, 7), (7, 1), (1, 7)]
    pair = [model.Mixed_7b.get_submodule(f"branch3x3_2{side}").conv.weight.data[0, 0] for side in "ab"]
    assert sum(kernel.size for kernel in pair) == 6 == round(9 * (1 - 0.33))
    double = [model.Mixed_5b.get_submodule(f"branch3x3dbl_{i}").conv.weight.data[0, 0] for i in (2, 3)]
    assert sum(kernel.size for kernel in double) == 18 == 25 * (1 - 0.28)


@pytest.mark.parametrize(
    "module",
    [residual_a(12, 4, 5), residual_b(12, 4, 5, 6), residual_c(12, 4, 5), Block((12, 12, 12))],
)
def test_residual_module_with_zero_weights_is_the_identity(module: Module) -> None:
    for part in module.modules():
        if isinstance(part, Conv2d):
            init.zeros_(part.weight)
            if part.bias is not None:
                init.zeros_(part.bias)
    x = Tensor(np.abs(images(2, 12, 5, 4).data))
    np.testing.assert_array_equal(module(x).data, x.data)


def test_last_residual_module_has_neither_factor_nor_relu() -> None:
    for model in (models.inception_resnet_v1(), models.inception_resnet_v2()):
        assert (model.block8.scale, model.block8.activate) == (1.0, False)
        assert (model.repeat_2[-1].scale, model.repeat_2[-1].activate) == (0.2, True)


def test_separable_convolution_costs_one_part_in_n_plus_one_in_nine() -> None:
    separable = SeparableConv2d(512, 512)
    weights = sum(parameter.data.size for parameter in separable.parameters())
    assert weights / (512 * 512 * 9) == pytest.approx(1 / 512 + 1 / 9, rel=1e-12)


def test_xception_has_36_convolutions() -> None:
    """The paper counts 36 convolutional layers in 14 modules, without the shortcuts' projections."""
    model = models.xception()
    separable = [module for module in model.modules() if isinstance(module, SeparableConv2d)]
    assert len(separable) + len((model.conv1, model.conv2)) == 36
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    assert len(blocks) == 12
    assert [block.skip is not None for block in blocks] == [True] * 3 + [False] * 8 + [True]


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("features.init_block.conv2.bn.bias", "conv2d_2a.bn.bias"),
        (
            "features.stage1.unit5.branches.branch3.conv_list.conv2.conv.weight",
            "repeat.4.branch2.1.conv.weight",
        ),
        ("features.stage2.unit1.branches.branch1.conv_list.conv1.bn.weight", "mixed_6a.branch0.bn.weight"),
        ("features.stage2.unit4.branches.branch1.conv.bn.running_mean", "repeat_1.2.branch0.bn.running_mean"),
        ("features.stage3.unit1.branches.branch1.conv_list.conv1.bn.bias", "mixed_7a.branch0.0.bn.bias"),
        ("features.stage3.unit7.conv.weight", "block8.conv2d.weight"),
        ("output.bn.num_batches_tracked", "bottleneck_bn.num_batches_tracked"),
        ("output.fc2.bias", "classif.bias"),
    ],
)
def test_keys_from_pytorchcv(key: str, ours: str) -> None:
    assert pytorchcv_key(key) == ours
    assert ours in InceptionResNetV1(num_classes=1).state_dict()


@pytest.mark.parametrize("key", ["features.stage4.unit1.conv.weight", "fc.weight", "output.fc9.bias", ""])
def test_keys_that_pytorchcv_does_not_have(key: str) -> None:
    with pytest.raises(ValueError, match="key must be one of pytorchcv's inceptionresnetv1, got"):
        pytorchcv_key(key)


def images(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(5).normal(size=shape).astype(np.float32))
