"""A pass in parts: calls are counted and timed where they are made, and the engine runs without kernels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import kernels
import minidnn
from benchmarks import in_place
from benchmarks.measuring import Effort
from minidnn import functional, nn

ONCE = Effort(seconds=0.0, fewest=1, most=1)


class Block(nn.Module):
    """Two convolutions, two ReLUs and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 2, 3, padding=1)
        self.outputs: list[minidnn.Tensor] = []

    def forward(self, x: minidnn.Tensor) -> minidnn.Tensor:
        y = functional.relu(self.second(functional.relu(self.first(x))) + x)
        self.outputs.append(y)
        return y


@pytest.fixture
def images() -> minidnn.Tensor:
    return minidnn.Tensor(np.random.default_rng(0).standard_normal((1, 2, 5, 4)).astype(np.float32))


def test_calls_are_counted_under_the_names_of_the_layers(images) -> None:
    model, table = Block().eval(), kernels.registry.table()
    with minidnn.no_grad():
        model(images)
        row = in_place.measure(lambda: model(images), ONCE)
    counts = {operation: measured["calls"] for operation, measured in row["operations"].items()}
    assert counts == {"conv2d_forward": 2, "relu_forward": 2, "add": 1}
    assert all(row[part] > 0 for part in ("whole", "kernels", "engine"))
    assert kernels.registry.table() == table


def test_every_pass_computes_the_same(images) -> None:
    model = Block().eval()
    with minidnn.no_grad():
        want = model(images).numpy().copy()
        one = in_place.Pass(lambda: model(images))
        for run in (one.whole, one.in_place, one.engine, one.engine, one.whole):
            run()
    assert all(np.array_equal(y.numpy(), want) for y in model.outputs)
    assert len(one.timed) == 1


def test_the_clock_runs_during_kernels_only(images) -> None:
    ticks = itertools.count()
    model = Block().eval()
    with minidnn.no_grad():
        model(images)
        one = in_place.Pass(lambda: model(images), clock=lambda: float(next(ticks)))
        one.in_place()
    assert one.timed == [
        [(name, 1.0) for name in ("conv2d_forward", "relu_forward", "conv2d_forward", "add", "relu_forward")]
    ]
    assert next(ticks) == 10


def test_the_engine_runs_without_kernels(images) -> None:
    model, inputs = Block().eval(), [images]
    with minidnn.no_grad():
        model(images)
        one = in_place.Pass(lambda: model(inputs[0]))
        one.engine()
        inputs[0] = 2 * images  # which no kernel looks at
        one.engine()
        one.whole()
    *_, before, after, computed = (y.numpy() for y in model.outputs)
    assert np.array_equal(before, after)
    assert not np.array_equal(computed, after)
