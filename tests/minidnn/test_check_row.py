"""Rows of the gradient-check table: what they draw, what they call, what they say."""

from __future__ import annotations

import numpy as np
import pytest

import minidnn
from minidnn import nn, random
from minidnn.autograd import Function
from minidnn.check_row import (
    LayerCheck,
    distinct,
    fixed,
    function,
    given,
    indices,
    module,
    negative,
    normal,
    operation,
    positive,
    probabilities,
    zeros,
)
from minidnn.tensor import Tensor, apply


def drawn(item: object) -> np.ndarray:
    _, (tensor,), _ = operation("probe", "one input", lambda x: x, item).prepare()
    return tensor.data


def test_inputs_are_what_their_names_say() -> None:
    assert drawn(normal(3, 2)).shape == (3, 2)
    assert (drawn(positive(50)) >= 0.5).all()
    assert (drawn(negative(50)) < -0.5).all()
    assert not drawn(zeros(2, 3)).any()
    assert len(np.unique(drawn(distinct(4, 5)))) == 20
    assert drawn(given([1, 2])).tolist() == [1.0, 2.0]
    assert np.allclose(drawn(probabilities(2, 5, 3)).sum(1), 1)
    assert drawn(indices([[1, 0]])).dtype == np.int64


def test_what_is_differentiated() -> None:
    row = operation(
        "probe", "all kinds", lambda *x: x[0], normal(2), fixed([1.0]), indices([1]), given([2.0])
    )
    _, tensors, _ = row.prepare()
    assert [tensor.requires_grad for tensor in tensors] == [True, False, False, True]


def test_the_seed_decides_and_rows_differ() -> None:
    def values(row: LayerCheck, seed: int) -> list[float]:
        return row.prepare(seed)[1][0].data.tolist()

    row, other = (operation("probe", label, lambda x: x, normal(3)) for label in ("one", "other"))
    assert values(row, 1) == values(row, 1)
    assert values(row, 1) != values(row, 2)
    assert values(row, 1) != values(other, 1)


def test_nested_inputs_are_given_as_they_were_written_and_named() -> None:
    compute, tensors, names = function("cat", "two and a number", [normal(2, 1), normal(2, 3)], 1).prepare()
    assert compute(*tensors).shape == (2, 4)
    assert names == ["tensors[0]", "tensors[1]"]


def test_a_modules_parameters_and_buffers_are_inputs() -> None:
    row = module("BatchNorm2d", "inference", (2,), normal(1, 2, 3, 2), training=False)
    compute, tensors, names = row.prepare()
    assert names == ["x", "weight", "bias", "running_mean", "running_var"]
    assert [tensor.requires_grad for tensor in tensors] == [True, True, True, False, False]
    x, weight, bias, mean, variance = (tensor.data for tensor in tensors)
    per_channel = (slice(None), np.newaxis, np.newaxis)
    want = (x[0] - mean[per_channel]) / np.sqrt(variance[per_channel] + 1e-5)
    want = want * weight[per_channel] + bias[per_channel]
    assert np.allclose(compute(*tensors).data[0], want)


def test_parameters_deep_inside_are_reached() -> None:
    row = module(
        "Sequential", "nested", lambda: (nn.Sequential(nn.Linear(2, 3)), nn.Linear(3, 1)), normal(4, 2)
    )
    names = row.prepare()[2]
    assert names[1:] == ["0.0.weight", "0.0.bias", "1.weight", "1.bias"]
    report = row.run("fast")
    assert report.passed
    assert report.evaluations > 0


def test_a_seeded_row_leaves_the_generator_alone() -> None:
    minidnn.manual_seed(3)
    before = random.get_state()
    row = function("dropout", "half", normal(20), 0.5, seeded=True)
    compute, tensors, _ = row.prepare()
    assert np.array_equal(compute(*tensors).data, compute(*tensors).data)
    assert random.get_state() == before
    assert row.run().passed


class Halved(Function):
    """y = w x with half the gradient for w."""

    def forward(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        self.arrays = x, w
        return x * w

    def backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, w = self.arrays
        return grad_output * w, grad_output * x / 2


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_a_failure_names_the_argument(mode: str) -> None:
    def scale(x: Tensor, weight: Tensor) -> Tensor:
        return apply(Halved(), x, weight)

    report = operation("scale", "3x2", scale, normal(3, 2), normal(3, 2)).run(mode)
    assert not report.passed
    assert "the gradient of input 1 (weight) is wrong at index [" in report.message
    assert report.analytic == pytest.approx(report.numeric / 2)
