"""The linear support vector machine: against scikit-learn, against SciPy's minimiser, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidnn import Tensor, data
from minidnn.training import linear_svm, svm


def clusters(classes: int, count: int = 60, size: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds around one centre per class."""
    generator = np.random.default_rng(classes)
    labels = generator.integers(0, classes, count)
    centres = 1.2 * generator.standard_normal((classes, size))
    return centres[labels] + generator.standard_normal((count, size)), labels


def objective(weight: np.ndarray, x: np.ndarray, labels: np.ndarray, cost: float) -> float:
    """The definition, with loops; the bias is the last column."""
    scores = np.hstack([x, np.ones((len(x), 1))]) @ weight.T
    total = 0.5 * float((weight**2).sum())
    for row, label in zip(scores, labels, strict=True):
        for other in range(len(weight)):
            if other != label:
                total += cost * max(0.0, 1 - row[label] + row[other]) ** 2 / len(weight)
    return total


def parameters(layer: Any) -> np.ndarray:
    return np.hstack([layer.weight.detach().numpy(), layer.bias.detach().numpy()[:, None]]).astype(np.float64)


@pytest.mark.parametrize("cost", [0.05, 1.0, 20.0])
def test_two_classes_as_scikit_learn(cost: float) -> None:
    """The difference of the rows is LinearSVC's separating plane, its penalised bias included."""
    theirs = pytest.importorskip("sklearn.svm")
    x, labels = clusters(2)
    want = theirs.LinearSVC(C=cost, dual=False, tol=1e-10, max_iter=100_000).fit(x, labels)
    got = parameters(linear_svm(x, labels, 2, cost, tolerance=1e-9))
    np.testing.assert_allclose(got[1, :-1] - got[0, :-1], want.coef_[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(got[1, -1] - got[0, -1], want.intercept_[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(got.sum(0), 0, atol=1e-6)


@pytest.mark.parametrize(("classes", "cost"), [(3, 1.0), (5, 0.1)])
def test_several_classes_reach_the_least_objective(classes: int, cost: float) -> None:
    """SciPy's minimiser, on the definition and numerical gradients, comes to the same place."""
    optimize = pytest.importorskip("scipy.optimize")
    x, labels = clusters(classes, count=25, size=3)
    got = parameters(linear_svm(x, labels, classes, cost, tolerance=1e-8))
    shape = (classes, 4)
    best = optimize.minimize(
        lambda flat: objective(flat.reshape(shape), x, labels, cost), np.zeros(classes * 4), tol=1e-10
    )
    assert objective(got, x, labels, cost) == pytest.approx(best.fun, rel=1e-6)
    np.testing.assert_allclose(got, best.x.reshape(shape), atol=1e-3)


def test_digits_are_classified_as_well_as_by_scikit_learn() -> None:
    """Ten classes; LinearSVC takes one against the rest, so that the two are not the same function."""
    theirs = pytest.importorskip("sklearn.svm")
    train, test = data.digits(8, "train"), data.digits(8, "test")
    x, held_out = (4 * part.inputs.reshape(len(part), 64) for part in (train, test))
    layer = linear_svm(x[:300], train.targets[:300], 10, cost=0.1)
    mine = np.mean(layer(Tensor(held_out)).argmax(1).numpy() == test.targets)
    one_against_rest = theirs.LinearSVC(C=0.1).fit(x[:300], train.targets[:300])
    assert mine > 0.85
    assert mine > one_against_rest.score(held_out, test.targets) - 0.02


def test_images_are_flattened_and_tensors_taken() -> None:
    x, labels = clusters(3)
    flat = parameters(linear_svm(x.reshape(60, 5), labels, 3))
    shaped = parameters(linear_svm(Tensor(x.reshape(60, 5, 1, 1)), Tensor(labels), 3))
    np.testing.assert_array_equal(shaped, flat)
    assert linear_svm(x, labels, 3).weight.dtype == np.float32


def test_what_is_refused() -> None:
    x, labels = clusters(3)
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        linear_svm(x, labels, 1)
    with pytest.raises(ValueError, match="cost must be above 0, got 0"):
        linear_svm(x, labels, 3, cost=0)
    with pytest.raises(ValueError, match=r"must fit, got \(60, 5\) and \(59,\)"):
        linear_svm(x, labels[1:], 3)


def test_features_on_which_it_does_not_converge_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "_LONGEST", 5)
    x, labels = clusters(3)
    with pytest.raises(ValueError, match="inputs need deviations near 1: no solution after 5 steps"):
        linear_svm(x * [1e7, 1e-4, 1, 1, 1e4], labels, 3)
