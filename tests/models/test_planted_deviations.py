"""The check against the references finds the mistakes that such networks are built with.

Every family's model is changed in one place, as a wrong reading of the paper would; its parameters keep the
values of the rule. What `test_references.py` asserts must then fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minidnn import nn
from minidnn.nn import Module
from models.registry import names
from tests.reference import bounds, digest
from tests.reference.catalogue import references
from tests.reference.make import load


@dataclass(frozen=True)
class Deviation:
    """A mistake.

    Attributes:
        model: whose.
        what: in words.
        plant: changes our model, in place.
    """

    model: str
    what: str
    plant: Callable[[Module], None]

    def __str__(self) -> str:
        return f"{self.model}: {self.what}"


# ---- mistakes --------------------------------------------------------------------------------------


def replaced(path: str, module: Module) -> Callable[[Module], None]:
    """Another module at `path`."""

    def plant(model: Module) -> None:
        parent, _, name = path.rpartition(".")
        model.get_submodule(path)  # it must be there
        setattr(model.get_submodule(parent), name, module)

    return plant


def without(path: str) -> Callable[[Module], None]:
    """No module at `path`."""
    return replaced(path, nn.Identity())


def with_attribute(path: str, name: str, value: Any) -> Callable[[Module], None]:
    """Another number in a module."""

    def plant(model: Module) -> None:
        module = model.get_submodule(path)
        assert getattr(module, name) != value
        setattr(module, name, value)

    return plant


def stride_on(right: str, wrong: str) -> Callable[[Module], None]:
    """The stride of one convolution moved to another."""

    def plant(model: Module) -> None:
        right_one: Any = model.get_submodule(right)
        wrong_one: Any = model.get_submodule(wrong)
        assert right_one.stride != wrong_one.stride
        right_one.stride, wrong_one.stride = wrong_one.stride, right_one.stride

    return plant


def three_for_five(path: str) -> Callable[[Module], None]:
    """A 3x3 kernel where the paper has 5x5."""

    def plant(model: Module) -> None:
        convolution: Any = model.get_submodule(path)
        assert convolution.kernel_size == (5, 5)
        convolution.weight = nn.Parameter(convolution.weight.numpy()[:, :, 1:4, 1:4].copy())
        convolution.kernel_size, convolution.padding = (3, 3), (1, 1)

    return plant


def biased_variance(model: Module) -> None:
    """The batch's biased variance in the running average."""

    def hook(module: Any, inputs: Any, output: Any) -> None:
        if module.training:
            count = inputs[0].data.size // module.num_features
            module.running_var.data[...] *= (count - 1) / count

    normalisations = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert normalisations
    for module in normalisations:
        module.register_forward_hook(hook)


def symmetric_padding(model: Module) -> None:
    """PyTorch's padding at stride 2 where TensorFlow's is asymmetric."""
    planted = 0
    for module in model.modules():
        if type(module).__name__ == "SameConv2d" and module.stride != (1, 1):
            module.__class__ = nn.Conv2d
            module.padding = tuple((size - 1) // 2 for size in module.kernel_size)
            planted += 1
    assert planted


def asymmetric_padding(path: str) -> Callable[[Module], None]:
    """TensorFlow's padding of an even map at stride 2 where PyTorch's is symmetric."""

    def plant(model: Module) -> None:
        convolution: Any = model.get_submodule(path)
        assert convolution.stride == (2, 2)
        assert convolution.padding == (1, 1)
        convolution.padding = ((0, 1), (0, 1))

    return plant


def halved_squeeze(path: str) -> Callable[[Module], None]:
    """A squeeze-and-excitation block with half of the channels inside, those it shares with the right one."""

    def plant(model: Module) -> None:
        block: Any = model.get_submodule(path)
        half = block.fc1.out_channels // 2
        assert half > 0
        for layer, name, part in (
            (block.fc1, "weight", np.s_[:half]),
            (block.fc1, "bias", np.s_[:half]),
            (block.fc2, "weight", np.s_[:, :half]),
        ):
            setattr(layer, name, nn.Parameter(getattr(layer, name).numpy()[part].copy()))

    return plant


def shared_filters(path: str) -> Callable[[Module], None]:
    """A convolution where every place has filters of its own."""

    def plant(model: Module) -> None:
        weight = model.get_submodule(path).weight.data  # (OH, OW, out, in, KH, KW)
        weight[...] = weight[:1, :1]

    return plant


DEVIATIONS = [
    Deviation("lenet5", "maximum for average pooling", replaced("s2", nn.MaxPool2d(2))),
    Deviation("lenet5_paper", "tanh for the scaled tanh", replaced("activation", nn.Tanh())),
    Deviation("lenet_dlib", "average for maximum pooling", replaced("pool2", nn.AvgPool2d(2))),
    Deviation("dlib_inception", "3x3 for the 5x5 branch", three_for_five("incept_a.a3.1.conv")),
    Deviation("alexnet_paper", "sum for mean in the response norm", with_attribute("norm", "alpha", 1e-4)),
    Deviation("zfnet", "another constant in the response norm", with_attribute("norm", "k", 1.0)),
    Deviation("nin_cifar10", "a missing ReLU", without("features.0.3")),
    Deviation("vgg11_lrn", "a missing ReLU", without("features.1")),
    Deviation("vgg16_bn", "biased variance", biased_variance),
    Deviation("squeezenet1_1", "a missing ReLU", without("features.3.relu")),
    Deviation("deepface", "shared filters", shared_filters("l4")),
    Deviation("googlenet", "3x3 for the 5x5 branch", three_for_five("inception3a.branch3.1.conv")),
    Deviation("googlenet_d2l", "3x3 for the 5x5 branch", three_for_five("inception5b.branch3.1.conv")),
    Deviation("googlenet_bn", "biased variance", biased_variance),
    Deviation("inception_v2", "biased variance", biased_variance),
    Deviation("inception_v3", "biased variance", biased_variance),
    Deviation("inception_v4", "a missing ReLU", without("features.1.relu")),
    Deviation("inception_resnet_v1", "biased variance", biased_variance),
    Deviation("inception_resnet_v2", "a factor on the last residual", with_attribute("block8", "scale", 0.2)),
    Deviation("inception_naive", "3x3 for the 5x5 branch", three_for_five("inception.branch3.conv")),
    Deviation("inceptionnet_three_towers", "3x3 for 5x5", three_for_five("towers.tower2.1.conv")),
    Deviation("inceptionnet_with_heads", "symmetric padding", symmetric_padding),
    Deviation("resnet50", "stride on the wrong convolution", stride_on("layer2.0.conv2", "layer2.0.conv1")),
    Deviation("resnet18", "a missing ReLU", without("layer4.1.relu")),
    Deviation("resnet18", "biased variance", biased_variance),
    Deviation("plain18", "a shortcut", with_attribute("layer1.0", "residual", True)),
    Deviation("resnext50_32x4d", "stride on the wrong one", stride_on("layer3.0.conv2", "layer3.0.conv1")),
    Deviation("resnet20", "biased variance", biased_variance),
    Deviation("preresnet18", "biased variance", biased_variance),
    Deviation("preresnet50", "moved stride", stride_on("layer2.0.branch.conv1", "layer2.0.branch.conv2")),
    Deviation("preresnet50", "a raw projection", with_attribute("layer2.0", "shares_activation", False)),
    Deviation("preresnet110", "biased variance", biased_variance),
    Deviation("preresnet110", "a raw first shortcut", with_attribute("layer1.0", "shares_activation", False)),
    Deviation("densenet121", "a missing ReLU", without("features.denseblock1.denselayer1.relu2")),
    Deviation("xception", "a missing ReLU", without("block2.rep.0")),
    Deviation("mixnet_s", "a missing ReLU", without("blocks.0.0.act")),
    Deviation("mixnet_s", "a wrong squeeze ratio", halved_squeeze("blocks.2.0.se")),
    Deviation("mobilenet_v1", "symmetric padding", symmetric_padding),
    Deviation("mobilenet_v1", "ReLU for ReLU6", replaced("features.13.1.2", nn.ReLU())),
    Deviation("mobilenet_v2", "ReLU for ReLU6", replaced("features.18.2", nn.ReLU())),
    Deviation("mobilenet_v3_small", "SiLU for its cheap form", replaced("features.0.2", nn.SiLU())),
    Deviation("mobilenet_v3_small", "a wrong squeeze ratio", halved_squeeze("features.4.block.2")),
    Deviation("efficientnet_b0", "a wrong squeeze ratio", halved_squeeze("features.2.0.block.2")),
    Deviation("efficientnet_b0", "asymmetric padding", asymmetric_padding("features.0.0")),
    Deviation("efficientnet_b0", "biased variance", biased_variance),
    Deviation("shufflenet_v2_x1_0", "a missing ReLU", without("stage2.0.branch2.2")),
    Deviation("yolo_v1_classifier", "a slope of 0.01", with_attribute("features.1", "negative_slope", 0.01)),
]


def each_deviation() -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "deviation",
        [
            pytest.param(
                deviation,
                marks=[pytest.mark.slow] if references()[deviation.model].slow else [],
                id=str(deviation),
            )
            for deviation in DEVIATIONS
        ],
    )


@each_deviation()
def test_a_planted_deviation_is_found(deviation: Deviation) -> None:
    reference = references()[deviation.model]
    want, _ = load(reference)
    our = digest.ours(reference)
    deviation.plant(our.model)
    with np.errstate(all="ignore"):
        got = digest.digest(our, reference, reference.shape, reference.training_shape)
    assert bounds.complaints(bounds.errors(got, want), our.names())


def test_every_family_has_one() -> None:
    """Families are the files of models/."""
    from models.registry import entry

    families = {entry(name).builder.__module__ for name in names()}
    assert families == {entry(deviation.model).builder.__module__ for deviation in DEVIATIONS}
