"""Whole networks, training steps and the engine: everyone computes the same, and a fault is refused."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from benchmarks import engine_benchmark, training_benchmark
from benchmarks.checks import RefusedError
from benchmarks.measuring import Effort
from tests.benchmarks.test_kernel_benchmark import FAST

ONCE = Effort(seconds=0.0, fewest=1, most=1)
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed: there is no twin"
)


def test_the_addition_is_exact() -> None:
    row = engine_benchmark.measure_addition(ONCE)
    assert row["contenders"]["minidnn"]["error_after"] == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [(0.0, 0.0), (0.5, 0.5 / 5)],
)
def test_the_error_of_gradients_is_the_worst_parameters(change: float, error: float) -> None:
    want = {"a": np.array([3.0, 4.0]), "b": np.array([1e-9])}
    got = {"a": np.array([3.0, 4.0 + change]), "b": np.array([1e-9])}
    assert training_benchmark.gradient_error(got, want) == pytest.approx(error)
    assert training_benchmark.gradient_error({"a": want["a"]}, want) == np.inf


@needs_torch
@pytest.mark.reference
def test_a_training_step_of_both_sides() -> None:
    row = training_benchmark.measure("lenet5", 2, ONCE)
    assert set(row["contenders"]) == {"minidnn", "pytorch", "pytorch channels_last"}
    assert max(c["error_after"] for c in row["contenders"].values()) < 1e-4


@needs_torch
@pytest.mark.reference
def test_a_step_that_computes_another_gradient_is_refused(monkeypatch) -> None:
    right = training_benchmark.OurStep.gradients

    def wrong(self):
        loss, gradients = right(self)
        name = next(iter(gradients))
        return loss, {**gradients, name: 1.2 * gradients[name]}

    monkeypatch.setattr(training_benchmark.OurStep, "gradients", wrong)
    with pytest.raises(RefusedError, match="minidnn is wrong before timing"):
        training_benchmark.measure("lenet5", 2, ONCE)


@needs_torch
@pytest.mark.reference
@pytest.mark.parametrize("off", ["pytorch", "pytorch channels_last"])
def test_of_the_peers_only_eager_must_be_right(off, monkeypatch) -> None:
    class Inexact(training_benchmark.TheirStep):
        """PyTorch in one of its layouts, with gradients far from float64's."""

        def __init__(self, network, images, layout=None) -> None:
            super().__init__(network, images, layout)
            single = images.dtype == np.float32
            named = "pytorch" if layout is None else "pytorch channels_last"
            self.factor = 1.2 if single and named == off else 1.0

        def gradients(self):
            loss, gradients = super().gradients()
            return loss, {name: self.factor * gradient for name, gradient in gradients.items()}

    monkeypatch.setattr(training_benchmark, "TheirStep", Inexact)
    if off == "pytorch":
        with pytest.raises(RefusedError, match="pytorch is wrong before timing"):
            training_benchmark.measure("lenet5", 2, ONCE)
    else:
        assert set(training_benchmark.measure("lenet5", 2, ONCE)["contenders"]) == {"minidnn", "pytorch"}


@needs_torch
@pytest.mark.reference
@pytest.mark.slow
def test_a_network_against_everyone() -> None:
    from benchmarks import network_benchmark

    row = network_benchmark.measure("squeezenet1_1", 1, FAST, ONCE)
    assert row["in_place"]["operations"]["conv2d_forward"]["calls"] == 26
    assert {"minidnn", "pytorch", "pytorch channels_last"} <= set(row["contenders"])
    assert max(c["error_after"] for c in row["contenders"].values()) <= row["bound"]


@needs_torch
@pytest.mark.reference
@pytest.mark.slow
def test_peak_memory_of_a_step_is_more_than_the_parameters() -> None:
    from benchmarks import training_memory

    row = training_memory.measure("squeezenet1_1", 1, 1)
    for side in ("minidnn", "pytorch"):
        # 1.2 M parameters, gradients and momentum, and 12 MB of activations at least.
        assert row["contenders"][side]["peak_bytes"] > 3 * 4 * 1.2e6 + 12e6


def test_an_unknown_network_is_named() -> None:
    pytest.importorskip("torch")
    from benchmarks import twins

    with pytest.raises(ValueError, match="network 'resnet1' has no reference in PyTorch; there are: alexnet"):
        twins.build("resnet1")
