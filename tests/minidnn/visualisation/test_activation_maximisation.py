"""Activation maximisation against the same ascent in PyTorch, and what it reaches."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, nn, visualisation
from tests.minidnn.visualisation.networks import HEIGHT, WIDTH, network

SHAPE = (3, HEIGHT, WIDTH)


@pytest.mark.parametrize(("layer", "channel"), [(4, 7), (9, 2)], ids=["map", "class"])
def test_against_pytorch(layer: int, channel: int) -> None:
    in_torch = pytest.importorskip("tests.minidnn.visualisation.in_torch", exc_type=ImportError)
    ndimage = pytest.importorskip("scipy.ndimage")
    torch, model = in_torch.torch, network()
    head = in_torch.twin(model)[: layer + 1]
    x = torch.from_numpy(np.random.default_rng(3).standard_normal((1, *SHAPE)))
    for step in range(1, 7):
        x.requires_grad_()
        head(x)[:, channel].mean().backward()
        with torch.no_grad():
            x = (x + 0.2 * x.grad / x.grad.square().mean().sqrt()) * 0.9
        if step % 3 == 0:
            x = torch.from_numpy(
                ndimage.gaussian_filter(x.numpy(), (0, 0, 0.8, 0.8), mode="mirror", truncate=4)
            )
    found = visualisation.maximise_activation(
        model, str(layer), channel, SHAPE, 6, rate=0.2, decay=0.1, blur_sigma=0.8, blur_every=3, seed=3
    )
    np.testing.assert_allclose(
        found, x.numpy()[0], rtol=1e-4, atol=1e-4
    )  # the blurs' reaches differ slightly


def test_the_unit_responds_more() -> None:
    model = network()

    def mean_after(steps: int) -> float:
        image = visualisation.maximise_activation(model, "5", 1, SHAPE, steps)
        return float(visualisation.feature_maps(model, image, "5")[1].mean())

    assert mean_after(20) > 1.5 * mean_after(0) > 0
    assert model.training


def test_a_unit_that_nothing_moves_only_decays() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    model[0].weight.data = np.zeros((1, 1, 1, 1), np.float32)
    options = {"channel": 0, "shape": (1, 4, 5), "blur_sigma": 0, "seed": 8}
    first = visualisation.maximise_activation(model, "1", steps=0, **options)
    assert first.dtype == np.float32
    later = visualisation.maximise_activation(model, "1", steps=3, decay=0.5, **options)
    np.testing.assert_allclose(later, first / 8, rtol=1e-6)
    other = visualisation.maximise_activation(model, "1", steps=0, **{**options, "seed": 9})
    assert not np.array_equal(first, other)


class Column(nn.Module):
    """Gives one axis fewer than maps have."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(3)


def test_what_is_wrong_is_said() -> None:
    model = network()
    with pytest.raises(ValueError, match=r"shape must be \(C, H, W\), got \(3, 27\)"):
        visualisation.maximise_activation(model, "9", 0, (3, 27))
    with pytest.raises(ValueError, match="channel must be below 5, the channels of '9', got 5"):
        visualisation.maximise_activation(model, "9", 5, SHAPE)
    with pytest.raises(ValueError, match="decay must be"):
        visualisation.maximise_activation(model, "9", 0, SHAPE, decay=1.0)
    with pytest.raises(ValueError, match="blur_every must be at least 1"):
        visualisation.maximise_activation(model, "9", 0, SHAPE, blur_every=0)
    with pytest.raises(ValueError, match="layer must name a module of Sequential, got 'fc'"):
        visualisation.maximise_activation(model, "fc", 0, SHAPE)
    with pytest.raises(ValueError, match=r"layer must give \(N, C, H, W\) or \(N, C\), '0' gives shape"):
        visualisation.maximise_activation(nn.Sequential(Column()), "0", 0, SHAPE)
