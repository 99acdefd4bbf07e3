"""Pre-activation ResNets: the five unit designs, the identity, the paper's tables, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import models
from minidnn import Tensor, init
from minidnn.nn import Conv2d, Identity
from models.preresnet import DESIGNS, CifarPreResNet, PreResNet, ResidualUnit
from tests.models.shapes import output_shapes
from tests.reference import bounds, digest
from tests.reference.catalogue import Reference

# The order of what figure 4 draws along the residual path, the addition between.
ORDERS = {
    "original": "conv bn relu conv bn + relu",
    "bn_after_addition": "conv bn relu conv + bn relu",
    "relu_before_addition": "conv bn relu conv bn relu +",
    "relu_only_preactivation": "relu conv bn relu conv bn +",
    "full_preactivation": "bn relu conv bn relu conv +",
}


def torch_reference(blocks: int, bottleneck: bool, design: str) -> Any:
    from tests.reference.torch_references.preresnet import CifarPreResNet

    return CifarPreResNet(blocks, bottleneck, design)


@pytest.mark.reference
@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_against_pytorch(design: str, bottleneck: bool) -> None:
    pytest.importorskip("torch")
    reference = Reference(
        f"{design}, {'bottleneck' if bottleneck else 'basic'} units",
        partial(torch_reference, 2, bottleneck, design),
        "torch.nn from He et al. 2016, figure 4 and appendix",
        parameters=0,
        shape=(2, 3, 9, 8),
        training_shape=(4, 3, 8, 9),
        stages=("layer1", "layer2", "layer3"),
    )
    depth = 20 if bottleneck else 14
    our = digest.Ours(CifarPreResNet(depth, bottleneck, unit=design).double())
    our.fill(reference)
    their = digest.theirs(reference)
    assert not bounds.key_complaints(our, their)
    want = digest.digest(their, reference, reference.shape, reference.training_shape)
    got = digest.digest(our, reference, reference.shape, reference.training_shape)
    assert not bounds.complaints(bounds.errors(got, want), our.names())


@pytest.mark.parametrize("design", DESIGNS)
def test_the_order_is_the_figures(design: str) -> None:
    unit = ResidualUnit(4, 4, 1, DESIGNS[design], False, Identity(), False)
    names = {"Conv2d": "conv", "BatchNorm2d": "bn", "ReLU": "relu"}
    path = [[names[type(step).__name__] for step in part] for part in (unit.before, unit.branch, unit.after)]
    assert " ".join([*path[0], *path[1], "+", *path[2]]) == ORDERS[design]


@pytest.mark.parametrize("bottleneck", [False, True])
def test_unit_with_zero_weights_is_the_identity(bottleneck: bool) -> None:
    """Of anything, negative numbers too: nothing stands on the way from unit to unit."""
    unit = ResidualUnit(8, 8, 1, DESIGNS["full_preactivation"], bottleneck, Identity(), False).double()
    for part in unit.modules():
        if isinstance(part, Conv2d):
            init.zeros_(part.weight)
    generator = np.random.default_rng(5)
    x = Tensor(generator.normal(size=(2, 8, 4, 5)), requires_grad=True)
    y = unit(x)
    np.testing.assert_array_equal(y.data, x.data)
    upstream = generator.normal(size=x.shape)
    y.backward(Tensor(upstream))
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.data, upstream)


def test_stages_are_the_tables() -> None:
    shapes = output_shapes(models.preresnet18(), (1, 3, 96, 64))
    assert shapes["maxpool"] == (64, 24, 16)
    assert shapes["layer4"] == (512, 3, 2)
    shapes = output_shapes(models.preresnet164(), (1, 3, 16, 8))
    assert [shapes[f"layer{stage}"] for stage in (1, 2, 3)] == [(64, 16, 8), (128, 8, 4), (256, 4, 2)]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("preresnet18", 18),
        ("preresnet50", 50),
        ("preresnet110", 110),
        ("preresnet164", 164),
        ("preresnet1001", 1001),
    ],
)
def test_layers_with_weights_give_the_name(name: str, layers: int) -> None:
    weights = [
        path
        for path, parameter in models.create(name).named_parameters()
        if parameter.ndim > 1 and "shortcut" not in path
    ]
    assert len(weights) == layers


@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_builds_for_imagenet_with_other_classes_and_channels(design: str) -> None:
    for bottleneck in (False, True):
        model = PreResNet((1, 1, 1, 1), bottleneck, num_classes=3, in_channels=1, unit=design)
        assert output_shapes(model, (2, 1, 33, 40))[""] == (3,)


def test_unknown_designs_are_refused() -> None:
    with pytest.raises(ValueError, match="unit must be one of original, .*, got 'post'"):
        models.preresnet110(unit="post")


@pytest.mark.parametrize(("depth", "bottleneck", "layers"), [(21, False, 6), (2, False, 6), (111, True, 9)])
def test_depths_that_do_not_make_three_stages_are_refused(depth: int, bottleneck: bool, layers: int) -> None:
    with pytest.raises(ValueError, match=f"depth must be {layers}n \\+ 2 for an n above 0, got {depth}"):
        CifarPreResNet(depth, bottleneck)
