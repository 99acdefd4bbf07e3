"""Saliency against PyTorch's gradients and against differences."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, nn, no_grad, visualisation
from tests.minidnn.visualisation.networks import images, network


@pytest.mark.parametrize("classes", [None, 2, [4, 0, 1]], ids=["predicted", "one", "each"])
def test_against_pytorch(classes: int | list[int] | None) -> None:
    in_torch = pytest.importorskip("tests.minidnn.visualisation.in_torch", exc_type=ImportError)
    model, x = network(), images()
    pixels = in_torch.torch.from_numpy(x).requires_grad_()
    scores = in_torch.twin(model)(pixels)
    chosen = scores.argmax(1) if classes is None else in_torch.torch.as_tensor(classes).expand(3)
    scores.gather(1, chosen[:, None]).sum().backward()
    want = pixels.grad.abs().amax(1).numpy()
    np.testing.assert_allclose(visualisation.saliency(model, x, classes), want, rtol=1e-9, atol=1e-12)


def test_against_differences() -> None:
    model, x = network().eval(), images(1)[0]
    found = visualisation.saliency(model, x, 3)
    assert found.shape == x.shape[1:]
    for row, column in ((0, 0), (9, 11), (20, 4)):
        slopes = []
        for channel in range(3):
            moved = np.stack([x, x])
            moved[:, channel, row, column] += [1e-6, -1e-6]
            with no_grad():
                higher, lower = model(Tensor(moved)).numpy()[:, 3]
            slopes.append(abs(higher - lower) / 2e-6)
        assert found[row, column] == pytest.approx(max(slopes), rel=1e-5, abs=1e-9)


def test_what_is_wrong_is_said() -> None:
    model, x = network(), images()
    with pytest.raises(ValueError, match=r"classes must lie between 0 and 4, got \[0, 5, 1\]"):
        visualisation.saliency(model, x, [0, 5, 1])
    with pytest.raises(ValueError, match=r"classes must have shape \(3,\), got \(2,\)"):
        visualisation.saliency(model, x, [0, 1])
    with pytest.raises(TypeError, match="classes must be integers, got dtype float64"):
        visualisation.saliency(model, x, [0.0, 1.0, 2.0])
    with pytest.raises(
        ValueError, match=r"model must return scores \(N, classes\), got shape \(3, 2, 25, 21\)"
    ):
        visualisation.saliency(nn.Conv2d(3, 2, 3).double(), x)
    with pytest.raises(ValueError, match=r"model must return scores \(N, classes\), got tuple"):
        visualisation.saliency(nn.MaxPool2d(2, return_indices=True), x)
