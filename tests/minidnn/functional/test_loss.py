"""Losses as functions: forms of targets and weights that the cases cannot hold, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, functional
from tests.kernels.sample import Draw

X = np.random.default_rng(0).standard_normal((2, 3))
LABELS = np.array([0, 2])
BY_LABELS = [functional.cross_entropy, functional.nll_loss, functional.multi_margin_loss]
BY_DISTANCE = [functional.mse_loss, functional.l1_loss, functional.smooth_l1_loss]


@pytest.mark.parametrize("function", [functional.cross_entropy, functional.nll_loss])
def test_one_label_with_an_axis_for_one_sample(function: Callable[..., Tensor]) -> None:
    """PyTorch's forward takes a label (1,) for scores (C,); its backward fails."""
    x = Tensor(X[0], requires_grad=True)
    loss = function(x, np.array([1]), reduction="none")
    assert loss.shape == ()
    assert loss.item() == function(X[0], np.array(1)).item()
    loss.backward()
    assert x.grad is not None


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_weights_of_elements_against_torch(reduction: str) -> None:
    """Arguments that PyTorch takes by name only: pos_weight, and the weight of a distance."""
    torch = pytest.importorskip("torch")
    from tests.torch_bridge import to_torch

    draw = Draw(1)
    x, target, dy = draw.normal(4, 3) * 2, draw.uniform(4, 3), draw.normal(4, 3)
    weight, pos_weight = draw.uniform(4, 3, low=0.25), draw.uniform(3, low=0.25, high=2)
    for name, keywords in [
        ("mse_loss", {"weight": weight}),
        ("l1_loss", {"weight": weight}),
        ("binary_cross_entropy_with_logits", {"pos_weight": pos_weight}),
        ("binary_cross_entropy_with_logits", {"weight": weight, "pos_weight": pos_weight}),
    ]:
        ours = [Tensor(x, requires_grad=True), Tensor(target, requires_grad=True)]
        theirs = [to_torch(x).requires_grad_(), to_torch(target).requires_grad_()]
        loss = getattr(functional, name)(*ours, **keywords, reduction=reduction)
        want = getattr(torch.nn.functional, name)(
            *theirs, **{key: to_torch(value) for key, value in keywords.items()}, reduction=reduction
        )
        upstream = dy if reduction == "none" else dy[0, 0].reshape(())
        loss.backward(upstream)
        want.backward(to_torch(upstream))
        assert loss.detach().numpy() == pytest.approx(want.detach().numpy(), rel=1e-12)
        for mine, reference in zip(ours, theirs, strict=True):
            assert mine.grad is not None
            assert mine.grad.numpy() == pytest.approx(reference.grad.numpy(), rel=1e-11, abs=1e-14)


def test_only_what_is_needed_is_differentiated() -> None:
    target = Tensor(np.full((2, 3), 0.25), requires_grad=True)
    functional.cross_entropy(X, target).backward()
    functional.binary_cross_entropy_with_logits(X, target).backward()
    functional.mse_loss(X, target).backward()
    x = Tensor(X, requires_grad=True)
    functional.cross_entropy(x, target.detach()).backward()
    functional.mse_loss(x, target.detach()).backward()
    assert target.grad is not None
    assert x.grad is not None


def test_a_weight_that_requires_grad_is_refused() -> None:
    weight = Tensor(np.ones(3), requires_grad=True)
    for function in (functional.cross_entropy, functional.nll_loss):
        with pytest.raises(ValueError, match="weight must not require grad, since it gets no gradient"):
            function(X, LABELS, weight)
    with pytest.raises(ValueError, match="weight must not require grad, since it gets no gradient"):
        functional.multi_margin_loss(X, LABELS, weight=weight)
    with pytest.raises(ValueError, match="pos_weight must not require grad, since it gets no gradient"):
        functional.binary_cross_entropy_with_logits(X, X, pos_weight=weight)


def test_a_change_of_the_saved_scores_is_noticed() -> None:
    x = Tensor(X.copy(), requires_grad=True) * 1
    loss = functional.cross_entropy(x, LABELS)
    functional.relu(x, inplace=True)
    with pytest.raises(ValueError, match="backward of CrossEntropy needs was changed in place"):
        loss.backward()


@pytest.mark.parametrize("function", BY_LABELS)
@pytest.mark.parametrize(
    ("error", "target", "message"),
    [
        (ValueError, np.array([0, 3]), r"target must lie in \[0, 3\).*, got 3"),
        (ValueError, np.array([-1, 0]), r"target must lie in \[0, 3\).*, got -1"),
        (ValueError, np.array([[0, 1]]), r"target must have shape \(2,\), got \(1, 2\)"),
        (TypeError, np.array([0, 1], np.int32), "target must be an int64 array, got int32"),
        (TypeError, np.array([True, False]), "target must be an int64 array, got bool"),
        (TypeError, np.array([0, np.nan]), r"target must .* int64.*, got float64"),
        (TypeError, [0.0, 1.0], r"target must .* int64.*, got float32"),
    ],
)
def test_bad_labels(
    function: Callable[..., Tensor], error: type[Exception], target: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        function(X, target)


def test_bad_targets_of_cross_entropy() -> None:
    with pytest.raises(
        TypeError,
        match=r"target must hold int64 labels of shape \(2,\) or probabilities of shape \(2, 3\), "
        r"got float64 of shape \(2, 2\)",
    ):
        functional.cross_entropy(X, np.ones((2, 2)))
    with pytest.raises(ValueError, match="target must not hold NaN, got at least one"):
        functional.cross_entropy(X, X * np.nan)
    with pytest.raises(ValueError, match="ignore_index needs a target of labels, got 1 with probabilities"):
        functional.cross_entropy(X, X, ignore_index=1)
    with pytest.raises(ValueError, match="label_smoothing must be at most 1, got 2"):
        functional.cross_entropy(X, LABELS, label_smoothing=2)
    with pytest.raises(ValueError, match=r"x must have shape \(C,\) or \(N, C, ...\), got shape \(\)"):
        functional.cross_entropy(1.0, 0)


@pytest.mark.parametrize("function", [*BY_DISTANCE, functional.binary_cross_entropy_with_logits])
@pytest.mark.parametrize(
    ("error", "target", "message"),
    [
        (ValueError, X[0], r"target must have shape \(2, 3\), got \(3,\)"),
        (ValueError, X[:, :1], r"target must have shape \(2, 3\), got \(2, 1\)"),
        (TypeError, X.astype(np.float32), "target has dtype float32 but x has float64"),
        (TypeError, X.astype(int), "target must have dtype float32 or float64"),
    ],
)
def test_bad_elements(
    function: Callable[..., Tensor], error: type[Exception], target: Any, message: str
) -> None:
    """Shapes that differ are refused, also where they would broadcast and PyTorch warns."""
    with pytest.raises(error, match=message):
        function(X, target)


@pytest.mark.parametrize(
    ("function", "target"),
    [(each, LABELS) for each in BY_LABELS]
    + [(each, X) for each in [*BY_DISTANCE, functional.binary_cross_entropy_with_logits]],
)
def test_bad_reduction(function: Callable[..., Tensor], target: Any) -> None:
    with pytest.raises(ValueError, match='reduction must be "none", "mean" or "sum", got \'avg\''):
        function(X, target, reduction="avg")


def test_bad_parameters() -> None:
    with pytest.raises(ValueError, match="beta must be at least 0, got -1.0"):
        functional.smooth_l1_loss(X, X, beta=-1)
    with pytest.raises(ValueError, match="p must be 1 or 2, got 3"):
        functional.multi_margin_loss(X, LABELS, 3)
    with pytest.raises(ValueError, match=r"weight must have shape \(3,\), got \(2,\)"):
        functional.cross_entropy(X, LABELS, np.ones(2))
    with pytest.raises(ValueError, match=r"weight must have a shape that broadcasts to x's \(2, 3\)"):
        functional.binary_cross_entropy_with_logits(X, X, np.ones(2))
