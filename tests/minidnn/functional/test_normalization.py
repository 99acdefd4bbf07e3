"""Normalisation as functions: running statistics, guards and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidnn
from minidnn import Tensor, functional, no_grad
from tests.kernels.sample import Draw


def test_training_writes_the_running_statistics_of_arrays_and_tensors() -> None:
    x = np.array([[1.0, 10.0], [3.0, 30.0]])
    for wrap in (lambda array: array, Tensor):
        mean, var = np.zeros(2), np.ones(2)
        functional.batch_norm(x, wrap(mean), wrap(var), training=True, momentum=0.5)
        assert mean.tolist() == [1, 10]  # half of the means 2 and 20
        assert var.tolist() == [1.5, 100.5]  # half of 1, half of the unbiased variances 2 and 200


def test_inference_only_reads_them() -> None:
    mean, var = np.array([1.0, 2.0]), np.array([4.0, 9.0])
    y = functional.batch_norm(np.array([[3.0, 8.0]]), mean, var, eps=1e-12)
    np.testing.assert_allclose(y.numpy(), [[1, 2]])
    assert (mean.tolist(), var.tolist()) == ([1, 2], [4, 9])


def test_statistics_are_constants_in_the_graph() -> None:
    draw = Draw(1)
    x = Tensor(draw.normal(4, 3), requires_grad=True)
    mean = Tensor(draw.normal(3), requires_grad=True)
    var = Tensor(draw.uniform(3, low=0.5), requires_grad=True)
    functional.batch_norm(x, mean, var).backward(draw.normal(4, 3))
    assert x.grad is not None
    assert mean.grad is None
    assert var.grad is None


def test_moving_the_statistics_after_an_inference_is_noticed() -> None:
    """The backward of inference needs the statistics it normalised by."""
    draw = Draw(1)
    x = Tensor(draw.normal(4, 3), requires_grad=True)
    mean, var = Tensor(np.zeros(3)), Tensor(np.ones(3))
    y = functional.batch_norm(x, mean, var)
    functional.batch_norm(x, mean, var, training=True)
    with pytest.raises(ValueError, match="the backward of BatchNormInference needs was changed in place"):
        y.backward(draw.normal(4, 3))


def test_only_the_wanted_gradients_are_made() -> None:
    draw = Draw(2)
    x, weight = Tensor(draw.normal(4, 3)), Tensor(draw.normal(3), requires_grad=True)
    functional.batch_norm(x, None, None, weight, np.zeros(3), training=True).backward(draw.normal(4, 3))
    assert x.grad is None
    assert weight.grad is not None
    with no_grad():
        assert not functional.batch_norm(x, None, None, weight, training=True).requires_grad


@pytest.mark.parametrize("method", ["central", "complex"])
def test_gradcheck_in_training(method: str) -> None:
    draw = Draw(3)
    inputs = [Tensor(draw.normal(*shape), requires_grad=True) for shape in ((4, 3, 2), (3,), (3,))]

    def batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.batch_norm(x, None, None, weight, bias, training=True)

    assert minidnn.gradcheck(batch_norm, inputs, method=method)
    assert minidnn.gradcheck(
        lambda x: functional.local_response_norm(x, 2, 1.5, 0.75, 1.2), inputs[0], method=method
    )


def test_gradcheck_in_inference() -> None:
    draw = Draw(3)
    inputs = [Tensor(draw.normal(*shape), requires_grad=True) for shape in ((4, 3, 2), (3,), (3,))]
    mean, var = draw.normal(3), draw.uniform(3, low=0.5)

    def batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.batch_norm(x, mean, var, weight, bias)

    assert minidnn.gradcheck(batch_norm, inputs)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((np.ones((4, 3)), None, None), {}, ValueError, "running_mean must be given unless training=True"),
        ((np.ones((4, 3)), np.ones(3), None), {}, ValueError, "running_var must be given unless training"),
        (
            (np.ones((4, 3)), np.ones(3), None),
            {"training": True},
            ValueError,
            "given together, got running_var",
        ),
        ((np.ones((1, 3)), None, None), {"training": True}, ValueError, r"more than one value .* \(1, 3\)"),
        ((np.ones(3), None, None), {"training": True}, ValueError, "x must have 2 or 3 or 4 or 5 dimensions"),
        ((np.ones((4, 0)), None, None), {"training": True}, ValueError, "x must have at least one channel"),
        ((np.ones((4, 3)), np.ones(2), np.ones(2)), {}, ValueError, r"running_mean must have shape \(3,\)"),
        (
            (np.ones((4, 3)), None, None),
            {"training": True, "eps": 0},
            ValueError,
            "eps must be above 0, got 0",
        ),
        (
            (np.ones((4, 3)), None, None, np.ones(3, np.float32)),
            {"training": True},
            TypeError,
            "weight has dtype",
        ),
        ((np.ones((4, 3), int), None, None), {"training": True}, TypeError, "x must have dtype float32"),
    ],
)
def test_batch_norm_refuses(
    arguments: Any, keywords: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        functional.batch_norm(*arguments, **keywords)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((4, 3)), 5), ValueError, r"x must have at least 3 dimensions .* got shape \(4, 3\)"),
        ((np.ones((4, 3, 2)), 0), ValueError, "size must be at least 1, got 0"),
        ((np.ones((4, 3, 2)), 2.5), TypeError, "size must be an integer, got 2.5"),
        ((np.ones((4, 3, 2)), 5, "1"), TypeError, "alpha must be a number, got '1'"),
    ],
)
def test_local_response_norm_refuses(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        functional.local_response_norm(*arguments)
