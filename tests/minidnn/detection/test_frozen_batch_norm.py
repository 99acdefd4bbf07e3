"""Frozen batch norm: by its formula, as the batch norm it came from, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minidnn import Tensor, nn
from minidnn.detection import FrozenBatchNorm2d, freeze_batch_norms
from tests.kernels.sample import Draw

NAMES = ("weight", "bias", "running_mean", "running_var")


def filled(layer: nn.Module, seed: int = 0) -> nn.Module:
    draw = Draw(seed)
    for name in NAMES:
        getattr(layer, name).data[...] = draw.uniform(3, low=0.5, high=2.0)
    return layer.double()


def test_by_hand() -> None:
    layer = FrozenBatchNorm2d(1, eps=0.0)
    for name, value in zip(NAMES, (3.0, 1.0, 2.0, 4.0), strict=True):
        getattr(layer, name).data[...] = value
    y = layer(np.array([[[[2.0, 4.0]]]], np.float32))
    np.testing.assert_array_equal(y.numpy(), [[[[1.0, 4.0]]]])
    assert y.dtype == np.float32
    assert list(layer.parameters()) == []
    assert list(layer.state_dict()) == list(NAMES)


def test_freezing_keeps_what_a_network_computes() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(filled(nn.BatchNorm2d(3)), nn.ReLU())).double()
    x = Draw(1).normal(2, 3, 4, 5)
    want = model.eval()(x).numpy()
    freeze_batch_norms(model)
    np.testing.assert_allclose(model.train()(x).numpy(), want, rtol=1e-12, atol=1e-12)
    assert list(model.state_dict()) == ["0.weight", "0.bias", *(f"1.0.{name}" for name in NAMES)]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    freeze_batch_norms(model)  # nothing is left to freeze
    assert repr(model[1][0]) == "FrozenBatchNorm2d(3, eps=1e-05)"


def test_another_eps() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3))
    freeze_batch_norms(model, eps=0.0)
    assert model[0].eps == 0


def test_the_gradient_is_scaled() -> None:
    layer = filled(FrozenBatchNorm2d(3))
    x, upstream = Tensor(Draw(2).normal(2, 3, 4, 5), requires_grad=True), Draw(3).normal(2, 3, 4, 5)
    layer(x).backward(upstream)
    scale = layer.weight.data / np.sqrt(layer.running_var.data + 1e-5)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), upstream * scale[:, None, None], rtol=1e-12)


def test_refuses() -> None:
    with pytest.raises(ValueError, match=re.escape("x must have shape (N, 3, H, W), got (2, 4, 5, 5)")):
        FrozenBatchNorm2d(3)(np.zeros((2, 4, 5, 5), np.float32))
    with pytest.raises(ValueError, match="eps"):
        FrozenBatchNorm2d(3, eps=-1.0)
    model = nn.Sequential(nn.BatchNorm2d(2, affine=False))
    with pytest.raises(ValueError, match="model must have batch norms with a weight, got 0 without"):
        freeze_batch_norms(model)


@pytest.mark.reference
@pytest.mark.parametrize("eps", [0.0, 1e-5])
def test_equals_torchvisions(eps: float) -> None:
    torch = pytest.importorskip("torch")
    from tests.kernels.regions import operators

    operators()
    from torchvision.ops.misc import FrozenBatchNorm2d as Theirs

    ours, theirs, x = filled(FrozenBatchNorm2d(3, eps)), Theirs(3, eps).double(), Draw(4).normal(2, 3, 4, 5)
    theirs.load_state_dict(
        {name: torch.from_numpy(t.numpy().copy()) for name, t in ours.state_dict().items()}
    )
    np.testing.assert_allclose(ours(x).numpy(), theirs(torch.from_numpy(x)), rtol=1e-12, atol=1e-12)
