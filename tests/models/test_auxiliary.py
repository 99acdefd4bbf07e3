"""The loss with auxiliary heads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import models
from minidnn import Tensor
from minidnn.functional import cross_entropy


class Outputs(NamedTuple):
    logits: Tensor
    first: Tensor | None
    second: Tensor | None


@pytest.fixture
def draw() -> Any:
    return np.random.default_rng(0)


def scores(draw: Any) -> Tensor:
    return Tensor(draw.standard_normal((4, 3)), requires_grad=True)


def test_heads_are_added_with_their_weight(draw: Any) -> None:
    labels = Tensor(np.array([0, 2, 1, 1]))
    outputs = Outputs(scores(draw), scores(draw), scores(draw))
    losses = [cross_entropy(output, labels).item() for output in outputs]
    loss = models.auxiliary_loss(outputs, labels)
    assert loss.item() == pytest.approx(losses[0] + 0.3 * losses[1] + 0.3 * losses[2], rel=1e-12)
    loss.backward()
    upstream = [output.grad.numpy().copy() for output in outputs]
    for output, gradient, weight in zip(outputs, upstream, (1, 0.3, 0.3), strict=True):
        output.grad = None
        cross_entropy(output, labels).backward()
        np.testing.assert_allclose(gradient, weight * output.grad.numpy(), rtol=1e-12)
    other = models.auxiliary_loss(outputs, labels, weight=0.5)
    assert other.item() == pytest.approx(losses[0] + 0.5 * (losses[1] + losses[2]), rel=1e-12)


def test_heads_that_are_not_there(draw: Any) -> None:
    labels, logits = Tensor(np.array([0, 2, 1, 1])), scores(draw)
    wanted = cross_entropy(logits, labels).item()
    assert models.auxiliary_loss(logits, labels).item() == wanted
    assert models.auxiliary_loss(Outputs(logits, None, None), labels).item() == wanted
