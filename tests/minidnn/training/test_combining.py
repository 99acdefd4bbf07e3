"""Ensembles and crops: probabilities averaged, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, nn, no_grad
from minidnn.training import Ensemble, MultiCrop


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores)
    result: np.ndarray = powers / powers.sum(1, keepdims=True)
    return result


class Corner(nn.Module):
    """The top left pixels of an image as its scores; remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[np.ndarray] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.numpy().copy())
        return x[:, 0, 0, :3]


def test_an_ensemble_s_probabilities_are_the_mean() -> None:
    members = [nn.Linear(4, 3).double() for _ in range(3)]
    x = Tensor(np.random.default_rng(0).standard_normal((5, 4)))
    ensemble = Ensemble(members)
    with no_grad():
        want = np.mean([softmax(member(x).numpy()) for member in members], axis=0)
        got = ensemble(x).numpy()
    np.testing.assert_allclose(np.exp(got), want, rtol=1e-12)
    assert len(list(ensemble.parameters())) == 6
    assert not ensemble.eval().models[0].training


@pytest.mark.parametrize(("padding", "height", "width"), [(0, 7, 6), (1, 4, 7), (2, 3, 4), (0, 4, 4)])
def test_five_crops_are_the_corners_and_the_centre(padding: int, height: int, width: int) -> None:
    images = np.random.default_rng(1).standard_normal((2, 1, height, width))
    model = Corner()
    got = MultiCrop(model, 4, padding)(Tensor(images)).numpy()
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    bottom, right = height + 2 * padding - 4, width + 2 * padding - 4
    starts = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = [padded[:, :, row : row + 4, column : column + 4] for row, column in starts]
    assert len(model.seen) == 5
    for seen, crop in zip(model.seen, crops, strict=True):
        np.testing.assert_array_equal(seen, crop)
    want = np.mean([softmax(crop[:, 0, 0, :3]) for crop in crops], axis=0)
    np.testing.assert_allclose(np.exp(got), want, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ensemble([]), "models must hold at least one model, got none"),
        (lambda: MultiCrop(Corner(), 0), "size must be at least 1"),
        (lambda: MultiCrop(Corner(), 4, -1), "padding must be at least 0"),
        (lambda: MultiCrop(Corner(), 4)(Tensor(np.zeros((1, 1, 5, 3)))), "at least 4x4 pixels, got shape"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
