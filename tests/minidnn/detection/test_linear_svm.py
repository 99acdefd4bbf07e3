"""The linear machine against scikit-learn's, its conditions of optimality, and mining hard negatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn.detection.hard_negatives import HardNegativeMiner, MiningSettings
from minidnn.detection.linear_svm import fit_linear_svm


def examples(seed: int, count: int = 60, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds that overlap, a third of them positive."""
    generator = np.random.default_rng(seed)
    positive = np.arange(count) % 3 == 0
    features = generator.normal(size=(count, width)) + 0.8 * positive[:, None]
    return features, positive


def objective(weight: np.ndarray, bias: float, data: Any, cost: float, more: float, scale: float) -> float:
    features, positive = data
    margins = np.where(positive, 1, -1) * (features @ weight + bias)
    costs = np.where(positive, cost * more, cost)
    return (weight @ weight + (bias / scale) ** 2) / 2 + (costs * np.maximum(0, 1 - margins)).sum()


@pytest.mark.parametrize(
    ("seed", "cost", "more", "scale"), [(0, 1.0, 1.0, 1.0), (1, 0.05, 2.0, 10.0), (2, 10.0, 0.5, 0.3)]
)
def test_against_scikit_learn(seed: int, cost: float, more: float, scale: float) -> None:
    svm = pytest.importorskip("sklearn.svm", reason="scikit-learn is not installed")
    features, positive = examples(seed)
    machine = fit_linear_svm(features, positive, cost, more, scale, tolerance=1e-8, most_passes=20_000)
    theirs = svm.LinearSVC(
        loss="hinge",
        dual=True,
        C=cost,
        class_weight={True: more, False: 1.0},
        intercept_scaling=scale,
        tol=1e-8,
        max_iter=1_000_000,
        random_state=0,
    ).fit(features, positive)
    np.testing.assert_allclose(machine.weight, theirs.coef_[0], rtol=1e-4, atol=1e-5)
    assert machine.bias == pytest.approx(theirs.intercept_[0], rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(machine.margins(features), theirs.decision_function(features), atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_machine_is_better(seed: int) -> None:
    data = examples(seed)
    settings = {"cost": 0.3, "more": 2.0, "scale": 3.0}
    weight, bias = fit_linear_svm(*data, 0.3, 2.0, 3.0, tolerance=1e-8, most_passes=20_000)
    least = objective(weight, bias, data, **settings)
    generator = np.random.default_rng(seed)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(50):
            step = size * generator.normal(size=6)
            assert objective(weight + step[:5], bias + step[5], data, **settings) >= least - 1e-9


def test_two_points_by_hand() -> None:
    """At 1 and -1, the machine with the widest margin is x itself."""
    machine = fit_linear_svm(np.array([[1.0], [-1.0]]), np.array([True, False]), cost=10, tolerance=1e-9)
    assert machine.weight.item() == pytest.approx(1)
    assert machine.bias == pytest.approx(0, abs=1e-8)


def test_the_generator_repeats_it_and_the_order_hardly_matters() -> None:
    data = examples(4)
    machines = []
    for seed in (0, 0, 1):
        minidnn.manual_seed(seed)
        machines.append(fit_linear_svm(*data, tolerance=1e-8, most_passes=20_000))
    assert np.array_equal(machines[0].weight, machines[1].weight)
    np.testing.assert_allclose(machines[0].weight, machines[2].weight, atol=1e-5)
    assert fit_linear_svm(data[0].astype(np.float32), data[1]).weight.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"features": np.zeros(3)}, ValueError, r"features must have shape \(N, D\), got \(3,\)"),
        ({"features": np.zeros((3, 2), np.int64)}, TypeError, "features"),
        ({"positive": np.array([1, 0, 1])}, TypeError, "positive must be a bool array, got int64"),
        ({"positive": np.array([True])}, ValueError, r"positive must have shape \(3,\), got \(1,\)"),
        ({"positive": np.ones(3, bool)}, ValueError, "true for some and false for some, got 3 true"),
        ({"positive": np.zeros(3, bool)}, ValueError, "got 0 true"),
        ({"cost": 0}, ValueError, "cost must be positive, got 0"),
        ({"bias_scale": -1.0}, ValueError, "bias_scale must be positive, got -1.0"),
        ({"most_passes": 0}, ValueError, "most_passes must be at least 1"),
    ],
)
def test_what_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"features": np.zeros((3, 2)), "positive": np.array([True, False, True])} | change
    with pytest.raises(error, match=message):
        fit_linear_svm(**arguments)


SETTINGS = MiningSettings(cost=0.5, positive_weight=1.0, bias_scale=1.0, retrain_after=5)


def test_mining_finds_the_machine_that_all_background_would_give() -> None:
    """What lies behind the margin does not change the solution, so leaving it out does no harm.

    Passes go on until no image has anything hard that is not remembered.
    """
    generator = np.random.default_rng(0)
    positives = generator.normal(size=(20, 4)) + 2
    images = [generator.normal(size=(50, 4)) - 0.3 for _ in range(12)]
    miner = HardNegativeMiner(positives, SETTINGS)
    remembered = -1
    for _ in range(20):
        for features in images:
            known = (features[:, None] == miner.negatives).all(axis=2).any(axis=1)
            miner.look_at(features[~known])
        machine = miner.finish()
        if len(miner.negatives) == remembered:
            break
        remembered = len(miner.negatives)
    everything = np.concatenate([positives, *images])
    positive = np.arange(len(everything)) < 20
    want = fit_linear_svm(everything, positive, 0.5)
    mined = objective(*machine, (everything, positive), 0.5, 1.0, 1.0)
    assert mined == pytest.approx(objective(*want, (everything, positive), 0.5, 1.0, 1.0), rel=1e-3)
    assert 0 < len(miner.negatives) < 300


def test_easy_background_is_neither_taken_nor_kept() -> None:
    positives = np.array([[3.0, 0.0], [4.0, 0.0]])
    miner = HardNegativeMiner(positives, SETTINGS)
    miner.look_at(np.array([[-3.0, 0.0], [-30.0, 0.0]]))
    assert miner.negatives.tolist() == [[-3.0, 0.0]]  # the other has become easy
    miner.look_at(np.array([[-40.0, 0.0], [0.0, 0.0]]))
    assert miner.negatives.tolist() == [[-3.0, 0.0], [0.0, 0.0]]
    before = miner.machine
    assert miner.finish() is not before


def test_no_background_at_all() -> None:
    miner = HardNegativeMiner(np.ones((2, 3)), SETTINGS)
    miner.look_at(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="negatives must be at least one"):
        miner.finish()
