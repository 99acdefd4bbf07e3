"""The GPU's training benchmark as far as it goes without one: ours on the emulator, a made-up clock."""

from __future__ import annotations

import numpy as np
import pytest

import kernels
from benchmarks import gpu_training
from benchmarks.checks import RefusedError
from benchmarks.measuring import Effort
from benchmarks.twins import OurStep
from kernels.device import EMULATOR
from tests.benchmarks.made_up_clock import MadeUpClock, needs_compiler

pytest.importorskip("torch")
EFFORT = Effort(seconds=0.01, fewest=1, most=1)
NAMES = [
    "minidnn",
    "minidnn tf32",
    *("pytorch" + way for way in ("", " autotuned", " tf32", " tf32 autotuned")),
]


@pytest.mark.slow
@needs_compiler
def test_a_row_of_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def step(self: OurStep) -> None:
        asked.append(dict(kernels.registry.selection().versions))
        self.backward()
        self.optimizer.step()

    monkeypatch.setattr(OurStep, "__call__", step)
    monkeypatch.setattr(gpu_training, "longer", lambda effort: effort)
    clock = MadeUpClock(3.0, 3.0, 3.0, 2.0)
    row = gpu_training.measure("lenet5", 1, EMULATOR, clock, EFFORT)
    assert (row["network"], row["batch"]) == ("lenet5", 1)
    assert list(row["contenders"]) == NAMES
    assert clock.calls == 4 * len(NAMES)  # three to warm up, one round
    for name in ("minidnn", "pytorch"):
        contender = row["contenders"][name]
        assert contender["error_before"] == pytest.approx(contender["error_after"], abs=1e-6)
        assert contender["error_before"] < 1e-4
    assert row["contenders"]["minidnn tf32"]["error_before"] is None
    tf32 = dict.fromkeys(("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"), "tensor_tf32")
    assert asked == [{}] * 3 + [tf32] * 3 + [{}, tf32]


@needs_compiler
def test_wrong_gradients_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = OurStep.gradients

    def wrong(self: OurStep) -> tuple[float, dict[str, np.ndarray]]:
        loss, gradients = right(self)
        return loss, {name: 1.2 * gradient for name, gradient in gradients.items()}

    monkeypatch.setattr(OurStep, "gradients", wrong)
    with pytest.raises(RefusedError, match="minidnn is wrong before timing"):
        gpu_training.measure("lenet5", 1, EMULATOR, MadeUpClock(1.0), EFFORT)
