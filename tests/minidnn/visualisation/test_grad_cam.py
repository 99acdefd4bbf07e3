"""Grad-CAM against PyTorch's gradients, and where it must look."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, nn, visualisation
from tests.minidnn.visualisation.networks import images, network


@pytest.mark.parametrize("layer", [0, 3, 5, 6])
@pytest.mark.parametrize("classes", [None, [4, 0, 1]], ids=["predicted", "each"])
def test_against_pytorch(layer: int, classes: list[int] | None) -> None:
    in_torch = pytest.importorskip("tests.minidnn.visualisation.in_torch", exc_type=ImportError)
    model, x = network(), images()
    copy = in_torch.twin(model)
    maps = copy[: layer + 1](in_torch.torch.from_numpy(x)).requires_grad_()
    scores = copy[layer + 1 :](maps)
    chosen = scores.argmax(1) if classes is None else in_torch.torch.as_tensor(classes)
    scores.gather(1, chosen[:, None]).sum().backward()
    weights = maps.grad.mean((2, 3), keepdim=True)
    want = (weights * maps).sum(1).clamp(min=0).detach().numpy()
    assert want.any()
    found = visualisation.grad_cam(model, x, str(layer), classes)
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12)


def test_with_global_pooling_it_is_the_class_s_own_map() -> None:
    """Then a[k] is the class's weight for map k over the number of positions (section 3.1 of the paper)."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    ).double()
    x = images()
    maps = visualisation.feature_maps(model, x, "1")
    weights = model[4].weight.detach().numpy()[2]
    want = np.maximum((maps * weights[:, None, None]).sum(1), 0) / maps[0, 0].size
    np.testing.assert_allclose(visualisation.grad_cam(model, x, "1", 2), want, rtol=1e-9, atol=1e-12)


class Aside(nn.Module):
    """A layer whose output nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Conv2d(3, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x)
        return x.mean((2, 3))


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="layer must reach the scores, 'unused' does not"):
        visualisation.grad_cam(Aside().double(), images(), "unused")
    with pytest.raises(ValueError, match="classes must lie between 0 and 4"):
        visualisation.grad_cam(network(), images(), "5", -1)
