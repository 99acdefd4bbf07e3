"""What the engine itself costs: a scalar addition, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

import minidnn
from benchmarks import checks
from benchmarks.kernel_benchmark import OURS
from benchmarks.measuring import Contender, Effort, interleave
from benchmarks.network_benchmark import contender_row
from benchmarks.peers import EAGER
from benchmarks.results import Row
from benchmarks.threads import has_torch

LEFT, RIGHT = 1.5, -0.25


class OurAddition:
    """c = a + b; c.backward()."""

    a: Any
    b: Any

    def __init__(self) -> None:
        self.a, self.b = (
            minidnn.Tensor(np.array(value, np.float32), requires_grad=True) for value in (LEFT, RIGHT)
        )

    def __call__(self) -> Any:
        self.a.grad = self.b.grad = None
        result = self.a + self.b
        result.backward()
        return result

    def numbers(self) -> list[float]:
        """The sum and both gradients."""
        result = self()
        return [float(value.item()) for value in (result, self.a.grad, self.b.grad)]


class TheirAddition(OurAddition):
    """The same in PyTorch."""

    def __init__(self) -> None:
        import torch

        self.a, self.b = (torch.tensor(value, requires_grad=True) for value in (LEFT, RIGHT))


def measure_addition(effort: Effort) -> Row:
    """Measure the addition and return its row.

    Raises:
        RefusedError: a wrong sum or gradient.
    """
    sides: dict[str, OurAddition] = {OURS: OurAddition()}
    if has_torch():
        sides[EAGER] = TheirAddition()
    before = _errors(sides, "before")
    timings = interleave([Contender(name, side) for name, side in sides.items()], effort)
    after = _errors(sides, "after")
    contenders = {
        name: contender_row(timing, before[name], after[name], None) for name, timing in timings.items()
    }
    return {"batch": 1, "bound": 0.0, "contenders": contenders}


def _errors(sides: dict[str, OurAddition], when: str) -> dict[str, float]:
    """All numbers are exact in float32."""
    found = {}
    for name, side in sides.items():
        worst = checks.error([np.array(side.numbers())], [np.array([LEFT + RIGHT, 1.0, 1.0])])
        found[name] = checks.check_values(name, when, worst, 0.0)
    return found
