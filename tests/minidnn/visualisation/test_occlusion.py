"""Occlusion, square by square."""

from __future__ import annotations

import numpy as np
import pytest

from minidnn import Tensor, no_grad, visualisation
from tests.minidnn.visualisation.networks import images, network


@pytest.mark.parametrize("target", [None, 1])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_every_square_by_itself(target: int | None, batch_size: int) -> None:
    model, image = network(), images(1)[0]
    found = visualisation.occlusion(model, image, target, (7, 5), (4, 6), value=0.25, batch_size=batch_size)
    assert model.training
    model.eval()
    with no_grad():
        wanted = int(model(Tensor(image[None])).argmax()) if target is None else target
        assert found.shape == (6, 4)
        for p in range(6):
            for q in range(4):
                covered = image.copy()
                covered[:, 4 * p : 4 * p + 7, 6 * q : 6 * q + 5] = 0.25
                scores = model(Tensor(covered[None])).numpy()[0]
                want = np.exp(scores[wanted]) / np.exp(scores).sum()
                assert found[p, q] == pytest.approx(want, rel=1e-9)


def test_what_is_wrong_is_said() -> None:
    model, image = network(), images(1)[0]
    with pytest.raises(ValueError, match=r"image must have shape \(C, H, W\), got \(1, 3, 27, 23\)"):
        visualisation.occlusion(model, image[None])
    with pytest.raises(ValueError, match=r"size must fit the image \(27, 23\), got \(2, 24\)"):
        visualisation.occlusion(model, image, size=(2, 24))
    with pytest.raises(ValueError, match="target must lie between 0 and 4, got"):
        visualisation.occlusion(model, image, 5)
    with pytest.raises(TypeError, match="kernel_size must be an integer"):
        visualisation.occlusion(model, image, size=1.5)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        visualisation.occlusion(model, image, batch_size=0)
