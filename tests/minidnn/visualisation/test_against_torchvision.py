"""Saliency and Grad-CAM of ResNet-18 beside torchvision's, with the same weights."""

from __future__ import annotations

import numpy as np
import pytest

import minidnn
import models
from minidnn import visualisation

pytestmark = pytest.mark.reference


def test_resnet18() -> None:
    in_torch = pytest.importorskip("tests.minidnn.visualisation.in_torch", exc_type=ImportError)
    from tests.reference.catalogue import torchvision_models

    minidnn.manual_seed(7)
    model = models.create("resnet18", num_classes=4).double().eval()
    try:
        copy = torchvision_models().resnet18(num_classes=4).double().eval()
    except ImportError as missing:
        pytest.skip(str(missing))
    copy.load_state_dict(in_torch.state_of(model))
    x = np.random.default_rng(8).random((2, 3, 64, 72))
    pixels = in_torch.torch.from_numpy(x).requires_grad_()
    kept = []
    copy.layer4.register_forward_hook(lambda module, inputs, output: kept.append(output))
    scores = copy(pixels)
    kept[0].retain_grad()
    scores[0, 3].backward(retain_graph=True)
    scores[1, 1].backward()
    want = pixels.grad.abs().amax(1).numpy()
    np.testing.assert_allclose(
        visualisation.saliency(model, x, [3, 1]), want, rtol=1e-7, atol=1e-10 * want.max()
    )
    maps, gradient = kept[0].detach(), kept[0].grad
    want = (gradient.mean((2, 3), keepdim=True) * maps).sum(1).clamp(min=0).numpy()
    found = visualisation.grad_cam(model, x, "layer4", [3, 1])
    assert found.shape == (2, 2, 3)
    np.testing.assert_allclose(found, want, rtol=1e-7, atol=1e-10 * want.max())
